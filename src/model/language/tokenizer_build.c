/*
 * Vocabulary and merges to tables, with every check that makes encoding safe: ids are 0 to n - 1,
 * each once; every byte has a token; every merge joins two base tokens into a third.
 */
#include "model/language/tokenizer_build.h"

#include <stdlib.h>
#include <string.h>

#include "model/language/byte_symbols.h"
#include "base/utf8.h"
#include "model/language/vocab_file.h"

enum { MAX_TOKEN_BYTES = 4096 }; /* of a token's name in the files; the longest of Qwen2 has 256 */

struct builder {
    const struct omma_tokenizer_form *form;
    struct omma_byte_symbols symbols;
    char bytes[2 * MAX_TOKEN_BYTES]; /* of a token, or of two that merge */
    int32_t next_merged;             /* the id after that of the last merge */
};

/* ----------------------------------------------------------------------------------------------
 * Vocabulary
 * ------------------------------------------------------------------------------------------- */

/* Names are cut to this many bytes in messages. */
enum { SHOWN_BYTES = 100 };

static int shown(size_t n_bytes)
{
    return n_bytes < SHOWN_BYTES ? (int)n_bytes : SHOWN_BYTES;
}

static enum omma_status add_base(struct builder *builder, struct omma_vocabulary *vocabulary,
                                 const struct omma_vocab_pair *pair, struct omma_error *error)
{
    const struct omma_tokenizer_form *form = builder->form;
    size_t n_bytes;

    if (pair->id >= vocabulary->limit) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: %s\"%.*s\": expected an id below %zu (the number of tokens), found "
                         "%zu",
                         form->vocab_path, form->vocab_field, shown(pair->n_name), pair->name,
                         vocabulary->limit, pair->id);
    }
    if (vocabulary->entries[pair->id].kind != OMMA_TOKEN_ABSENT) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: %s\"%.*s\": expected an id of its own, found %zu, which is taken",
                         form->vocab_path, form->vocab_field, shown(pair->n_name), pair->name,
                         pair->id);
    }
    if (pair->n_name > MAX_TOKEN_BYTES ||
        !omma_byte_symbols_decode(&builder->symbols, pair->name, pair->n_name, builder->bytes,
                                  &n_bytes)) {
        return omma_fail(
            error, OMMA_STATUS_MODEL,
            "%s: %s\"%.*s\": expected byte-level symbols only, at most %d bytes of them",
            form->vocab_path, form->vocab_field, shown(pair->n_name), pair->name, MAX_TOKEN_BYTES);
    }
    if (omma_vocabulary_find(vocabulary, builder->bytes, n_bytes) != -1) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s\"%.*s\": duplicate name",
                         form->vocab_path, form->vocab_field, shown(pair->n_name), pair->name);
    }
    return omma_vocabulary_set(vocabulary, (int32_t)pair->id, OMMA_TOKEN_BASE, builder->bytes,
                               n_bytes, error);
}

static enum omma_status add_added(const struct builder *builder, struct omma_vocabulary *vocabulary,
                                  const struct omma_added_token *token, struct omma_error *error)
{
    const struct omma_vocabulary_entry *entry;
    size_t n_name = strlen(token->name);
    int32_t same = omma_vocabulary_find(vocabulary, token->name, n_name);

    if ((size_t)token->id >= vocabulary->limit) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: added token \"%.100s\": expected an id below %zu (the number of "
                         "tokens), found %d",
                         builder->form->vocab_path, token->name, vocabulary->limit, token->id);
    }
    entry = &vocabulary->entries[token->id];
    if (same != -1 && same != token->id) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: added token \"%.100s\": expected one id, found %d and, in the "
                         "vocabulary, %d",
                         builder->form->vocab_path, token->name, token->id, same);
    }
    if (same == -1 && entry->kind != OMMA_TOKEN_ABSENT) {
        return omma_fail(
            error, OMMA_STATUS_MODEL,
            "%s: added token \"%.100s\": expected an id of its own, found %d, which is "
            "taken by another token",
            builder->form->vocab_path, token->name, token->id);
    }
    return omma_vocabulary_set(vocabulary, token->id, OMMA_TOKEN_ADDED, token->name, n_name, error);
}

static enum omma_status check_gaps(const struct builder *builder,
                                   const struct omma_vocabulary *vocabulary,
                                   struct omma_error *error)
{
    for (size_t id = 0; id < vocabulary->n_ids; id++) {
        if (vocabulary->entries[id].kind == OMMA_TOKEN_ABSENT) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: expected ids 0 to %zu without a gap, found no token with id %zu",
                             builder->form->vocab_path, vocabulary->n_ids - 1, id);
        }
    }
    return OMMA_OK;
}

