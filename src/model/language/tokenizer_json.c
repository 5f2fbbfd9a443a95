/*
 * tokenizer.json: a pipeline of steps, each of which must be what Qwen2's tokenizer has - NFC, a
 * split by the known expression, byte level, plain BPE.  Anything else is refused by its field.
 */
#include <string.h>

#include "model/language/pretokenizer.h"
#include "model/language/tokenizer_source.h"

static enum omma_status refuse(const char *path, const char *field, const char *expected,
                               const json_t *found, struct omma_error *error)
{
    return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s: expected %s, found %.200s", path, field,
                     expected, omma_json_word(found));
}

static const json_t *type_of(const json_t *step)
{
    const json_t *type = json_object_get(step, "type");

    return type != NULL ? type : step;
}

static bool has_type(const json_t *step, const char *type)
{
    const char *found = json_string_value(json_object_get(step, "type"));

    return found != NULL && strcmp(found, type) == 0;
}

/* Absent, null, false or "". */
static bool is_off(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

static enum omma_status check_split(const char *path, const json_t *split, struct omma_error *error)
{
    const json_t *expression = json_object_get(json_object_get(split, "pattern"), "Regex");
    const json_t *behavior = json_object_get(split, "behavior");
    const json_t *invert = json_object_get(split, "invert");

    if (!has_type(split, "Split")) {
        return refuse(path, "pre_tokenizer.pretokenizers[0].type", "Split", type_of(split), error);
    }
    if (!json_is_string(expression) ||
        strcmp(json_string_value(expression), omma_pretokenizer_expression) != 0) {
        return refuse(path, "pre_tokenizer.pretokenizers[0].pattern.Regex", "Qwen2's expression",
                      expression, error);
    }
    if (!json_is_string(behavior) || strcmp(json_string_value(behavior), "Isolated") != 0) {
        return refuse(path, "pre_tokenizer.pretokenizers[0].behavior", "Isolated", behavior, error);
    }
    if (!is_off(invert)) {
        return refuse(path, "pre_tokenizer.pretokenizers[0].invert", "false", invert, error);
    }
    return OMMA_OK;
}

static enum omma_status check_pretokenizer(const char *path, const json_t *step,
                                           struct omma_error *error)
{
    static const char *const flags[] = {"add_prefix_space", "use_regex"};
    static const char *const fields[] = {"pre_tokenizer.pretokenizers[1].add_prefix_space",
                                         "pre_tokenizer.pretokenizers[1].use_regex"};
    const json_t *steps = json_object_get(step, "pretokenizers");
    const json_t *bytes = json_array_get(steps, 1);

    if (!has_type(step, "Sequence")) {
        return refuse(path, "pre_tokenizer.type", "Sequence", type_of(step), error);
    }
    if (json_array_size(steps) != 2) {
        return refuse(path, "pre_tokenizer.pretokenizers", "two steps, Split and ByteLevel", steps,
                      error);
    }
    OMMA_TRY(check_split(path, json_array_get(steps, 0), error));
    if (!has_type(bytes, "ByteLevel")) {
        return refuse(path, "pre_tokenizer.pretokenizers[1].type", "ByteLevel", type_of(bytes),
                      error);
    }
    for (size_t i = 0; i < 2; i++) { /* both are true where they are absent */
        if (!json_is_false(json_object_get(bytes, flags[i]))) {
            return refuse(path, fields[i], "false", json_object_get(bytes, flags[i]), error);
        }
    }
    return OMMA_OK;
}

static enum omma_status check_model(const char *path, const json_t *model, struct omma_error *error)
{
    static const char *const flags[] = {"dropout",
                                        "continuing_subword_prefix",
                                        "end_of_word_suffix",
                                        "fuse_unk",
                                        "byte_fallback",
                                        "ignore_merges"};
    static const char *const fields[] = {"model.dropout",
                                         "model.continuing_subword_prefix",
                                         "model.end_of_word_suffix",
                                         "model.fuse_unk",
                                         "model.byte_fallback",
                                         "model.ignore_merges"};

    if (!has_type(model, "BPE")) {
        return refuse(path, "model.type", "BPE", type_of(model), error);
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!is_off(json_object_get(model, flags[i]))) {
            return refuse(path, fields[i], "none", json_object_get(model, flags[i]), error);
        }
    }
    if (!json_is_object(json_object_get(model, "vocab"))) {
        return refuse(path, "model.vocab", "an object", json_object_get(model, "vocab"), error);
    }
    if (!json_is_array(json_object_get(model, "merges"))) {
        return refuse(path, "model.merges", "an array", json_object_get(model, "merges"), error);
    }
    return OMMA_OK;
}

static enum omma_status collect_added(const char *path, json_t *list,
                                      struct omma_added_tokens *added, struct omma_error *error)
{
    size_t i;
    json_t *description;

    if (list != NULL && !json_is_array(list)) {
        return refuse(path, "added_tokens", "an array", list, error);
    }
    json_array_foreach(list, i, description)
    {
        const json_t *id = json_object_get(description, "id");
        const char *name = NULL;

        OMMA_TRY(omma_added_token_check(path, "added_tokens", description, &name, error));
        if (!json_is_integer(id)) {
            return refuse(path, "added_tokens: id", "an integer", id, error);
        }
        OMMA_TRY(omma_added_tokens_put(added, path, "added_tokens", name, json_integer_value(id),
                                       error));
    }
    return OMMA_OK;
}

enum omma_status omma_tokenizer_json_check(const char *path, const json_t *root, json_t **vocab,
                                           json_t **merges, struct omma_added_tokens *added,
                                           struct omma_error *error)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *post_processor = json_object_get(root, "post_processor");
    const json_t *decoder = json_object_get(root, "decoder");
    const json_t *model = json_object_get(root, "model");

    if (!has_type(normalizer, "NFC")) {
        return refuse(path, "normalizer.type", "NFC", type_of(normalizer), error);
    }
    OMMA_TRY(check_pretokenizer(path, json_object_get(root, "pre_tokenizer"), error));
    if (!is_off(post_processor) && !has_type(post_processor, "ByteLevel")) {
        return refuse(path, "post_processor.type", "ByteLevel", type_of(post_processor), error);
    }
    if (!has_type(decoder, "ByteLevel")) {
        return refuse(path, "decoder.type", "ByteLevel", type_of(decoder), error);
    }
    OMMA_TRY(check_model(path, model, error));
    OMMA_TRY(collect_added(path, json_object_get(root, "added_tokens"), added, error));
    *vocab = json_object_get(model, "vocab");
    *merges = json_object_get(model, "merges");
    return OMMA_OK;
}
