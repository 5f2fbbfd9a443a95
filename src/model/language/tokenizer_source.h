/*
 * tokenizer_source.h - what the parts of the tokenizer's reader share: files, JSON, added tokens.
 */
#ifndef OMMA_LANGUAGE_TOKENIZER_SOURCE_H
#define OMMA_LANGUAGE_TOKENIZER_SOURCE_H

#include <jansson.h>

#include "base/status.h"

/* A file's whole content. */
struct omma_source_file {
    char *path;
    char *bytes; /* NULL: there is no such file */
    size_t n_bytes;
};

/* Read DIR/NAME of at most 64 MB; a missing file is no error. */
enum omma_status omma_source_file_read(const char *dir, const char *name,
                                       struct omma_source_file *file, struct omma_error *error);
void omma_source_file_free(struct omma_source_file *file);

struct omma_added_token {
    char *name;
    int32_t id;
};

/* Added tokens, each once. */
struct omma_added_tokens {
    struct omma_added_token *tokens;
    size_t n_tokens;
};

void omma_added_tokens_free(struct omma_added_tokens *added);

/* Add one that path's field names; the same again is ignored, a clash of names or ids refused. */
enum omma_status omma_added_tokens_put(struct omma_added_tokens *added, const char *path,
                                       const char *field, const char *name, json_int_t id,
                                       struct omma_error *error);

/* A description as in added_tokens_decoder or tokenizer.json: "content" and the flags, of which
 * lstrip, rstrip and single_word must be false.  *name is the content, owned by description. */
enum omma_status omma_added_token_check(const char *path, const char *field,
                                        const json_t *description, const char **name,
                                        struct omma_error *error);

/* tokenizer_config.json, parsed: refuse what would tokenize otherwise than we do, collect the added
 * tokens. */
enum omma_status omma_tokenizer_config_check(const char *path, const json_t *config,
                                             struct omma_added_tokens *added,
                                             struct omma_error *error);

/* Refuse a chat template that is not of the form <|im_start|>ROLE ... <|im_end|>. */
enum omma_status omma_chat_template_check(const char *path, const char *text, size_t n_bytes,
                                          struct omma_error *error);

/* tokenizer.json, parsed: refuse every step but Qwen2's, collect the added tokens.  *vocab and
 * *merges are owned by root. */
enum omma_status omma_tokenizer_json_check(const char *path, const json_t *root, json_t **vocab,
                                           json_t **merges, struct omma_added_tokens *added,
                                           struct omma_error *error);

/* The type of a JSON value, and its text if it is a string, for "found ..." in messages. */
const char *omma_json_word(const json_t *value);

#endif
