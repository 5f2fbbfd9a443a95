/*
 * json_pull.h - JSON token by token, over bytes that stay where they are.
 *
 * For the headers of safetensors files, where jansson (format/json.h) will not do: a header may
 * hold 10^6 entries and has to be read in linear time with memory in proportion, each message needs
 * the offset of the byte at fault, and of a repeated key both offsets.  Nothing is allocated and
 * nothing recurses, so nesting costs nothing.
 */
#ifndef OMMA_FORMAT_JSON_PULL_H
#define OMMA_FORMAT_JSON_PULL_H

#include <stdbool.h>
#include <stddef.h>

enum omma_json_kind {
    OMMA_JSON_OBJECT_BEGIN,
    OMMA_JSON_OBJECT_END,
    OMMA_JSON_ARRAY_BEGIN,
    OMMA_JSON_ARRAY_END,
    OMMA_JSON_COLON,
    OMMA_JSON_COMMA,
    OMMA_JSON_STRING,
    OMMA_JSON_NUMBER,
    OMMA_JSON_WORD, /* true, false, null */
    OMMA_JSON_END,
    OMMA_JSON_INVALID,
};

struct omma_json_token {
    enum omma_json_kind kind;
    size_t at;        /* offset of its first byte */
    const char *text; /* as it stands in the bytes; of a string without the quotes */
    size_t n_bytes;
    bool has_escapes, has_nul; /* of a string; the latter for \u0000 */
    const char *problem;       /* of OMMA_JSON_INVALID: "expected X, found Y" */
};

struct omma_json_pull {
    const char *bytes;
    size_t n_bytes;
    size_t at; /* of the next byte to read */
};

/* The next token, white space skipped.  Strings are checked: UTF-8, escapes, no lone surrogate. */
struct omma_json_token omma_json_pull_next(struct omma_json_pull *pull);

/* Write what a string stands for to out, which has room for n_bytes of it and may be the text
 * itself; returns how many. */
size_t omma_json_token_unescape(const struct omma_json_token *token, char *out);

/* Whether a string without escapes is this word. */
bool omma_json_token_is(const struct omma_json_token *token, const char *word);

/* The value of a number written as a plain non-negative integer; false for any other or a larger
 * one. */
bool omma_json_token_size(const struct omma_json_token *token, size_t *value);

#endif
