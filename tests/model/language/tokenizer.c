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

static struct omma_tokenizer *open_demo(void)
{
    struct omma_error error;
    struct omma_tokenizer *tokenizer = NULL;
    char *dir = omma_test_source("tests/data/tokenizer");

    assert_ok(omma_tokenizer_open(dir, &tokenizer, &error));
    free(dir);
    return tokenizer;
}

/* From transformers' Qwen2Tokenizer over tests/data/tokenizer, as tokenizer_cases.jsonl was made.
 */
static void test_cases_of_the_demo_vocabulary(void **state)
{
    struct omma_tokenizer *tokenizer = open_demo();
    char *path = omma_test_source("tests/data/tokenizer_cases.jsonl");

    (void)state;
    assert_int_equal(omma_tokenizer_n_ids(tokenizer), 621);
    assert_int_equal(check_cases(tokenizer, path), 225);
    omma_tokenizer_close(&tokenizer);
    free(path);
}

/* The text must be the bytes of its tokens, put together, and normalised. */
static void assert_round_trip(const struct omma_tokenizer *tokenizer, const char *text,
                              size_t n_bytes)
{
    struct omma_error error;
    struct omma_tokens tokens;
    const char *normal;
    char *owned;
    size_t n_normal, at = 0;

    assert_ok(omma_normalize_nfc(text, n_bytes, &normal, &n_normal, &owned, &error));
    assert_ok(omma_tokenize(tokenizer, text, n_bytes, OMMA_SPECIAL_LITERAL, &tokens, &error));
    for (size_t i = 0; i < tokens.n_tokens; i++) {
        size_t n;
        bool is_added;
        const char *bytes = omma_token_bytes(tokenizer, tokens.ids[i], &n, &is_added);

        assert_false(is_added);
        assert_true(n > 0 && n <= n_normal - at);
        assert_memory_equal(bytes, normal + at, n);
        at += n;
    }
    assert_int_equal(at, n_normal);
    omma_tokens_free(&tokens);
    free(owned);
}

