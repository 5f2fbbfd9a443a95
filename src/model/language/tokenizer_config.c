/*
 * tokenizer_config.json and chat templates: nothing of them is executed; what would make the
 * official tokenizer behave otherwise than ours is refused.
 *
 * The template in use is ours (chat_template.c).  A folder's own one only tells whether the model
 * was trained on that form: published folders carry several wordings of it (with tools, with
 * pictures), all of which write <|im_start|>ROLE ... <|im_end|>.  So a template is accepted by its
 * markers, and any other is refused with its SHA-256, by which it can be told.
 */
#include <string.h>

#include "format/sha256.h"
#include "model/language/tokenizer_source.h"

/* Markers of turns in other families' templates. */
static const char *const foreign_markers[] = {"[INST]",
                                              "<start_of_turn>",
                                              "<|start_header_id|>",
                                              "<|user|>",
                                              "<|assistant|>",
                                              "<|turn>",
                                              "<|start|>",
                                              "<|User|>",
                                              "<\xEF\xBD\x9CUser",
                                              "### Instruction",
                                              "USER:"};

static enum omma_status check_class(const char *path, const json_t *config,
                                    struct omma_error *error)
{
    static const char *const known[] = {"Qwen2Tokenizer", "Qwen2TokenizerFast",
                                        "PreTrainedTokenizerFast", "TokenizersBackend"};
    const json_t *value = json_object_get(config, "tokenizer_class");
    const char *name = json_string_value(value);

    if (value == NULL || json_is_null(value)) {
        return OMMA_OK;
    }
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i]) == 0) {
            return OMMA_OK;
        }
    }
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s: tokenizer_class: expected Qwen2Tokenizer, found %.100s", path,
                     omma_json_word(value));
}

static enum omma_status check_flags(const char *path, const json_t *config,
                                    struct omma_error *error)
{
    static const char *const flags[] = {"add_bos_token", "add_eos_token", "add_prefix_space",
                                        "clean_up_tokenization_spaces"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const json_t *value = json_object_get(config, flags[i]);

        if (value != NULL && !json_is_false(value) && !json_is_null(value)) {
            return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s: expected false, found %.100s", path,
                             flags[i], omma_json_word(value));
        }
    }
    return OMMA_OK;
}

static enum omma_status collect_added(const char *path, json_t *decoder,
                                      struct omma_added_tokens *added, struct omma_error *error)
{
    static const char field[] = "added_tokens_decoder";
    const char *key;
    json_t *description;

    if (decoder == NULL || json_is_null(decoder)) {
        return OMMA_OK;
    }
    if (!json_is_object(decoder)) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s: expected an object, found %.100s", path,
                         field, omma_json_word(decoder));
    }
    json_object_foreach(decoder, key, description)
    {
        const char *name = NULL;
        json_int_t id = 0;

        for (const char *digit = key; *digit != '\0' || digit == key; digit++) {
            if (*digit < '0' || *digit > '9' || id > INT32_MAX) {
                return omma_fail(error, OMMA_STATUS_MODEL,
                                 "%s: %s: expected an id, found \"%.100s\"", path, field, key);
            }
            id = id * 10 + (*digit - '0');
        }
        OMMA_TRY(omma_added_token_check(path, field, description, &name, error));
        OMMA_TRY(omma_added_tokens_put(added, path, field, name, id, error));
    }
    return OMMA_OK;
}

static bool contains(const char *text, size_t n_bytes, const char *word)
{
    return memmem(text, n_bytes, word, strlen(word)) != NULL;
}

enum omma_status omma_chat_template_check(const char *path, const char *text, size_t n_bytes,
                                          struct omma_error *error)
{
    struct omma_sha256 *hash = NULL;
    uint8_t digest[32];
    char hex[65];
    bool is_known =
        contains(text, n_bytes, "<|im_start|>") && contains(text, n_bytes, "<|im_end|>");

    for (size_t i = 0; i < sizeof foreign_markers / sizeof *foreign_markers; i++) {
        is_known = is_known && !contains(text, n_bytes, foreign_markers[i]);
    }
    if (is_known) {
        return OMMA_OK;
    }
    OMMA_TRY(omma_sha256_begin(&hash, error));
    omma_sha256_add(hash, text, n_bytes);
    omma_sha256_end(&hash, digest);
    omma_sha256_hex(digest, hex);
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s: chat_template: expected turns as <|im_start|>ROLE ... <|im_end|>, found "
                     "another template (SHA-256 %s)",
                     path, hex);
}

/* A string; or, in an older form, a list of {"name", "template"}. */
static enum omma_status check_templates(const char *path, const json_t *value,
                                        struct omma_error *error)
{
    if (value == NULL || json_is_null(value)) {
        return OMMA_OK;
    }
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *text = json_object_get(json_array_get(value, i), "template");

            if (!json_is_string(text)) {
                return omma_fail(error, OMMA_STATUS_MODEL,
                                 "%s: chat_template[%zu].template: expected a string, found %.100s",
                                 path, i, omma_json_word(text));
            }
            OMMA_TRY(omma_chat_template_check(path, json_string_value(text),
                                              json_string_length(text), error));
        }
        return OMMA_OK;
    }
    if (!json_is_string(value)) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: chat_template: expected a string, found %.100s", path,
                         omma_json_word(value));
    }
    return omma_chat_template_check(path, json_string_value(value), json_string_length(value),
                                    error);
}

enum omma_status omma_tokenizer_config_check(const char *path, const json_t *config,
                                             struct omma_added_tokens *added,
                                             struct omma_error *error)
{
    OMMA_TRY(check_class(path, config, error));
    OMMA_TRY(check_flags(path, config, error));
    OMMA_TRY(check_templates(path, json_object_get(config, "chat_template"), error));
    return collect_added(path, json_object_get(config, "added_tokens_decoder"), added, error);
}
