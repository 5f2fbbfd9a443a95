/*
 * jansson does the parsing; this adds the limits, the checks of type and range, and the messages.
 * Values are refused, never clamped or converted: a count written as 24.0 is not a count.
 */
#include "format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

enum omma_status omma_json_parse(const char *name, const char *bytes, size_t n_bytes, json_t **root,
                                 struct omma_error *error)
{
    json_error_t problem;
    json_t *parsed;

    if (n_bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @0: expected '{', found a byte-order mark",
                         name);
    }
    parsed = json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES, &problem);
    if (parsed == NULL) {
        return omma_fail(error,
                         json_error_code(&problem) == json_error_out_of_memory
                             ? OMMA_STATUS_RESOURCES
                             : OMMA_STATUS_MODEL,
                         "%s @%d: line %d: expected JSON, found: %s", name, problem.position,
                         problem.line, problem.text);
    }
    if (!json_is_object(parsed)) {
        json_decref(parsed);
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @0: expected an object, found another value",
                         name);
    }
    *root = parsed;
    return OMMA_OK;
}

enum omma_status omma_json_read(const char *path, json_t **root, struct omma_error *error)
{
    enum omma_status status;
    char *bytes;
    size_t n_bytes;

    OMMA_TRY(omma_file_read(path, OMMA_JSON_MAX_BYTES, &bytes, &n_bytes, error));
    status = omma_json_parse(path, bytes, n_bytes, root, error);
    free(bytes);
    return status;
}

enum omma_status omma_json_fail(const struct omma_json_object *from, const char *key,
                                const char *expected, struct omma_error *error)
{
    const json_t *value = json_object_get(from->object, key);
    char *found = value != NULL
                      ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII)
                      : NULL;
    enum omma_status status =
        omma_fail(error, OMMA_STATUS_MODEL, "%s: %s%s: expected %s, found %.80s%s", from->file,
                  from->prefix, key, expected, found != NULL ? found : "nothing",
                  found != NULL && strlen(found) > 80 ? "..." : "");

    free(found);
    return status;
}

const json_t *omma_json_value(const struct omma_json_object *from, const char *key)
{
    const json_t *value = json_object_get(from->object, key);

    return json_is_null(value) ? NULL : value;
}

enum omma_status omma_json_size(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, size_t low, size_t high, size_t *value,
                                struct omma_error *error)
{
    const json_t *found = omma_json_value(from, key);
    json_int_t number = json_integer_value(found);
    char expected[80];

    if (found == NULL && need == OMMA_JSON_OPTIONAL) {
        return OMMA_OK;
    }
    if (!json_is_integer(found) || number < 0 || (size_t)number < low || (size_t)number > high) {
        snprintf(expected, sizeof expected, "an integer from %zu to %zu", low, high);
        return omma_json_fail(from, key, expected, error);
    }
    *value = (size_t)number;
    return OMMA_OK;
}

enum omma_status omma_json_real(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, double low, double high, double *value,
                                struct omma_error *error)
{
    const json_t *found = omma_json_value(from, key);
    double number = json_number_value(found);
    char expected[80];

    if (found == NULL && need == OMMA_JSON_OPTIONAL) {
        return OMMA_OK;
    }
    if (!json_is_number(found) || !(number >= low && number <= high)) {
        snprintf(expected, sizeof expected, "a number from %g to %g", low, high);
        return omma_json_fail(from, key, expected, error);
    }
    *value = number;
    return OMMA_OK;
}

enum omma_status omma_json_bool(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, bool *value, struct omma_error *error)
{
    const json_t *found = omma_json_value(from, key);

    if (found == NULL && need == OMMA_JSON_OPTIONAL) {
        return OMMA_OK;
    }
    if (!json_is_boolean(found)) {
        return omma_json_fail(from, key, "true or false", error);
    }
    *value = json_is_true(found);
    return OMMA_OK;
}

enum omma_status omma_json_text(const struct omma_json_object *from, const char *key,
                                enum omma_json_need need, const char **text,
                                struct omma_error *error)
{
    const json_t *found = omma_json_value(from, key);

    if (found == NULL && need == OMMA_JSON_OPTIONAL) {
        return OMMA_OK;
    }
    if (!json_is_string(found)) {
        return omma_json_fail(from, key, "a text", error);
    }
    *text = json_string_value(found);
    return OMMA_OK;
}

enum omma_status omma_json_child(const struct omma_json_object *from, const char *key,
                                 const char *prefix, struct omma_json_object *child,
                                 struct omma_error *error)
{
    const json_t *found = omma_json_value(from, key);

    if (!json_is_object(found)) {
        return omma_json_fail(from, key, "an object", error);
    }
    *child = (struct omma_json_object){.object = found, .file = from->file, .prefix = prefix};
    return OMMA_OK;
}

enum omma_status omma_json_expect_bool(const struct omma_json_object *from, const char *key,
                                       bool expected, struct omma_error *error)
{
    bool value = expected;

    OMMA_TRY(omma_json_bool(from, key, OMMA_JSON_OPTIONAL, &value, error));
    return value == expected ? OMMA_OK
                             : omma_json_fail(from, key, expected ? "true" : "false", error);
}

enum omma_status omma_json_expect_text(const struct omma_json_object *from, const char *key,
                                       const char *expected, struct omma_error *error)
{
    const char *value = expected;
    char quoted[80];

    OMMA_TRY(omma_json_text(from, key, OMMA_JSON_OPTIONAL, &value, error));
    if (strcmp(value, expected) == 0) {
        return OMMA_OK;
    }
    snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    return omma_json_fail(from, key, quoted, error);
}
