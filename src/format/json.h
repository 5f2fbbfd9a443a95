/*
 * json.h - JSON documents of a model folder (config.json and its like), over jansson: read whole,
 * and asked for values of a type and range, with messages that name file and field.
 */
#ifndef OMMA_FORMAT_JSON_H
#define OMMA_FORMAT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { OMMA_JSON_MAX_BYTES = 16 * 1024 * 1024 };

/* Parse a document whose root is an object; name stands for the path in messages.  Refused, with
 * the offset: a byte-order mark, repeated keys, numbers out of range, NUL, anything behind the end.
 * *root is released with json_decref(). */
enum omma_status omma_json_parse(const char *name, const char *bytes, size_t n_bytes, json_t **root,
                                 struct omma_error *error);

/* The same from a file of at most OMMA_JSON_MAX_BYTES. */
enum omma_status omma_json_read(const char *path, json_t **root, struct omma_error *error);

/* An object of a document, and where it stands. */
struct omma_json_object {
    const json_t *object;
    const char *file;   /* for messages */
    const char *prefix; /* of its keys' names in messages: "", "vision_config." */
};

/* Whether a key may be absent; null counts as absent.  An optional value that is absent leaves
 * *value, the default, as it is. */
enum omma_json_need { OMMA_JSON_REQUIRED, OMMA_JSON_OPTIONAL };

/* "file: field: expected X, found Y", Y being what stands there.  OMMA_STATUS_MODEL. */
enum omma_status omma_json_fail(const struct omma_json_object *from, const char *key,
                                const char *expected, struct omma_error *error);

/* The value under a key; NULL for none and for null. */
const json_t *omma_json_value(const struct omma_json_object *from, const char *key);

enum omma_status omma_json_size(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, size_t low, size_t high, size_t *value,
                                struct omma_error *error);
enum omma_status omma_json_real(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, double low, double high, double *value,
                                struct omma_error *error);
enum omma_status omma_json_bool(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, bool *value, struct omma_error *error);

/* *text belongs to the document. */
enum omma_status omma_json_text(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, const char **text,
                                struct omma_error *error);

/* An object under a key; prefix is its own in messages. */
enum omma_status omma_json_child(const struct omma_json_object *from, const char *key,
                                 const char *prefix, struct omma_json_object *child,
                                 struct omma_error *error);

/* Refuse any value but this one (absent and null are fine). */
enum omma_status omma_json_expect_bool(const struct omma_json_object *from, const char *key,
                                       bool expected, struct omma_error *error);
enum omma_status omma_json_expect_text(const struct omma_json_object *from, const char *key,
                                       const char *expected, struct omma_error *error);

#endif
