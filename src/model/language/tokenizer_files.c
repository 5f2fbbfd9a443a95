/*
 * Reads a tokenizer's folder: which files there are, which form they have, what decoding leaves
 * out.  A folder with both forms is built twice and compared.
 */
#include "model/language/tokenizer_files.h"

#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "model/language/tokenizer_build.h"

/* ----------------------------------------------------------------------------------------------
 * What decoding leaves out
 * ------------------------------------------------------------------------------------------- */

static void skip_name(struct omma_vocabulary *vocabulary, const char *name)
{
    size_t n_bytes = strlen(name);

    for (size_t id = 0; id < vocabulary->n_ids; id++) {
        struct omma_vocabulary_entry *entry = &vocabulary->entries[id];

        if (entry->kind == OMMA_TOKEN_ADDED && entry->n_bytes == n_bytes &&
            memcmp(vocabulary->bytes + entry->offset, name, n_bytes) == 0) {
            entry->is_skipped = true;
        }
    }
}

/* A name, or {"content": name}; anything else, null above all, names nothing. */
static void skip_value(struct omma_vocabulary *vocabulary, const json_t *value)
{
    const char *name =
        json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);

    if (name != NULL) {
        skip_name(vocabulary, name);
    }
}

/* The named tokens and additional_special_tokens, as transformers' all_special_ids has them (spec
 * 6.2); false if source has none of these fields. */
static bool skip_named(struct omma_vocabulary *vocabulary, const json_t *source)
{
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
    bool found = false;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(source, names[i]);

        found = found || value != NULL;
        skip_value(vocabulary, value);
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        json_t *list = json_object_get(source, lists[i]), *value;
        const char *key;
        size_t k;

        found = found || list != NULL;
        if (json_is_array(list)) {
            json_array_foreach(list, k, value)
            {
                skip_value(vocabulary, value);
            }
        } else {
            json_object_foreach(list, key, value)
            {
                skip_value(vocabulary, value);
            }
        }
    }
    return found;
}

/* For folders that do not say: eos, pad and the 13 additional specials of every Qwen2.5 and
 * InternVL3 folder (spec 6.2). */
static void skip_published(struct omma_vocabulary *vocabulary)
{
    static const char *const names[] = {
        "<|endoftext|>",      "<|im_start|>",     "<|im_end|>",     "<|object_ref_start|>",
        "<|object_ref_end|>", "<|box_start|>",    "<|box_end|>",    "<|quad_start|>",
        "<|quad_end|>",       "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
        "<|image_pad|>",      "<|video_pad|>"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        skip_name(vocabulary, names[i]);
    }
}

/* ----------------------------------------------------------------------------------------------
 * The folder
 * ------------------------------------------------------------------------------------------- */

/* Everything that was read. */
struct folder {
    struct omma_source_file vocab, merges, added, config, map, fast, jinja, sentencepiece;
    json_t *config_root, *map_root, *fast_root;
    struct omma_added_tokens added_tokens, fast_added_tokens;
    struct omma_vocabulary fast_vocabulary; /* of tokenizer.json, to compare */
    struct omma_bpe fast_bpe;
};

static void free_folder(struct folder *folder)
{
    omma_source_file_free(&folder->vocab);
    omma_source_file_free(&folder->merges);
    omma_source_file_free(&folder->added);
    omma_source_file_free(&folder->config);
    omma_source_file_free(&folder->map);
    omma_source_file_free(&folder->fast);
    omma_source_file_free(&folder->jinja);
    omma_source_file_free(&folder->sentencepiece);
    json_decref(folder->config_root);
    json_decref(folder->map_root);
    json_decref(folder->fast_root);
    omma_added_tokens_free(&folder->added_tokens);
    omma_added_tokens_free(&folder->fast_added_tokens);
    omma_vocabulary_free(&folder->fast_vocabulary);
    omma_bpe_free(&folder->fast_bpe);
}

static enum omma_status read_files(const char *dir, struct folder *folder, struct omma_error *error)
{
    OMMA_TRY(omma_source_file_read(dir, "vocab.json", &folder->vocab, error));
    OMMA_TRY(omma_source_file_read(dir, "merges.txt", &folder->merges, error));
    OMMA_TRY(omma_source_file_read(dir, "added_tokens.json", &folder->added, error));
    OMMA_TRY(omma_source_file_read(dir, "tokenizer_config.json", &folder->config, error));
    OMMA_TRY(omma_source_file_read(dir, "special_tokens_map.json", &folder->map, error));
    OMMA_TRY(omma_source_file_read(dir, "tokenizer.json", &folder->fast, error));
    OMMA_TRY(omma_source_file_read(dir, "chat_template.jinja", &folder->jinja, error));
    return omma_source_file_read(dir, "tokenizer.model", &folder->sentencepiece, error);
}

