/* jansson with its failures collected. */
#include "tools/json_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/utf8.h"

struct json_out json_out_object(void)
{
    struct json_out out = {.value = json_object()};

    out.is_complete = out.value != NULL;
    return out;
}

void json_out_set(struct json_out *out, const char *key, json_t *value)
{
    if (json_object_set_new(out->value, key, value) != 0) {
        out->is_complete = false;
    }
}

json_t *json_out_text(const char *bytes, size_t n_bytes)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    json_t *value = json_stringn(bytes, n_bytes);
    char *text;
    size_t n = 0;

    if (value != NULL) {
        return value;
    }
    text = malloc(3 * n_bytes + 1);
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n_bytes;) {
        size_t n_character = utf8_character(bytes + i, n_bytes - i, NULL);

        if (n_character == 0) {
            memcpy(text + n, replacement, 3);
            n += 3;
            i++;
        } else {
            memcpy(text + n, bytes + i, n_character);
            n += n_character;
            i += n_character;
        }
    }
    value = json_stringn(text, n);
    free(text);
    return value;
}

json_t *json_out_string(const char *text)
{
    return json_out_text(text, strlen(text));
}

json_t *json_out_ids(const int32_t *ids, size_t n_ids)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n_ids; i++) {
        if (json_array_append_new(array, json_integer(ids[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

enum omma_status json_out_write(struct json_out *out, FILE *stream, bool is_line,
                                struct omma_error *error)
{
    size_t flags = JSON_REAL_PRECISION(9) | (is_line ? 0 : JSON_INDENT(2));
    char *text = out->is_complete ? json_dumps(out->value, flags) : NULL;
    enum omma_status status = OMMA_OK;

    json_decref(out->value);
    out->value = NULL;
    if (text == NULL) {
        return fail_memory(error);
    }
    errno = 0;
    if (fputs(text, stream) == EOF || fputc('\n', stream) == EOF) {
        status = fail(error, OMMA_STATUS_OUTPUT, "%s: %s",
                      stream == stdout ? "standard output" : "the output file", strerror(errno));
    }
    free(text);
    return status;
}
