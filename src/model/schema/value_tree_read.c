/*
 * JSON Schema (2020-12) to sets of values.
 *
 * Keywords are of three kinds: those that say something of values and are held to, those that say
 * nothing of them (titles, defaults, definitions), and all others, which are refused.  Where a
 * schema leaves open what may come, the tree may allow less, never more: declared properties come
 * in their order and no others beside them, texts of constants are written in one way.
 *
 * A schema that is referred to from several places is one value, so that recursion ends.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "model/schema/schema_reader.h"

enum { MAX_NESTING = 200 };

/* An array or object of any values is made of itself: their indices are fixed. */
enum { ANY, ANY_OBJECT, ANY_ARRAY, ANY_STRING, ANY_NUMBER, ANY_WORD, N_FIXED };

static enum omma_status read_schema(struct omma_schema_reader *reader, const json_t *schema,
                                    uint32_t *value);

enum omma_status omma_schema_refuse(const struct omma_schema_reader *reader, const char *keyword,
                                    const char *why)
{
    return omma_fail(reader->error, OMMA_STATUS_USAGE, "schema: %s%s%s: %s", reader->pointer,
                     *keyword != '\0' ? "/" : "", keyword, why);
}

static enum omma_status fail_memory(const struct omma_schema_reader *reader, size_t n_bytes)
{
    return omma_fail_memory(reader->error, n_bytes, "a schema");
}

static enum omma_status add(struct omma_schema_reader *reader, struct omma_value value,
                            uint32_t *index)
{
    return omma_value_tree_add(reader->tree, value, index, reader->error);
}

static void *take(struct omma_schema_reader *reader, size_t n_items, size_t item_bytes)
{
    return omma_arena_take(&reader->tree->arena, n_items + 1, item_bytes);
}

/* ----------------------------------------------------------------------------------------------
 * Places
 * ------------------------------------------------------------------------------------------- */

/* Append "/name" as JSON pointers are written; returns the length to go back to. */
static size_t enter(struct omma_schema_reader *reader, const char *name)
{
    size_t before = strlen(reader->pointer), at = before;

    if (at + 1 < OMMA_SCHEMA_MAX_POINTER) {
        reader->pointer[at++] = '/';
    }
    for (; *name != '\0' && at + 3 < OMMA_SCHEMA_MAX_POINTER; name++) {
        if (*name == '~' || *name == '/') {
            reader->pointer[at++] = '~';
            reader->pointer[at++] = *name == '~' ? '0' : '1';
        } else {
            reader->pointer[at++] = *name;
        }
    }
    reader->pointer[at] = '\0';
    return before;
}

static enum omma_status read_at(struct omma_schema_reader *reader, const char *keyword,
                                const char *name, const json_t *schema, uint32_t *value)
{
    size_t before = enter(reader, keyword);
    enum omma_status status;

    if (name != NULL) {
        enter(reader, name);
    }
    status = read_schema(reader, schema, value);
    reader->pointer[before] = '\0';
    return status;
}

