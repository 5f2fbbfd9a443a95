/* One object of strings and integers out of JSON tokens. */
#include "model/language/vocab_file.h"

#include <stdlib.h>

/* The next token, which must be of this kind. */
static enum omma_status expect(struct omma_vocab_file *reader, enum omma_json_kind kind,
                               const char *expected, struct omma_json_token *token,
                               struct omma_error *error)
{
    enum { SHOWN_BYTES = 40 };

    *token = omma_json_pull_next(&reader->pull);
    if (token->kind == kind) {
        return OMMA_OK;
    }
    if (token->kind == OMMA_JSON_INVALID) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @%zu: %s", reader->file->path, token->at,
                         token->problem);
    }
    if (token->kind == OMMA_JSON_END) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @%zu: expected %s, found the end",
                         reader->file->path, token->at, expected);
    }
    return omma_fail(
        error, OMMA_STATUS_MODEL, "%s @%zu: expected %s, found %.*s", reader->file->path, token->at,
        expected, (int)(token->n_bytes < SHOWN_BYTES ? token->n_bytes : SHOWN_BYTES), token->text);
}

enum omma_status omma_vocab_file_begin(const struct omma_source_file *file,
                                       struct omma_vocab_file *reader, struct omma_error *error)
{
    struct omma_json_token token;

    *reader = (struct omma_vocab_file){.file = file,
                                       .pull = {.bytes = file->bytes, .n_bytes = file->n_bytes}};
    OMMA_TRY(expect(reader, OMMA_JSON_OBJECT_BEGIN, "an object", &token, error));
    reader->name = malloc(file->n_bytes);
    if (reader->name == NULL) {
        return omma_fail_memory(error, file->n_bytes, file->path);
    }
    return OMMA_OK;
}

void omma_vocab_file_end(struct omma_vocab_file *reader)
{
    free(reader->name);
    *reader = (struct omma_vocab_file){0};
}

static enum omma_status read_name(struct omma_vocab_file *reader,
                                  const struct omma_json_token *token, struct omma_vocab_pair *pair,
                                  struct omma_error *error)
{
    if (token->has_nul) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @%zu: expected a name without NUL",
                         reader->file->path, token->at);
    }
    pair->name = token->has_escapes ? reader->name : token->text;
    pair->n_name =
        token->has_escapes ? omma_json_token_unescape(token, reader->name) : token->n_bytes;
    return OMMA_OK;
}

enum omma_status omma_vocab_file_next(struct omma_vocab_file *reader, struct omma_vocab_pair *pair,
                                      bool *found, struct omma_error *error)
{
    struct omma_json_pull before = reader->pull;
    struct omma_json_token token = omma_json_pull_next(&reader->pull);

    *found = token.kind != OMMA_JSON_OBJECT_END || reader->has_more;
    if (!*found) {
        return expect(reader, OMMA_JSON_END, "nothing after the object", &token, error);
    }
    reader->pull = before;
    OMMA_TRY(expect(reader, OMMA_JSON_STRING, "a name in quotes", &token, error));
    OMMA_TRY(read_name(reader, &token, pair, error));
    OMMA_TRY(expect(reader, OMMA_JSON_COLON, "a colon", &token, error));
    OMMA_TRY(expect(reader, OMMA_JSON_NUMBER, "an id", &token, error));
    if (!omma_json_token_size(&token, &pair->id)) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s @%zu: \"%.*s\": expected an id from 0 on, found %.*s",
                         reader->file->path, token.at, (int)pair->n_name, pair->name,
                         (int)token.n_bytes, token.text);
    }
    before = reader->pull;
    token = omma_json_pull_next(&reader->pull);
    reader->has_more = token.kind == OMMA_JSON_COMMA;
    if (reader->has_more) {
        return OMMA_OK;
    }
    reader->pull = before;
    OMMA_TRY(
        expect(reader, OMMA_JSON_OBJECT_END, "a comma or the end of the object", &token, error));
    reader->pull = before;
    return OMMA_OK;
}