/* All pairs of vocab.json: count them if vocabulary is NULL, else add them. */
static enum omma_status read_pairs(struct builder *builder, struct omma_vocabulary *vocabulary,
                                   size_t *n_pairs, struct omma_error *error)
{
    struct omma_vocab_file reader;
    struct omma_vocab_pair pair;
    bool found = true;
    enum omma_status status;

    *n_pairs = 0;
    OMMA_TRY_OR(status, done, omma_vocab_file_begin(builder->form->vocab_file, &reader, error));
    for (;;) {
        OMMA_TRY_OR(status, done, omma_vocab_file_next(&reader, &pair, &found, error));
        if (!found) {
            break;
        }
        ++*n_pairs;
        if (vocabulary != NULL) {
            OMMA_TRY_OR(status, done, add_base(builder, vocabulary, &pair, error));
        }
    }
done:
    omma_vocab_file_end(&reader);
    return status;
}

/* The same from tokenizer.json's object. */
static enum omma_status add_members(struct builder *builder, struct omma_vocabulary *vocabulary,
                                    struct omma_error *error)
{
    const struct omma_tokenizer_form *form = builder->form;
    const char *name;
    json_t *value;

    json_object_foreach(form->vocab, name, value)
    {
        struct omma_vocab_pair pair = {name, strlen(name), (size_t)json_integer_value(value)};

        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %s\"%.*s\": expected an id from 0 on, found %.100s",
                             form->vocab_path, form->vocab_field, shown(pair.n_name), name,
                             omma_json_word(value));
        }
        OMMA_TRY(add_base(builder, vocabulary, &pair, error));
    }
    return OMMA_OK;
}

static enum omma_status build_vocabulary(struct builder *builder,
                                         struct omma_vocabulary *vocabulary,
                                         struct omma_error *error)
{
    const struct omma_tokenizer_form *form = builder->form;
    size_t n_base = json_object_size(form->vocab);

    if (form->vocab_file != NULL) {
        OMMA_TRY(read_pairs(builder, NULL, &n_base, error));
    }
    OMMA_TRY(omma_vocabulary_init(vocabulary, n_base + form->added->n_tokens, error));
    if (form->vocab_file != NULL) {
        OMMA_TRY(read_pairs(builder, vocabulary, &n_base, error));
    } else {
        OMMA_TRY(add_members(builder, vocabulary, error));
    }
    for (size_t i = 0; i < form->added->n_tokens; i++) {
        OMMA_TRY(add_added(builder, vocabulary, &form->added->tokens[i], error));
    }
    return check_gaps(builder, vocabulary, error);
}

/* ----------------------------------------------------------------------------------------------
 * Merges
 * ------------------------------------------------------------------------------------------- */

static enum omma_status set_byte_ids(const struct builder *builder,
                                     const struct omma_vocabulary *vocabulary, struct omma_bpe *bpe,
                                     struct omma_error *error)
{
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;

        bpe->byte_ids[byte] = omma_vocabulary_find(vocabulary, &text, 1);
        if (bpe->byte_ids[byte] == -1) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: expected a token for every byte, found none for 0x%02X",
                             builder->form->vocab_path, (unsigned)byte);
        }
    }
    return OMMA_OK;
}

/* A merge as text: two runs of symbols. */
struct merge_text {
    const char *left, *right;
    size_t n_left, n_right;
};

/* number: of the line or entry, for messages. */
static enum omma_status add_merge(struct builder *builder, const struct omma_vocabulary *vocabulary,
                                  struct omma_bpe *bpe, size_t number,
                                  const struct merge_text *text, struct omma_error *error)
{
    char *bytes = builder->bytes;
    size_t n_left = 0, n_right = 0;
    int32_t left = -1, right = -1, merged = -1;

    if (text->n_left <= MAX_TOKEN_BYTES && text->n_right <= MAX_TOKEN_BYTES &&
        omma_byte_symbols_decode(&builder->symbols, text->left, text->n_left, bytes, &n_left) &&
        omma_byte_symbols_decode(&builder->symbols, text->right, text->n_right, bytes + n_left,
                                 &n_right)) {
        left = omma_vocabulary_find(vocabulary, bytes, n_left);
        right = omma_vocabulary_find(vocabulary, bytes + n_left, n_right);
        /* Trained vocabularies number their tokens as they were merged: look there first. */
        merged = omma_vocabulary_is(vocabulary, builder->next_merged, bytes, n_left + n_right)
                     ? builder->next_merged
                     : omma_vocabulary_find(vocabulary, bytes, n_left + n_right);
    }
    if (left == -1 || right == -1 || merged == -1) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: %s %zu: expected two tokens of the vocabulary that join to a third, "
                         "found \"%.*s\" (%s) and \"%.*s\" (%s), which join to one that is %s",
                         builder->form->merges_path, builder->form->merges_field, number,
                         shown(text->n_left), text->left, left == -1 ? "absent" : "there",
                         shown(text->n_right), text->right, right == -1 ? "absent" : "there",
                         merged == -1 ? "absent" : "there");
    }
    if (!omma_bpe_add(bpe, left, right, merged)) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: %s %zu: expected a new pair, found \"%.*s %.*s\" a second time",
                         builder->form->merges_path, builder->form->merges_field, number,
                         (int)text->n_left, text->left, (int)text->n_right, text->right);
    }
    builder->next_merged = merged + 1;
    return OMMA_OK;
}

