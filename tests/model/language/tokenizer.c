/* Text to ids and back: the reference's cases, special tokens, bad text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/language/normalize.h"
#include "model/language/tokenizer.h"
#include "support/support.h"

static void assert_tokens(const struct omma_tokenizer *tokenizer, const json_t *text,
                          enum omma_special special, const json_t *expected)
{
    struct omma_error error;
    struct omma_tokens tokens;

    assert_true(json_is_string(text) && json_is_array(expected));
    assert_ok(omma_tokenize(tokenizer, json_string_value(text), json_string_length(text), special,
                            &tokens, &error));
    if (tokens.n_tokens != json_array_size(expected)) {
        fail_msg("\"%s\": %zu tokens, expected %zu", json_string_value(text), tokens.n_tokens,
                 json_array_size(expected));
    }
    for (size_t i = 0; i < tokens.n_tokens; i++) {
        if (tokens.ids[i] != json_integer_value(json_array_get(expected, i))) {
            fail_msg("\"%s\": id %zu is %d, expected %d", json_string_value(text), i, tokens.ids[i],
                     (int)json_integer_value(json_array_get(expected, i)));
        }
    }
    omma_tokens_free(&tokens);
}

/* Every line of a file of cases, in both modes; returns how many lines there were. */
static size_t check_cases(const struct omma_tokenizer *tokenizer, const char *path)
{
    char *all = omma_test_read(path, NULL), *line = all, *end;
    size_t n = 0;

    for (; (end = strchr(line, '\n')) != NULL; line = end + 1, n++) {
        json_t *one, *reference;

        *end = '\0';
        one = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(one);
        reference = json_object_get(one, "reference");
        assert_tokens(tokenizer, json_object_get(one, "text"), OMMA_SPECIAL_LITERAL,
                      json_object_get(one, "literal"));
        assert_tokens(tokenizer, json_object_get(one, "text"), OMMA_SPECIAL_REFERENCE,
                      reference != NULL ? reference : json_object_get(one, "literal"));
        json_decref(one);
    }
    free(all);
    return n;
}

static void test_reference_cases(void **state)
{
    struct omma_error error;
    struct omma_tokenizer *tokenizer = NULL;

    (void)state;
    OMMA_TEST_NEED_SHARED(dir, "tokenizer");
    OMMA_TEST_NEED_SHARED(cases, "reference/tokenizer_cases.jsonl");
    assert_ok(omma_tokenizer_open(dir, &tokenizer, &error));
    assert_int_equal(omma_tokenizer_n_ids(tokenizer), 151674);
    assert_int_equal(check_cases(tokenizer, cases), 1605);
    omma_tokenizer_close(&tokenizer);
    free(dir);
    free(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_cases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