/* One step of a reference, percent-encoding and ~ undone in place. */
static void decode_step(char *step)
{
    char *to = step;

    for (const char *from = step; *from != '\0'; from++) {
        unsigned byte;

        if (from[0] == '%' && isxdigit((unsigned char)from[1]) &&
            isxdigit((unsigned char)from[2]) && sscanf(from + 1, "%2x", &byte) == 1 && byte != 0) {
            *to++ = (char)byte;
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    to = step;
    for (const char *from = step; *from != '\0'; from++) {
        if (from[0] == '~' && (from[1] == '0' || from[1] == '1')) {
            *to++ = from[1] == '0' ? '~' : '/';
            from++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static const json_t *child_of(const json_t *parent, const char *step)
{
    char *end;
    unsigned long index;

    if (json_is_object(parent)) {
        return json_object_get(parent, step);
    }
    index = strtoul(step, &end, 10);
    return isdigit((unsigned char)*step) && *end == '\0' ? json_array_get(parent, index) : NULL;
}

static enum omma_status read_reference(struct omma_schema_reader *reader, const json_t *schema,
                                       uint32_t *value)
{
    const char *target = json_string_value(json_object_get(schema, "$ref"));
    const json_t *found = reader->document;
    char before[OMMA_SCHEMA_MAX_POINTER], *copy, *rest, *step;
    enum omma_status status;

    if (target == NULL || target[0] != '#' || (target[1] != '\0' && target[1] != '/')) {
        return omma_schema_refuse(reader, "$ref",
                                  "expected a reference within the schema, \"#/...\"");
    }
    copy = omma_arena_copy_text(&reader->tree->arena, target, strlen(target));
    if (copy == NULL) {
        return fail_memory(reader, strlen(target));
    }
    rest = copy + 1;
    while (found != NULL && *rest == '/') {
        step = ++rest;
        rest += strcspn(rest, "/");
        if (*rest == '/') {
            *rest = '\0';
            decode_step(step);
            found = child_of(found, step);
            *rest = '/';
        } else {
            decode_step(step);
            found = child_of(found, step);
        }
    }
    if (found == NULL) {
        return omma_schema_refuse(reader, "$ref", "there is nothing at the place that it names");
    }
    memcpy(before, reader->pointer, sizeof before);
    snprintf(reader->pointer, sizeof reader->pointer, "%s", target);
    status = read_schema(reader, found, value);
    memcpy(reader->pointer, before, sizeof before);
    return status;
}

/* ----------------------------------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------------------------------- */

static bool is_required(const json_t *required, const char *name)
{
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *one = json_string_value(json_array_get(required, i));

        if (one != NULL && strcmp(one, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum omma_status check_object(struct omma_schema_reader *reader, const json_t *properties,
                                     const json_t *required, const json_t *others)
{
    if (properties != NULL && !json_is_object(properties)) {
        return omma_schema_refuse(reader, "properties", "expected an object");
    }
    if (required != NULL && !json_is_array(required)) {
        return omma_schema_refuse(reader, "required", "expected an array of names");
    }
    if (json_array_size(required) > json_object_size(properties)) {
        return omma_schema_refuse(reader, "required",
                                  "expected names out of properties only, each once");
    }
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));

        if (name == NULL) {
            return omma_schema_refuse(reader, "required", "expected an array of names");
        }
        if (json_object_get(properties, name) == NULL) {
            return omma_schema_refuse(reader, "required",
                                      "expected names out of properties only, each once");
        }
    }
    if (others != NULL && !json_is_boolean(others) && !json_is_object(others)) {
        return omma_schema_refuse(reader, "additionalProperties", "expected a schema");
    }
    if (json_object_size(properties) > 0 && json_is_object(others) &&
        json_object_size(others) > 0) {
        return omma_schema_refuse(reader, "additionalProperties",
                                  "not supported beside properties, but for "
                                  "true and false");
    }
    return OMMA_OK;
}

/* Values that may have their own index among what they are made of: index is of one added already,
 * which is moved by what is read meanwhile. */
static enum omma_status read_object(struct omma_schema_reader *reader, const json_t *schema,
                                    uint32_t index)
{
    json_t *properties = json_object_get(schema, "properties"), *one;
    const json_t *required = json_object_get(schema, "required");
    const json_t *others = json_object_get(schema, "additionalProperties");
    struct omma_value value = {.kind = OMMA_VALUE_OBJECT, .nests = true, .item = ANY};
    const char *name;

    OMMA_TRY(check_object(reader, properties, required, others));
    if (json_object_size(properties) == 0 && !json_is_false(others)) {
        value.kind = OMMA_VALUE_MAP;
        if (json_is_object(others)) {
            OMMA_TRY(read_at(reader, "additionalProperties", NULL, others, &value.item));
        }
        reader->tree->values[index] = value;
        return OMMA_OK;
    }
    value.properties = take(reader, json_object_size(properties), sizeof *value.properties);
    if (value.properties == NULL) {
        return fail_memory(reader, json_object_size(properties) * sizeof *value.properties);
    }
    json_object_foreach(properties, name, one)
    {
        struct omma_value_property *property = &value.properties[value.n_items++];
        struct omma_value_text text = {0};
        json_t *string = json_string(name);
        enum omma_status status = string != NULL ? omma_schema_text(reader, string, &text)
                                                 : fail_memory(reader, strlen(name));

        json_decref(string);
        OMMA_TRY(status);
        property->name = text.bytes;
        property->n_name = text.n_bytes;
        property->is_required = is_required(required, name);
        OMMA_TRY(read_at(reader, "properties", name, one, &property->value));
    }
    reader->tree->values[index] = value;
    return OMMA_OK;
}

static enum omma_status read_array(struct omma_schema_reader *reader, const json_t *schema,
                                   uint32_t index)
{
    const json_t *items = json_object_get(schema, "items");
    struct omma_value value = {.kind = OMMA_VALUE_ARRAY, .nests = true, .item = ANY};

    if (items != NULL) {
        OMMA_TRY(read_at(reader, "items", NULL, items, &value.item));
    }
    reader->tree->values[index] = value;
    return OMMA_OK;
}

/* Only what a type gives is known by its name here; index as in read_object(). */
static enum omma_status read_type(struct omma_schema_reader *reader, const json_t *schema,
                                  const char *type, uint32_t index)
{
    struct omma_value *value = &reader->tree->values[index];

    if (strcmp(type, "object") == 0) {
        return read_object(reader, schema, index);
    }
    if (strcmp(type, "array") == 0) {
        return read_array(reader, schema, index);
    }
    if (strcmp(type, "string") == 0) {
        value->kind = OMMA_VALUE_STRING;
        return omma_schema_read_lengths(reader, schema, &value->min_chars, &value->max_chars);
    }
    if (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0) {
        value->kind = *type == 'n' ? OMMA_VALUE_NUMBER : OMMA_VALUE_INTEGER;
        return OMMA_OK;
    }
    if (strcmp(type, "boolean") == 0 || strcmp(type, "null") == 0) {
        static const struct omma_value_text words[] = {{"true", 4}, {"false", 5}, {"null", 4}};

        value->kind = OMMA_VALUE_TEXTS;
        value->texts = *type == 'b' ? words : words + 2;
        value->n_items = *type == 'b' ? 2 : 1;
        return OMMA_OK;
    }
    return omma_schema_refuse(reader, "type",
                              "expected object, array, string, number, integer, boolean or null");
}

/* The type that a schema means which does not say it. */
static const char *implied_type(const json_t *schema)
{
    static const char *const implied[][2] = {
        {"properties", "object"}, {"required", "object"},  {"additionalProperties", "object"},
        {"items", "array"},       {"minLength", "string"}, {"maxLength", "string"}};

    for (size_t i = 0; i < sizeof implied / sizeof *implied; i++) {
        if (json_object_get(schema, implied[i][0]) != NULL) {
            return implied[i][1];
        }
    }
    return NULL;
}

static enum omma_status read_types(struct omma_schema_reader *reader, const json_t *schema,
                                   uint32_t index)
{
    const json_t *types = json_object_get(schema, "type");
    size_t n = json_array_size(types);
    uint32_t *alternatives;

    if (types == NULL || json_is_string(types)) {
        const char *type = types != NULL ? json_string_value(types) : implied_type(schema);

        return read_type(reader, schema, type, index);
    }
    if (!json_is_array(types) || n == 0 || n > 7) {
        return omma_schema_refuse(reader, "type", "expected a type or an array of types");
    }
    alternatives = take(reader, n, sizeof *alternatives);
    if (alternatives == NULL) {
        return fail_memory(reader, n * sizeof *alternatives);
    }
    for (size_t i = 0; i < n; i++) {
        const char *type = json_string_value(json_array_get(types, i));

        OMMA_TRY(add(reader, (struct omma_value){0}, &alternatives[i]));
        reader->sources[alternatives[i]] = NULL;
        reader->pointers[alternatives[i]] = reader->pointers[index];
        OMMA_TRY(read_type(reader, schema, type != NULL ? type : "", alternatives[i]));
    }
    reader->tree->values[index] =
        (struct omma_value){.kind = OMMA_VALUE_UNION, .alternatives = alternatives, .n_items = n};
    return OMMA_OK;
}

static enum omma_status read_any_of(struct omma_schema_reader *reader, const json_t *schema,
                                    uint32_t index)
{
    const json_t *list = json_object_get(schema, "anyOf");
    size_t n = json_array_size(list);
    uint32_t *alternatives = take(reader, n, sizeof *alternatives);

    if (n == 0) {
        return omma_schema_refuse(reader, "anyOf", "expected an array of schemas");
    }
    if (alternatives == NULL) {
        return fail_memory(reader, n * sizeof *alternatives);
    }
    for (size_t i = 0; i < n; i++) {
        char name[24];

        snprintf(name, sizeof name, "%zu", i);
        OMMA_TRY(read_at(reader, "anyOf", name, json_array_get(list, i), &alternatives[i]));
    }
    reader->tree->values[index] =
        (struct omma_value){.kind = OMMA_VALUE_UNION, .alternatives = alternatives, .n_items = n};
    return OMMA_OK;
}

/* ----------------------------------------------------------------------------------------------
 * Schemas
 * ------------------------------------------------------------------------------------------- */

enum form { FORM_ANY, FORM_REFERENCE, FORM_ANY_OF, FORM_CONSTANTS, FORM_TYPES };

static bool is_among(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static enum form form_of(const json_t *schema)
{
    return json_object_get(schema, "$ref") != NULL    ? FORM_REFERENCE
           : json_object_get(schema, "anyOf") != NULL ? FORM_ANY_OF
           : json_object_get(schema, "enum") != NULL || json_object_get(schema, "const") != NULL
               ? FORM_CONSTANTS
           : json_object_get(schema, "type") != NULL || implied_type(schema) != NULL ? FORM_TYPES
                                                                                     : FORM_ANY;
}

/* Refuse keywords that are unknown, or not held to beside what gives the schema its form. */
static enum omma_status check_keywords(struct omma_schema_reader *reader, json_t *schema,
                                       enum form form)
{
    static const char *const silent[] = {"title",     "description", "default",     "examples",
                                         "$schema",   "$comment",    "deprecated",  "readOnly",
                                         "writeOnly", "$defs",       "definitions", NULL};
    static const char *const of_form[][11] = {
        [FORM_ANY] = {NULL},
        [FORM_REFERENCE] = {"$ref", NULL},
        [FORM_ANY_OF] = {"anyOf", NULL},
        [FORM_CONSTANTS] = {"enum", "const", "type", "minLength", "maxLength", NULL},
        [FORM_TYPES] = {"type", "properties", "required", "additionalProperties", "items",
                        "minLength", "maxLength", NULL},
    };
    static const char *const known[] = {"$ref",       "anyOf",     "enum",
                                        "const",      "type",      "items",
                                        "properties", "required",  "additionalProperties",
                                        "minLength",  "maxLength", NULL};
    const char *keyword;
    json_t *value;

    json_object_foreach(schema, keyword, value)
    {
        if (is_among(keyword, silent) || is_among(keyword, of_form[form]) ||
            (strcmp(keyword, "$id") == 0 && schema == reader->document)) {
            continue;
        }
        if (is_among(keyword, known)) {
            return omma_schema_refuse(reader, keyword,
                                      "not supported beside $ref, anyOf, enum or const");
        }
        return omma_schema_refuse(reader, keyword, "not supported");
    }
    return OMMA_OK;
}

/* A value of its own for a schema, known before what it is made of is read. */
static enum omma_status read_new(struct omma_schema_reader *reader, const json_t *schema,
                                 enum form form, uint32_t *value)
{
    char *pointer =
        omma_arena_copy_text(&reader->tree->arena, reader->pointer, strlen(reader->pointer));

    if (pointer == NULL) {
        return fail_memory(reader, strlen(reader->pointer));
    }
    if (form == FORM_CONSTANTS) {
        OMMA_TRY(omma_schema_read_constants(reader, schema, value));
    } else {
        OMMA_TRY(add(reader, (struct omma_value){0}, value));
    }
    reader->sources[*value] = schema;
    reader->pointers[*value] = pointer;
    if (form == FORM_REFERENCE) { /* a union of one */
        uint32_t *target = take(reader, 1, sizeof *target);

        if (target == NULL) {
            return fail_memory(reader, sizeof *target);
        }
        OMMA_TRY(read_reference(reader, schema, target));
        reader->tree->values[*value] =
            (struct omma_value){.kind = OMMA_VALUE_UNION, .alternatives = target, .n_items = 1};
        return OMMA_OK;
    }
    return form == FORM_CONSTANTS ? OMMA_OK
           : form == FORM_ANY_OF  ? read_any_of(reader, schema, *value)
                                  : read_types(reader, schema, *value);
}

static enum omma_status read_schema(struct omma_schema_reader *reader, const json_t *schema,
                                    uint32_t *value)
{
    enum form form;
    enum omma_status status;

    if (json_is_true(schema)) {
        *value = ANY;
        return OMMA_OK;
    }
    if (!json_is_object(schema)) {
        return omma_schema_refuse(
            reader, "", json_is_false(schema) ? "nothing fits false" : "expected a schema");
    }
    for (uint32_t i = N_FIXED; i < reader->tree->n_values; i++) {
        if (reader->sources[i] == schema) {
            *value = i;
            return OMMA_OK;
        }
    }
    if (reader->nesting == MAX_NESTING) {
        return omma_schema_refuse(reader, "", "nested too deeply");
    }
    form = form_of(schema);
    OMMA_TRY(check_keywords(reader, (json_t *)schema, form));
    if (form == FORM_ANY) {
        *value = ANY;
        return OMMA_OK;
    }
    reader->nesting++;
    status = read_new(reader, schema, form, value);
    reader->nesting--;
    return status;
}

/* The values that any JSON is made of. */
static enum omma_status add_fixed(struct omma_schema_reader *reader)
{
    static const uint32_t any[] = {ANY_OBJECT, ANY_ARRAY, ANY_STRING, ANY_NUMBER, ANY_WORD};
    static const struct omma_value_text words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    const struct omma_value fixed[N_FIXED] = {
        [ANY] = {.kind = OMMA_VALUE_UNION, .alternatives = any, .n_items = 5},
        [ANY_OBJECT] = {.kind = OMMA_VALUE_MAP, .nests = true, .item = ANY},
        [ANY_ARRAY] = {.kind = OMMA_VALUE_ARRAY, .nests = true, .item = ANY},
        [ANY_STRING] = {.kind = OMMA_VALUE_STRING, .max_chars = UINT32_MAX},
        [ANY_NUMBER] = {.kind = OMMA_VALUE_NUMBER},
        [ANY_WORD] = {.kind = OMMA_VALUE_TEXTS, .texts = words, .n_items = 3},
    };

    for (size_t i = 0; i < N_FIXED; i++) {
        uint32_t index;

        OMMA_TRY(add(reader, fixed[i], &index));
        reader->sources[index] = NULL;
        reader->pointers[index] = "#";
    }
    return OMMA_OK;
}

static enum omma_status parse(struct omma_schema_reader *reader, const char *text, size_t n_bytes)
{
    enum omma_status status;

    if (n_bytes > OMMA_SCHEMA_MAX_BYTES) {
        return omma_fail(reader->error, OMMA_STATUS_USAGE,
                         "schema: expected at most %d bytes, found %zu", OMMA_SCHEMA_MAX_BYTES,
                         n_bytes);
    }
    status = omma_json_parse("schema", text, n_bytes, &reader->document, reader->error);
    if (status == OMMA_STATUS_MODEL) { /* which the words of omma_json_parse() are of otherwise */
        status = OMMA_STATUS_USAGE;
        if (reader->error != NULL) {
            reader->error->status = status;
        }
    }
    return status;
}

enum omma_status omma_value_tree_read(const char *text, size_t n_bytes,
                                      struct omma_value_tree *tree, struct omma_error *error)
{
    struct omma_schema_reader reader = {.tree = tree, .pointer = "#", .error = error};
    enum omma_status status;

    *tree = (struct omma_value_tree){.root = ANY_OBJECT};
    reader.sources = calloc(OMMA_SCHEMA_MAX_VALUES, sizeof *reader.sources);
    reader.pointers = calloc(OMMA_SCHEMA_MAX_VALUES, sizeof *reader.pointers);
    if (reader.sources == NULL || reader.pointers == NULL) {
        OMMA_TRY_OR(status, out, fail_memory(&reader, OMMA_SCHEMA_MAX_VALUES * sizeof(void *)));
    }
    OMMA_TRY_OR(status, out, add_fixed(&reader));
    if (text != NULL) {
        OMMA_TRY_OR(status, out, parse(&reader, text, n_bytes));
        OMMA_TRY_OR(status, out, read_schema(&reader, reader.document, &tree->root));
    }
    status = omma_value_tree_finish(tree, reader.pointers, error);
out:
    json_decref(reader.document);
    free(reader.sources);
    free(reader.pointers);
    if (status != OMMA_OK) {
        omma_value_tree_free(tree);
    }
    return status;
}
