/* Each keyword by itself, as the standard has it. */
#include "model/schema/validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

static bool is_of_type(const json_t *value, const char *type)
{
    bool is_whole =
        json_is_integer(value) ||
        (json_is_real(value) && floor(json_real_value(value)) == json_real_value(value));

    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "integer") == 0 && is_whole) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool has_type(const json_t *value, const json_t *type)
{
    if (json_is_string(type)) {
        return is_of_type(value, json_string_value(type));
    }
    for (size_t i = 0; i < json_array_size(type); i++) {
        if (is_of_type(value, json_string_value(json_array_get(type, i)))) {
            return true;
        }
    }
    return type == NULL;
}

static bool is_equal(const json_t *one, const json_t *other)
{
    return json_is_number(one) && json_is_number(other)
               ? json_number_value(one) == json_number_value(other)
               : json_equal(one, other);
}

static bool is_listed(const json_t *value, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (is_equal(value, json_array_get(list, i))) {
            return true;
        }
    }
    return list == NULL;
}

static bool has_length(const json_t *value, const json_t *schema)
{
    const json_t *least = json_object_get(schema, "minLength");
    const json_t *most = json_object_get(schema, "maxLength");
    json_int_t n = 0;

    for (const char *at = json_string_value(value); at != NULL && *at != '\0'; at++) {
        n += ((unsigned char)*at & 0xC0) != 0x80;
    }
    return !json_is_string(value) || ((least == NULL || n >= json_integer_value(least)) &&
                                      (most == NULL || n <= json_integer_value(most)));
}

static bool has_properties(const json_t *value, const json_t *schema, const json_t *root)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *name;
    json_t *one;

    for (size_t i = 0; i < json_array_size(required); i++) {
        if (json_object_get(value, json_string_value(json_array_get(required, i))) == NULL) {
            return false;
        }
    }
    json_object_foreach((json_t *)value, name, one)
    {
        const json_t *of_name = json_object_get(properties, name);
        const json_t *by = of_name != NULL ? of_name : others;

        if (by != NULL && !omma_test_validate(one, by, root)) {
            return false;
        }
    }
    return true;
}

static const json_t *resolve(const char *reference, const json_t *root)
{
    char *copy = strdup(reference), *rest = NULL;

    for (char *step = strtok_r(copy + 1, "/", &rest); step != NULL;
         step = strtok_r(NULL, "/", &rest)) {
        root = json_is_array(root) ? json_array_get(root, strtoul(step, NULL, 10))
                                   : json_object_get(root, step);
    }
    free(copy);
    assert_non_null(root);
    return root;
}

bool omma_test_validate(const json_t *value, const json_t *schema, const json_t *root)
{
    const json_t *items = json_object_get(schema, "items"), *any = json_object_get(schema, "anyOf");
    const json_t *constant = json_object_get(schema, "const");
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    bool fits = any == NULL;

    if (json_is_boolean(schema)) {
        return json_is_true(schema);
    }
    for (size_t i = 0; i < json_array_size(any) && !fits; i++) {
        fits = omma_test_validate(value, json_array_get(any, i), root);
    }
    for (size_t i = 0; json_is_array(value) && items != NULL && i < json_array_size(value); i++) {
        fits = fits && omma_test_validate(json_array_get(value, i), items, root);
    }
    return fits && has_type(value, json_object_get(schema, "type")) &&
           is_listed(value, json_object_get(schema, "enum")) &&
           (constant == NULL || is_equal(value, constant)) && has_length(value, schema) &&
           (!json_is_object(value) || has_properties(value, schema, root)) &&
           (reference == NULL || omma_test_validate(value, resolve(reference, root), root));
}
