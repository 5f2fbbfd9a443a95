/* Files, JSON and the list of added tokens, for the tokenizer's reader. */
#include "model/language/tokenizer_source.h"

#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

enum { MAX_FILE_BYTES = 64 << 20, MAX_ADDED_TOKENS = 4096 };

enum omma_status omma_source_file_read(const char *dir, const char *name,
                                       struct omma_source_file *file, struct omma_error *error)
{
    *file = (struct omma_source_file){.path = omma_file_join(dir, name)};
    if (file->path == NULL) {
        return omma_fail_memory(error, strlen(dir), "a path");
    }
    return omma_file_exists(file->path)
               ? omma_file_read(file->path, MAX_FILE_BYTES, &file->bytes, &file->n_bytes, error)
               : OMMA_OK;
}

void omma_source_file_free(struct omma_source_file *file)
{
    free(file->path);
    free(file->bytes);
    *file = (struct omma_source_file){0};
}

const char *omma_json_word(const json_t *value)
{
    if (value == NULL) {
        return "nothing";
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return json_string_value(value);
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "?";
}

void omma_added_tokens_free(struct omma_added_tokens *added)
{
    for (size_t i = 0; i < added->n_tokens; i++) {
        free(added->tokens[i].name);
    }
    free(added->tokens);
    *added = (struct omma_added_tokens){0};
}

enum omma_status omma_added_tokens_put(struct omma_added_tokens *added, const char *path,
                                       const char *field, const char *name, json_int_t id,
                                       struct omma_error *error)
{
    struct omma_added_token *grown;

    if (id < 0 || id > INT32_MAX) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: %s: \"%.100s\": expected an id from 0 on, found %jd", path, field,
                         name, (intmax_t)id);
    }
    if (*name == '\0') {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s: id %jd: expected a name, found none",
                         path, field, (intmax_t)id);
    }
    for (size_t i = 0; i < added->n_tokens; i++) {
        const struct omma_added_token *other = &added->tokens[i];
        bool same_name = strcmp(other->name, name) == 0;

        if (same_name && other->id == id) {
            return OMMA_OK;
        }
        if (same_name) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %s: \"%.100s\": expected id %d as elsewhere, found %jd", path,
                             field, name, other->id, (intmax_t)id);
        }
        if (other->id == id) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %s: id %jd: expected \"%.100s\" as elsewhere, found \"%.100s\"",
                             path, field, (intmax_t)id, other->name, name);
        }
    }
    if (added->n_tokens == MAX_ADDED_TOKENS) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s: expected at most %d added tokens", path,
                         field, MAX_ADDED_TOKENS);
    }
    grown = realloc(added->tokens, (added->n_tokens + 1) * sizeof *grown);
    if (grown == NULL) {
        return omma_fail_memory(error, (added->n_tokens + 1) * sizeof *grown, "added tokens");
    }
    added->tokens = grown;
    grown += added->n_tokens;
    *grown = (struct omma_added_token){strdup(name), (int32_t)id};
    if (grown->name == NULL) {
        return omma_fail_memory(error, strlen(name), "added tokens");
    }
    added->n_tokens++;
    return OMMA_OK;
}

enum omma_status omma_added_token_check(const char *path, const char *field,
                                        const json_t *description, const char **name,
                                        struct omma_error *error)
{
    static const char *const flags[] = {"lstrip", "rstrip", "single_word"};
    const char *content = json_string_value(json_object_get(description, "content"));

    if (content == NULL) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s: content: expected a string, found %s",
                         path, field, omma_json_word(json_object_get(description, "content")));
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const json_t *flag = json_object_get(description, flags[i]);

        if (flag != NULL && !json_is_false(flag)) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %s: \"%.100s\": %s: expected false, found %s", path, field,
                             content, flags[i], omma_json_word(flag));
        }
    }
    *name = content;
    return OMMA_OK;
}
