/* Limits first: jansson recurses, so depth is counted before it sees the text. */
#include "tools/chat/json_in.h"

#include <math.h>

/* Brackets outside of strings. */
static bool is_shallow(const char *body, size_t n_body)
{
    size_t depth = 0;
    bool is_string = false;

    for (size_t i = 0; i < n_body; i++) {
        char c = body[i];

        if (is_string) {
            i += c == '\\';
            is_string = c != '"';
        } else if (c == '"') {
            is_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_IN_MAX_DEPTH) {
                return false;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return true;
}

bool json_in_parse(const char *body, size_t n_body, json_t **root, struct problem *problem)
{
    json_error_t error;
    json_t *value;

    if (!is_shallow(body, n_body)) {
        return problem_set(problem, 400, "invalid_json", NULL,
                           "body: expected JSON of at most %d levels", JSON_IN_MAX_DEPTH);
    }
    value = json_loadb(body, n_body, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (value == NULL) {
        return json_error_code(&error) == json_error_out_of_memory
                   ? problem_set_memory(problem)
                   : problem_set(problem, 400, "invalid_json", NULL, "body @%d: %s", error.position,
                                 error.text);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return problem_set(problem, 400, "invalid_json", NULL, "body: expected a JSON object");
    }
    *root = value;
    return true;
}

json_t *json_in_get(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

bool json_in_integer(const json_t *object, const char *name, json_int_t minimum, json_int_t maximum,
                     json_int_t *value, struct problem *problem)
{
    const json_t *member = json_in_get(object, name);
    double number = json_number_value(member);

    if (member == NULL) {
        return true;
    }
    if (!json_is_number(member) || number != floor(number) || number < (double)minimum ||
        number > (double)maximum || (json_is_real(member) && fabs(number) > 9007199254740992.0)) {
        return problem_set(problem, 400, "invalid_value", name,
                           "%s: expected a whole number from %" JSON_INTEGER_FORMAT
                           " to %" JSON_INTEGER_FORMAT,
                           name, minimum, maximum);
    }
    *value = json_is_integer(member) ? json_integer_value(member) : (json_int_t)number;
    return true;
}

bool json_in_real(const json_t *object, const char *name, double minimum, double maximum,
                  double *value, struct problem *problem)
{
    const json_t *member = json_in_get(object, name);
    double number = json_number_value(member);

    if (member == NULL) {
        return true;
    }
    if (!json_is_number(member) || !(number >= minimum && number <= maximum)) {
        return problem_set(problem, 400, "invalid_value", name,
                           "%s: expected a number from %g to %g", name, minimum, maximum);
    }
    *value = number;
    return true;
}

bool json_in_bool(const json_t *object, const char *name, bool *value, struct problem *problem)
{
    const json_t *member = json_in_get(object, name);

    if (member == NULL) {
        return true;
    }
    if (!json_is_boolean(member)) {
        return problem_set(problem, 400, "invalid_value", name, "%s: expected true or false", name);
    }
    *value = json_is_true(member);
    return true;
}
