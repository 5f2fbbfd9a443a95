/* Constants of a schema as JSON texts, and lengths of strings, which choose among them too. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/schema/schema_reader.h"

/* JSON of a value, with the fewest digits that give a number back. */
static char *text_of(const json_t *value)
{
    size_t flags = JSON_ENCODE_ANY | JSON_COMPACT;

    for (size_t digits = 15; json_is_real(value) && digits < 17; digits++) {
        char *text = json_dumps(value, flags | JSON_REAL_PRECISION(digits));

        if (text == NULL || strtod(text, NULL) == json_real_value(value)) {
            return text;
        }
        free(text);
    }
    return json_dumps(value, flags | JSON_REAL_PRECISION(17));
}

enum omma_status omma_schema_text(struct omma_schema_reader *reader, const json_t *value,
                                  struct omma_value_text *text)
{
    char *dumped = text_of(value);

    if (dumped != NULL) {
        text->n_bytes = strlen(dumped);
        text->bytes = omma_arena_copy_text(&reader->tree->arena, dumped, text->n_bytes);
        free(dumped);
    }
    return dumped != NULL && text->bytes != NULL
               ? OMMA_OK
               : omma_fail_memory(reader->error, text->n_bytes, "a schema");
}

static bool is_of_type(const json_t *value, const char *type)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return strcmp(type, "object") == 0;
    case JSON_ARRAY:
        return strcmp(type, "array") == 0;
    case JSON_STRING:
        return strcmp(type, "string") == 0;
    case JSON_INTEGER:
        return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:
        return strcmp(type, "number") == 0 ||
               (strcmp(type, "integer") == 0 &&
                json_real_value(value) == floor(json_real_value(value)));
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(type, "boolean") == 0;
    default:
        return strcmp(type, "null") == 0;
    }
}

/* Whether the type, which is a word or a list of words or absent, allows the value. */
static bool has_type(const json_t *types, const json_t *value)
{
    size_t n = json_is_array(types) ? json_array_size(types) : 1;
    bool is_good = types == NULL;

    for (size_t i = 0; i < n && !is_good; i++) {
        const char *type =
            json_string_value(json_is_array(types) ? json_array_get(types, i) : types);

        is_good = type != NULL && is_of_type(value, type);
    }
    return is_good;
}

static size_t count_characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

static enum omma_status read_length(struct omma_schema_reader *reader, const json_t *schema,
                                    const char *keyword, uint32_t *length)
{
    const json_t *value = json_object_get(schema, keyword);
    json_int_t n = json_integer_value(value);

    if (value == NULL) {
        return OMMA_OK;
    }
    if (!json_is_integer(value) || n < 0) {
        return omma_schema_refuse(reader, keyword, "expected a whole number from 0 on");
    }
    *length = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    return OMMA_OK;
}

enum omma_status omma_schema_read_lengths(struct omma_schema_reader *reader, const json_t *schema,
                                          uint32_t *least, uint32_t *most)
{
    *least = 0;
    *most = UINT32_MAX;
    OMMA_TRY(read_length(reader, schema, "minLength", least));
    OMMA_TRY(read_length(reader, schema, "maxLength", most));
    return *least <= *most ? OMMA_OK
                           : omma_schema_refuse(reader, "minLength", "it is more than maxLength");
}

/* Two constants may be equal as JSON and so be listed once only. */
static bool is_listed(const struct omma_value *value, const struct omma_value_text *text)
{
    for (size_t i = 0; i < value->n_items; i++) {
        if (value->texts[i].n_bytes == text->n_bytes &&
            memcmp(value->texts[i].bytes, text->bytes, text->n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

enum omma_status omma_schema_read_constants(struct omma_schema_reader *reader, const json_t *schema,
                                            uint32_t *index)
{
    const json_t *constant = json_object_get(schema, "const");
    const json_t *list = json_object_get(schema, "enum"), *types = json_object_get(schema, "type");
    const char *keyword = constant != NULL ? "const" : "enum";
    size_t n = constant != NULL ? 1 : json_array_size(list);
    struct omma_value value = {.kind = OMMA_VALUE_TEXTS};
    struct omma_value_text *texts;
    uint32_t least, most;

    OMMA_TRY(omma_schema_read_lengths(reader, schema, &least, &most));
    if (constant != NULL && list != NULL) {
        return omma_schema_refuse(reader, "enum", "not supported beside const");
    }
    if (constant == NULL && !json_is_array(list)) {
        return omma_schema_refuse(reader, "enum", "expected an array");
    }
    if (n > OMMA_SCHEMA_MAX_VALUES) {
        return omma_schema_refuse(reader, "enum", "more values than are supported");
    }
    value.texts = texts = omma_arena_take(&reader->tree->arena, n + 1, sizeof *texts);
    if (texts == NULL) {
        return omma_fail_memory(reader->error, n * sizeof *texts, "a schema");
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *one = constant != NULL ? constant : json_array_get(list, i);
        struct omma_value_text text = {0};

        if (!has_type(types, one) ||
            (json_is_string(one) && (count_characters(json_string_value(one)) < least ||
                                     count_characters(json_string_value(one)) > most))) {
            continue;
        }
        OMMA_TRY(omma_schema_text(reader, one, &text));
        if (!is_listed(&value, &text)) {
            texts[value.n_items++] = text;
        }
    }
    if (value.n_items == 0) {
        return omma_schema_refuse(reader, keyword, "no value fits");
    }
    return omma_value_tree_add(reader->tree, value, index, reader->error);
}
