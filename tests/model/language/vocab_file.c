/* vocab.json pair by pair, against jansson: the same texts are read, with the same pairs. */
#include <stdlib.h>
#include <string.h>

#include "model/language/vocab_file.h"
#include "support/support.h"

/* What the reader makes of a text, as a JSON object; NULL if it refuses or a name comes twice. */
static json_t *read_pairs(const char *text, size_t n_bytes, struct omma_error *error)
{
    static char path[] = "vocab.json";
    struct omma_source_file file = {path, (char *)text, n_bytes};
    struct omma_vocab_file reader;
    struct omma_vocab_pair pair;
    bool found = false, is_good;
    json_t *object = json_object();

    is_good = omma_vocab_file_begin(&file, &reader, error) == OMMA_OK;
    while (is_good && (is_good = omma_vocab_file_next(&reader, &pair, &found, error) == OMMA_OK) &&
           found) {
        char *name = strndup(pair.name, pair.n_name);

        is_good = json_object_get(object, name) == NULL &&
                  json_object_set_new(object, name, json_integer((json_int_t)pair.id)) == 0;
        free(name);
    }
    omma_vocab_file_end(&reader);
    if (!is_good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* The same by jansson: an object of integers from 0 on. */
static json_t *load_pairs(const char *text, size_t n_bytes)
{
    json_t *object = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, NULL), *value;
    const char *name;
    bool is_good = json_is_object(object);

    json_object_foreach(object, name, value)
    {
        is_good = is_good && json_is_integer(value);
    }
    if (!is_good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* Returns whether the text was read. */
static bool assert_same(const char *text, size_t n_bytes)
{
    struct omma_error error = {OMMA_OK, ""};
    json_t *ours = read_pairs(text, n_bytes, &error), *theirs = load_pairs(text, n_bytes);
    bool is_read = ours != NULL;

    if ((ours == NULL) != (theirs == NULL) || (ours != NULL && !json_equal(ours, theirs))) {
        fail_msg("read otherwise than by jansson: %.*s (%s)", (int)n_bytes, text, error.message);
    }
    json_decref(ours);
    json_decref(theirs);
    return is_read;
}

static void test_examples(void **state)
{
    static const char *const good[] = {"{}",
                                       " { } \n",
                                       "{\"a\":1}",
                                       "{\"a\" : 0 ,\t\"b\":\r12}",
                                       "{\"\":3}",
                                       "{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":1}",
                                       "{\"\\u00e9\\u4F60\\ud83D\\uDE00x\":1}",
                                       "{\"\xC3\xA9\":0,\"ab\\u0041c\":7}"};
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{}x",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\":01}",
                                      "{\"a\":1.0}",
                                      "{\"a\":1e3}",
                                      "{\"a\":-}",
                                      "{\"a\":+1}",
                                      "{\"a\":\"1\"}",
                                      "{\"a\":null}",
                                      "{a:1}",
                                      "{\"a\":1 \"b\":2}",
                                      "{\"a\":1}}",
                                      "{\"a\n\":1}",
                                      "{\"a",
                                      "{\"\\x\":1}",
                                      "{\"\\u12\":1}",
                                      "{\"\\u0000\":1}",
                                      "{\"\\ud800\":1}",
                                      "{\"\\udc00\":1}",
                                      "{\"\\ud800\\u0041\":1}",
                                      "{\"\xC0\x80\":1}",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":1,\"\\u0061\":2}",
                                      "{\"a\":99999999999999999999}"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(assert_same(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(assert_same(bad[i], strlen(bad[i])));
    }
    assert_false(assert_same("{\"a\0\":1}", 8));
    assert_false(assert_same("{}\0", 3));
    assert_null(read_pairs("{\"a\":-1}", 8, NULL)); /* JSON, but no id */
}

static void test_damaged_texts(void **state)
{
    static const char whole[] = "{\"a\": 0, \"\\u0120b\":12 ,\"\\\"\": 3, \"\xC4\xA0the\":41,"
                                "\"\\ud83d\\ude00\":5}\n";
    static const char letters[] = "{}[]\":,\\u0dD8cCeE19+. \n\x01\xC3\xA9";
    uint64_t random = 9;
    size_t n_read = 0;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        char text[sizeof whole];
        size_t n = sizeof whole - 1;

        memcpy(text, whole, sizeof whole);
        for (uint64_t left = 1 + omma_test_random(&random) % 3; left > 0; left--) {
            size_t at = omma_test_random(&random) % n;

            if (omma_test_random(&random) % 4 == 0) {
                memmove(text + at, text + at + 1, n - at - 1);
                n--;
            } else {
                text[at] = letters[omma_test_random(&random) % (sizeof letters - 1)];
            }
        }
        n_read += assert_same(text, n);
    }
    assert_true(n_read > 1000 && n_read < 150000); /* both outcomes are met */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_damaged_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