static size_t put_character(char *text, uint32_t code)
{
    if (code < 0x80) {
        text[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        text[0] = (char)(0xC0 | code >> 6);
        text[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        text[0] = (char)(0xE0 | code >> 12);
        text[1] = (char)(0x80 | (code >> 6 & 0x3F));
        text[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    text[0] = (char)(0xF0 | code >> 18);
    text[1] = (char)(0x80 | (code >> 12 & 0x3F));
    text[2] = (char)(0x80 | (code >> 6 & 0x3F));
    text[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Any scalar value; the lower planes and ASCII more often. */
static uint32_t random_character(uint64_t *random)
{
    static const uint32_t limits[] = {0x80, 0x800, 0x3100, 0x10000, 0x110000};
    uint32_t code;

    do {
        code = (uint32_t)(omma_test_random(random) % limits[omma_test_random(random) % 5]);
    } while (code >= 0xD800 && code < 0xE000);
    return code;
}

static void test_random_text_round_trips(void **state)
{
    struct omma_tokenizer *tokenizer = NULL;
    struct omma_error error;
    char *shared = omma_test_shared("tokenizer"), text[4 * 32];
    uint64_t random = 1;

    (void)state;
    for (int k = 0; k < (shared != NULL ? 2 : 1); k++) {
        if (k == 0) {
            tokenizer = open_demo();
        } else {
            assert_ok(omma_tokenizer_open(shared, &tokenizer, &error));
        }
        for (int round = 0; round < 100000; round++) {
            size_t n_bytes = 0;

            for (uint64_t n = omma_test_random(&random) % 32; n > 0; n--) {
                n_bytes += put_character(text + n_bytes, random_character(&random));
            }
            assert_round_trip(tokenizer, text, n_bytes);
        }
        omma_tokenizer_close(&tokenizer);
    }
    free(shared);
}

/* Faults row F4: a megabyte of one kind of character, where every alternative of the expression and
 * the order of combining marks have to be linear to come to an end. */
static void test_a_megabyte_in_one_piece(void **state)
{
    enum { N = 1 << 20 };
    static const char *const units[] = {"a",
                                        "ab",
                                        " ",
                                        "\n",
                                        "1",
                                        "!",
                                        " \t",
                                        "\r\n ",
                                        "\xE4\xB8\xAD",
                                        "\xCC\x81",
                                        "\xCC\x81\xCC\xA3",
                                        "\xE3\x80\x80",
                                        "'s",
                                        "\xF0\x9F\x98\x80",
                                        "\xCD\x84",
                                        "<|im_end|"};
    struct omma_tokenizer *tokenizer = open_demo();
    char *text = malloc(N + 16);

    (void)state;
    assert_non_null(text);
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
        size_t n_unit = strlen(units[k]), n = 0;

        while (n + n_unit <= N) {
            memcpy(text + n, units[k], n_unit);
            n += n_unit;
        }
        assert_round_trip(tokenizer, text, n);
    }
    free(text);
    omma_tokenizer_close(&tokenizer);
}

/* Faults row F3. */
static void test_nul_is_data(void **state)
{
    struct omma_tokenizer *tokenizer = open_demo();

    (void)state;
    assert_round_trip(tokenizer, "", 0);
    assert_round_trip(tokenizer, "\0", 1);
    assert_round_trip(tokenizer, "a\0b\0", 4);
    omma_tokenizer_close(&tokenizer);
}

/* Faults row F2. */
static void test_bad_utf8(void **state)
{
    static const struct {
        const char *text;
        size_t n_bytes;
        const char *message;
    } cases[] = {
        {"\xFF", 1, "text @0: expected UTF-8, found byte 0xFF"},
        {"ab\x80", 3, "text @2: expected UTF-8, found byte 0x80"},
        {"\xC0\xAF", 2, "text @0: expected UTF-8, found byte 0xC0"},         /* overlong */
        {"\xE0\x9F\xBF", 3, "text @0: expected UTF-8, found byte 0xE0"},     /* overlong */
        {"\xF0\x8F\xBF\xBF", 4, "text @0: expected UTF-8, found byte 0xF0"}, /* overlong */
        {"x\xED\xA0\x80", 4, "text @1: expected UTF-8, found byte 0xED"},    /* surrogate */
        {"\xF4\x90\x80\x80", 4, "text @0: expected UTF-8, found byte 0xF4"}, /* above 10FFFF */
        {"a\xE4\xBD", 3, "text @1: expected UTF-8, found a character cut off"},
        {"\xE4\xBDz", 3, "text @2: expected UTF-8, found byte 0x7A"},
    };
    struct omma_tokenizer *tokenizer = open_demo();
    struct omma_error error;
    struct omma_tokens tokens = {NULL, 7};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(OMMA_STATUS_PROMPT, cases[i].message,
                     omma_tokenize(tokenizer, cases[i].text, cases[i].n_bytes, OMMA_SPECIAL_LITERAL,
                                   &tokens, &error));
        assert_int_equal(tokens.n_tokens, 7);
    }
    omma_tokenizer_close(&tokenizer);
}

/* Faults row F1. */
static void test_special_tokens(void **state)
{
    static const char text[] = "a<|im_end|>b";
    struct omma_tokenizer *tokenizer = open_demo();
    struct omma_error error;
    struct omma_tokens tokens;
    bool is_added;
    size_t n_bytes;

    (void)state;
    assert_round_trip(tokenizer, text, strlen(text));
    assert_ok(
        omma_tokenize(tokenizer, text, strlen(text), OMMA_SPECIAL_REFERENCE, &tokens, &error));
    assert_int_equal(tokens.n_tokens, 3);
    assert_int_equal(tokens.ids[1], 611);
    omma_token_bytes(tokenizer, tokens.ids[1], &n_bytes, &is_added);
    assert_true(is_added);
    assert_int_equal(n_bytes, 10);
    omma_tokens_free(&tokens);
    assert_fails(
        OMMA_STATUS_PROMPT, "text @1: expected no special token, found <|im_end|>",
        omma_tokenize(tokenizer, text, strlen(text), OMMA_SPECIAL_REJECT, &tokens, &error));
    assert_ok(omma_tokenize(tokenizer, text, 10, OMMA_SPECIAL_REJECT, &tokens, &error));
    omma_tokens_free(&tokens);
    omma_tokenizer_close(&tokenizer);
}

static void test_ids_without_text(void **state)
{
    static const int32_t ids[] = {-1, INT32_MIN, 621, INT32_MAX};
    struct omma_tokenizer *tokenizer = open_demo();
    size_t n_bytes;
    bool is_added;

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_non_null(omma_token_bytes(tokenizer, ids[i], &n_bytes, &is_added));
        assert_int_equal(n_bytes, 0);
        assert_false(is_added);
        assert_false(omma_tokenizer_is_skipped(tokenizer, ids[i]));
    }
    omma_token_bytes(tokenizer, 0, &n_bytes, NULL);
    assert_int_equal(n_bytes, 1);
    omma_tokenizer_close(&tokenizer);
    omma_tokenizer_close(&tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_cases),
        cmocka_unit_test(test_cases_of_the_demo_vocabulary),
        cmocka_unit_test(test_random_text_round_trips),
        cmocka_unit_test(test_a_megabyte_in_one_piece),
        cmocka_unit_test(test_nul_is_data),
        cmocka_unit_test(test_bad_utf8),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_ids_without_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