static enum omma_status parse(const struct omma_source_file *file, json_t **root,
                              struct omma_error *error)
{
    return omma_json_parse(file->path, file->bytes, file->n_bytes, root, error);
}

/* One of the two forms must be whole. */
static enum omma_status check_presence(const char *dir, const struct folder *folder,
                                       struct omma_error *error)
{
    if (folder->fast.bytes != NULL ||
        (folder->vocab.bytes != NULL && folder->merges.bytes != NULL)) {
        return OMMA_OK;
    }
    if (folder->vocab.bytes != NULL || folder->merges.bytes != NULL) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: expected a file beside %s, found none",
                         folder->vocab.bytes == NULL ? folder->vocab.path : folder->merges.path,
                         folder->vocab.bytes == NULL ? "merges.txt" : "vocab.json");
    }
    if (folder->sentencepiece.bytes != NULL) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: SentencePiece tokenizers (InternLM3) are not supported",
                         folder->sentencepiece.path);
    }
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s: expected vocab.json and merges.txt, or tokenizer.json, found neither",
                     dir);
}

/* Parse the small files; collect the added tokens beside vocab.json. */
static enum omma_status read_settings(struct folder *folder, struct omma_error *error)
{
    struct omma_source_file *added = &folder->added;

    if (added->bytes != NULL) {
        json_t *root, *value;
        const char *name;
        enum omma_status status = parse(added, &root, error);

        if (status != OMMA_OK) {
            return status;
        }
        json_object_foreach(root, name, value)
        {
            json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;

            status = omma_added_tokens_put(&folder->added_tokens, added->path, "added tokens", name,
                                           id, error);
            if (status != OMMA_OK) {
                break;
            }
        }
        json_decref(root);
        OMMA_TRY(status);
    }
    if (folder->config.bytes != NULL) {
        OMMA_TRY(parse(&folder->config, &folder->config_root, error));
        OMMA_TRY(omma_tokenizer_config_check(folder->config.path, folder->config_root,
                                             &folder->added_tokens, error));
    }
    if (folder->map.bytes != NULL) {
        OMMA_TRY(parse(&folder->map, &folder->map_root, error));
    }
    if (folder->jinja.bytes != NULL) {
        OMMA_TRY(omma_chat_template_check(folder->jinja.path, folder->jinja.bytes,
                                          folder->jinja.n_bytes, error));
    }
    return OMMA_OK;
}

/* tokenizer.json to tables; its added tokens to folder->fast_added_tokens. */
static enum omma_status read_fast(struct folder *folder, struct omma_vocabulary *vocabulary,
                                  struct omma_bpe *bpe, struct omma_error *error)
{
    struct omma_tokenizer_form form = {.vocab_path = folder->fast.path,
                                       .vocab_field = "model.vocab: ",
                                       .merges_path = folder->fast.path,
                                       .merges_field = "model.merges, entry",
                                       .added = &folder->fast_added_tokens};

    OMMA_TRY(parse(&folder->fast, &folder->fast_root, error));
    OMMA_TRY(omma_tokenizer_json_check(folder->fast.path, folder->fast_root, &form.vocab,
                                       &form.merges, &folder->fast_added_tokens, error));
    return omma_tokenizer_build(&form, vocabulary, bpe, error);
}

static enum omma_status read_slow(struct folder *folder, const struct omma_added_tokens *added,
                                  struct omma_vocabulary *vocabulary, struct omma_bpe *bpe,
                                  struct omma_error *error)
{
    struct omma_tokenizer_form form = {.vocab_path = folder->vocab.path,
                                       .vocab_field = "",
                                       .vocab_file = &folder->vocab,
                                       .merges_path = folder->merges.path,
                                       .merges_field = "line",
                                       .merges_file = &folder->merges,
                                       .added = added};

    return omma_tokenizer_build(&form, vocabulary, bpe, error);
}

/* The added tokens of tokenizer.json and those beside it, where there are any, are the same. */
static enum omma_status compare_added(const struct folder *folder, struct omma_error *error)
{
    const struct omma_added_tokens *ours = &folder->added_tokens,
                                   *other = &folder->fast_added_tokens;
    struct omma_added_tokens both = {0};
    enum omma_status status = OMMA_OK;