/* "left right", one space between. */
static enum omma_status split_merge(const struct builder *builder, size_t number, const char *line,
                                    size_t n_bytes, struct merge_text *text,
                                    struct omma_error *error)
{
    const char *space = memchr(line, ' ', n_bytes);

    if (space == NULL || space == line || space + 1 == line + n_bytes ||
        memchr(space + 1, ' ', n_bytes - (size_t)(space + 1 - line)) != NULL) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: %s %zu: expected two tokens and one space between, found \"%.*s\"",
                         builder->form->merges_path, builder->form->merges_field, number,
                         shown(n_bytes), line);
    }
    text->left = line;
    text->n_left = (size_t)(space - line);
    text->right = space + 1;
    text->n_right = n_bytes - text->n_left - 1;
    return OMMA_OK;
}

/* The next line at *at without its end (LF or CR LF); false at the end of the file. */
static bool next_line(const struct omma_source_file *file, size_t *at, const char **line,
                      size_t *n_bytes)
{
    const char *begin = file->bytes + *at, *end;

    if (*at >= file->n_bytes) {
        return false;
    }
    end = memchr(begin, '\n', file->n_bytes - *at);
    *n_bytes = end != NULL ? (size_t)(end - begin) : file->n_bytes - *at;
    *at += *n_bytes + 1;
    while (*n_bytes > 0 && begin[*n_bytes - 1] == '\r') {
        --*n_bytes;
    }
    *line = begin;
    return true;
}

static enum omma_status add_merge_lines(struct builder *builder,
                                        const struct omma_vocabulary *vocabulary,
                                        struct omma_bpe *bpe, struct omma_error *error)
{
    static const char version[] = "#version";
    const struct omma_source_file *file = builder->form->merges_file;
    size_t at = 0, number = 0, n_bytes;
    const char *line;
    struct merge_text text;

    if (omma_utf8_check(file->path, file->bytes, file->n_bytes, error) != OMMA_OK) {
        if (error != NULL) {
            error->status = OMMA_STATUS_MODEL;
        }
        return OMMA_STATUS_MODEL;
    }
    while (next_line(file, &at, &line, &n_bytes)) {
        number++;
        if (n_bytes == 0 || (number == 1 && n_bytes >= sizeof version - 1 &&
                             memcmp(line, version, sizeof version - 1) == 0)) {
            continue;
        }
        OMMA_TRY(split_merge(builder, number, line, n_bytes, &text, error));
        OMMA_TRY(add_merge(builder, vocabulary, bpe, number, &text, error));
    }
    return OMMA_OK;
}

static enum omma_status add_merge_entries(struct builder *builder,
                                          const struct omma_vocabulary *vocabulary,
                                          struct omma_bpe *bpe, struct omma_error *error)
{
    size_t i;
    json_t *entry;
    struct merge_text text;

    json_array_foreach(builder->form->merges, i, entry)
    {
        const json_t *left = json_array_get(entry, 0), *right = json_array_get(entry, 1);

        if (json_is_string(entry)) {
            OMMA_TRY(split_merge(builder, i, json_string_value(entry), json_string_length(entry),
                                 &text, error));
        } else if (json_array_size(entry) == 2 && json_is_string(left) && json_is_string(right)) {
            text = (struct merge_text){json_string_value(left), json_string_value(right),
                                       json_string_length(left), json_string_length(right)};
        } else {
            return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s %zu: expected two tokens",
                             builder->form->merges_path, builder->form->merges_field, i);
        }
        OMMA_TRY(add_merge(builder, vocabulary, bpe, i, &text, error));
    }
    return OMMA_OK;
}

static size_t count_merges(const struct builder *builder)
{
    size_t n = 1;

    if (builder->form->merges_file == NULL) {
        return json_array_size(builder->form->merges);
    }
    for (size_t i = 0; i < builder->form->merges_file->n_bytes; i++) {
        n += builder->form->merges_file->bytes[i] == '\n';
    }
    return n;
}

enum omma_status omma_tokenizer_build(const struct omma_tokenizer_form *form,
                                      struct omma_vocabulary *vocabulary, struct omma_bpe *bpe,
                                      struct omma_error *error)
{
    struct builder builder = {.form = form};

    omma_byte_symbols_init(&builder.symbols);
    OMMA_TRY(build_vocabulary(&builder, vocabulary, error));
    OMMA_TRY(omma_bpe_init(bpe, count_merges(&builder), error));
    OMMA_TRY(set_byte_ids(&builder, vocabulary, bpe, error));
    return form->merges_file != NULL ? add_merge_lines(&builder, vocabulary, bpe, error)
                                     : add_merge_entries(&builder, vocabulary, bpe, error);
}
