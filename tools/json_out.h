/*
 * json_out.h - JSON for the outside: jansson, with memory and writing checked once, at the end.
 *
 * Building goes on when memory lacks; json_out_write() tells it then, once for all members.
 */
#ifndef OMMA_TOOLS_JSON_OUT_H
#define OMMA_TOOLS_JSON_OUT_H

#include <jansson.h>
#include <stdio.h>

#include "tools/status.h"

/* A value under construction; is_complete becomes false when memory lacks. */
struct json_out {
    json_t *value;
    bool is_complete;
};

/* Start with an object; json_out_write() ends it. */
struct json_out json_out_object(void);

/* Take ownership of value as member key. */
void json_out_set(struct json_out *out, const char *key, json_t *value);

/* Text as a JSON string; bytes that are no UTF-8 (file names may have some) become U+FFFD. */
json_t *json_out_text(const char *bytes, size_t n_bytes);
json_t *json_out_string(const char *text);
json_t *json_out_ids(const int32_t *ids, size_t n_ids);

/* Write to stream and release; is_line: on one line, else indented. */
enum omma_status json_out_write(struct json_out *out, FILE *stream, bool is_line,
                                struct omma_error *error);

#endif