    for (size_t i = 0; status == OMMA_OK && i < other->n_tokens; i++) {
        status = omma_added_tokens_put(&both, folder->fast.path, "added_tokens",
                                       other->tokens[i].name, other->tokens[i].id, error);
    }
    for (size_t i = 0; status == OMMA_OK && i < ours->n_tokens; i++) {
        status = omma_added_tokens_put(&both, folder->fast.path,
                                       "added_tokens, compared with the files beside it",
                                       ours->tokens[i].name, ours->tokens[i].id, error);
    }
    if (status == OMMA_OK && ours->n_tokens > 0 &&
        (both.n_tokens != ours->n_tokens || both.n_tokens != other->n_tokens)) {
        status = omma_fail(error, OMMA_STATUS_MODEL,
                           "%s: added_tokens: expected those of the files beside it, %zu, found "
                           "%zu, together %zu",
                           folder->fast.path, ours->n_tokens, other->n_tokens, both.n_tokens);
    }
    omma_added_tokens_free(&both);
    return status;
}

static enum omma_status compare_forms(const struct folder *folder,
                                      const struct omma_vocabulary *vocabulary,
                                      const struct omma_bpe *bpe, struct omma_error *error)
{
    const struct omma_vocabulary *other = &folder->fast_vocabulary;

    for (size_t id = 0; id < vocabulary->n_ids || id < other->n_ids; id++) {
        const struct omma_vocabulary_entry *a = omma_vocabulary_entry(vocabulary, (int32_t)id);
        const struct omma_vocabulary_entry *b = omma_vocabulary_entry(other, (int32_t)id);

        if (a == NULL || b == NULL || a->kind != b->kind || a->n_bytes != b->n_bytes ||
            memcmp(vocabulary->bytes + a->offset, other->bytes + b->offset, a->n_bytes) != 0) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: id %zu: expected the token that %s has, found another",
                             folder->fast.path, id, folder->vocab.path);
        }
    }
    for (size_t i = 0; i < bpe->n_slots; i++) {
        const struct omma_bpe_merge *a = &bpe->slots[i], *b;

        if (a->left == -1) {
            continue;
        }
        b = omma_bpe_find(&folder->fast_bpe, a->left, a->right);
        if (b == NULL || b->rank != a->rank) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: model.merges: expected entry %u as %s has it, found another",
                             folder->fast.path, a->rank, folder->merges.path);
        }
    }
    if (folder->fast_bpe.n_merges != bpe->n_merges) {
        return omma_fail(
            error, OMMA_STATUS_MODEL, "%s: model.merges: expected %zu entries as in %s, found %zu",
            folder->fast.path, bpe->n_merges, folder->merges.path, folder->fast_bpe.n_merges);
    }
    return OMMA_OK;
}

static enum omma_status read_tables(struct folder *folder, struct omma_vocabulary *vocabulary,
                                    struct omma_bpe *bpe, struct omma_error *error)
{
    const struct omma_added_tokens *added = &folder->added_tokens;

    if (folder->vocab.bytes == NULL || folder->merges.bytes == NULL) {
        OMMA_TRY(read_fast(folder, vocabulary, bpe, error));
        return compare_added(folder, error);
    }
    if (folder->fast.bytes != NULL) {
        OMMA_TRY(read_fast(folder, &folder->fast_vocabulary, &folder->fast_bpe, error));
        OMMA_TRY(compare_added(folder, error));
        added = added->n_tokens > 0 ? added : &folder->fast_added_tokens;
    }
    OMMA_TRY(read_slow(folder, added, vocabulary, bpe, error));
    return folder->fast.bytes != NULL ? compare_forms(folder, vocabulary, bpe, error) : OMMA_OK;
}

enum omma_status omma_tokenizer_files_read(const char *dir, struct omma_vocabulary *vocabulary,
                                           struct omma_bpe *bpe, struct omma_error *error)
{
    struct folder folder = {0};
    enum omma_status status;

    OMMA_TRY_OR(status, done, read_files(dir, &folder, error));
    OMMA_TRY_OR(status, done, check_presence(dir, &folder, error));
    OMMA_TRY_OR(status, done, read_settings(&folder, error));
    OMMA_TRY_OR(status, done, read_tables(&folder, vocabulary, bpe, error));
    if (!skip_named(vocabulary, folder.config_root) && !skip_named(vocabulary, folder.map_root)) {
        skip_published(vocabulary);
    }
    omma_vocabulary_seal(vocabulary);
done:
    free_folder(&folder);
    return status;
}
