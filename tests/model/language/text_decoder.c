/*
 * Ids to text: characters cut by tokens, ill-formed bytes, skipped tokens, stop texts.  The demo
 * vocabulary has a token for each byte, by which any bytes can be fed.
 */
#include <stdlib.h>
#include <string.h>

#include "model/language/text_decoder.h"
#include "base/utf8.h"
#include "support/support.h"

struct fixture {
    struct omma_tokenizer *tokenizer;
    int32_t byte_ids[256];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct omma_error error;
    char *dir = omma_test_source("tests/data/tokenizer");

    assert_ok(omma_tokenizer_open(dir, &fixture.tokenizer, &error));
    free(dir);
    for (size_t id = 0; id < omma_tokenizer_n_ids(fixture.tokenizer); id++) {
        size_t n_bytes;
        const char *bytes = omma_token_bytes(fixture.tokenizer, (int32_t)id, &n_bytes, NULL);

        if (n_bytes == 1) {
            fixture.byte_ids[(uint8_t)*bytes] = (int32_t)id;
        }
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    omma_tokenizer_close(&((struct fixture *)*state)->tokenizer);
    return 0;
}

static struct omma_text_decoder *create(const struct fixture *fixture,
                                        const struct omma_stop *stops, size_t n_stops)
{
    struct omma_error error;
    struct omma_text_decoder *decoder = NULL;

    assert_ok(omma_text_decoder_create(fixture->tokenizer, stops, n_stops, &decoder, &error));
    return decoder;
}

/* An answer as it grows. */
struct answer {
    char text[1 << 16];
    size_t n_bytes;
    bool is_stopped;
};

static void add(struct omma_text_decoder *decoder, struct answer *answer, int32_t id)
{
    struct omma_error error;
    const char *text;
    size_t n_bytes;

    assert_ok(omma_text_decoder_add(decoder, id, &text, &n_bytes, &answer->is_stopped, &error));
    assert_true(answer->n_bytes + n_bytes < sizeof answer->text);
    memcpy(answer->text + answer->n_bytes, text, n_bytes);
    answer->n_bytes += n_bytes;
    answer->text[answer->n_bytes] = '\0';
}

static void finish(struct omma_text_decoder *decoder, struct answer *answer)
{
    struct omma_error error;
    const char *text;
    size_t n_bytes;

    assert_ok(omma_text_decoder_finish(decoder, &text, &n_bytes, &error));
    assert_true(answer->n_bytes + n_bytes < sizeof answer->text);
    memcpy(answer->text + answer->n_bytes, text, n_bytes);
    answer->n_bytes += n_bytes;
    answer->text[answer->n_bytes] = '\0';
}

static void add_bytes(const struct fixture *fixture, struct omma_text_decoder *decoder,
                      struct answer *answer, const char *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes && !answer->is_stopped; i++) {
        add(decoder, answer, fixture->byte_ids[(uint8_t)bytes[i]]);
    }
}

/* Faults row F10. */
static void test_characters_are_held_back_until_whole(void **state)
{
    static const char smile[] = "\xF0\x9F\x98\x80";
    const struct fixture *fixture = *state;
    struct omma_text_decoder *decoder = create(fixture, NULL, 0);
    struct answer answer = {.n_bytes = 0};

    for (int i = 0; i < 4; i++) {
        assert_int_equal(answer.n_bytes, 0);
        add(decoder, &answer, fixture->byte_ids[(uint8_t)smile[i]]);
    }
    assert_string_equal(answer.text, smile);
    finish(decoder, &answer);
    assert_string_equal(answer.text, smile);
    omma_text_decoder_destroy(&decoder);
}

/* What Python's bytes.decode("utf8", "replace") gives. */
static void test_ill_formed_bytes_are_replaced(void **state)
{
#define R "\xEF\xBF\xBD"
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"\xE0\x80\x80", R R R},
        {"\xF0\x90\x80"
         "a",
         R "a"},
        {"\xED\xA0\x80", R R R},
        {"\xF4\x90\x80\x80", R R R R},
        {"\xC0\xAF", R R},
        {"\xE2\x82", R},
        {"\xF0\x9F\x98", R},
        {"a\xF0\x9F\x98\x80"
         "b",
         "a\xF0\x9F\x98\x80"
         "b"},
        {"\xF1\x80\x80\xE1\x80\xC2"
         "b",
         R R R "b"},
        {"\xFF\xFE", R R},
        {"\xE2\x82\xE2\x82\xAC", R "\xE2\x82\xAC"},
    };
#undef R
    const struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_text_decoder *decoder = create(fixture, NULL, 0);
        struct answer answer = {.n_bytes = 0};

        add_bytes(fixture, decoder, &answer, cases[i].bytes, strlen(cases[i].bytes));
        finish(decoder, &answer);
        assert_string_equal(answer.text, cases[i].text);
        omma_text_decoder_destroy(&decoder);
    }
}

static void test_skipped_ids_leave_no_trace(void **state)
{
    const struct fixture *fixture = *state;
    const struct omma_template_ids *ids = omma_tokenizer_template_ids(fixture->tokenizer);
    struct omma_text_decoder *decoder = create(fixture, NULL, 0);
    struct answer answer = {.n_bytes = 0};

    add_bytes(fixture, decoder, &answer, "\xC3", 1);
    add(decoder, &answer, ids->im_end);
    add_bytes(fixture, decoder, &answer, "\xA9", 1);
    add(decoder, &answer, 1 << 20); /* rows of the embedding beyond the last token */
    add(decoder, &answer, -1);
    finish(decoder, &answer);
    assert_string_equal(answer.text, "\xC3\xA9");
    omma_text_decoder_destroy(&decoder);
}

/* <ref> is an added token, but not of those that the published folders list as special (spec 6.2).
 */
static void test_markup_survives(void **state)
{
    static const char config[] = "{\"eos_token\": {\"content\": \"<|im_end|>\"}, \"pad_token\": "
                                 "\"<|endoftext|>\", \"additional_special_tokens\": "
                                 "[\"<|im_start|>\", {\"content\": \"<|im_end|>\"}]}";
    static const char *const files[] = {"vocab.json", "merges.txt", "added_tokens.json"};
    static const char *const configs[] = {"tokenizer_config.json", "special_tokens_map.json"};
    static const char *const skipped[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

    (void)state;
    for (size_t k = 0; k < 3; k++) { /* the third folder says nothing */
        struct fixture fixture = {0};
        struct omma_error error;
        char *dir = omma_test_folder();

        for (size_t i = 0; i < 3; i++) {
            char *source = omma_test_source("tests/data/tokenizer");
            char *from = omma_test_join(source, files[i]), *to = omma_test_join(dir, files[i]);

            omma_test_copy(from, to);
            free(source);
            free(from);
            free(to);
        }
        if (k < 2) {
            char *path = omma_test_join(dir, configs[k]);

            omma_test_write(path, config, strlen(config));
            free(path);
        }
        assert_ok(omma_tokenizer_open(dir, &fixture.tokenizer, &error));
        for (int32_t id = 609; id <= 620; id++) {
            size_t n_bytes;
            const char *name = omma_token_bytes(fixture.tokenizer, id, &n_bytes, NULL);
            bool is_listed = false;

            for (size_t i = 0; i < 3; i++) {
                is_listed = is_listed || (n_bytes == strlen(skipped[i]) &&
                                          memcmp(name, skipped[i], n_bytes) == 0);
            }
            assert_int_equal(omma_tokenizer_is_skipped(fixture.tokenizer, id), is_listed);
        }
        omma_tokenizer_close(&fixture.tokenizer);
        free(dir);
    }
}

static void test_stop_texts(void **state)
{
    static const struct omma_stop stops[] = {{"END", 3}, {"\n\n", 2}, {"abcd", 4},
                                             {"c", 1},   {"xcd", 3},  {"cd", 2}};
    static const struct {
        size_t first, n_stops;
        const char *bytes, *seen, *text; /* seen: given out before the end */
        bool is_stopped;
    } cases[] = {
        {0, 2, "one EN", "one ", "one EN", false},
        {0, 2, "one END two", "one ", "one ", true},
        {0, 2, "EEND", "E", "E", true},
        {0, 2, "ENEND", "EN", "EN", true},
        {0, 2, "a\n\nEND", "a", "a", true},
        {0, 2, "a\n b\n", "a\n b", "a\n b\n", false},
        {0, 2, "\xE2\x82", "", "\xEF\xBF\xBD", false},
        {2, 2, "xabcd", "xab", "xab", true},
        {0, 0, "END", "END", "END", false},
        {4, 2, "axcd", "a", "a", true}, /* both end here: the longer one */
    };
    const struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_text_decoder *decoder =
            create(fixture, stops + cases[i].first, cases[i].n_stops);
        struct answer answer = {.n_bytes = 0};

        add_bytes(fixture, decoder, &answer, cases[i].bytes, strlen(cases[i].bytes));
        assert_string_equal(answer.text, cases[i].seen);
        assert_int_equal(answer.is_stopped, cases[i].is_stopped);
        finish(decoder, &answer);
        assert_string_equal(answer.text, cases[i].text);
        omma_text_decoder_destroy(&decoder);
    }
}

/* Any ids, any stop: the pieces given make what one look at the whole would give. */
static void test_pieces_make_the_whole(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t random = 5;
    struct answer answer, whole;

    for (int round = 0; round < 3000; round++) {
        char letters[4] = {0};
        struct omma_stop stop = {letters, 1 + omma_test_random(&random) % 3};
        bool has_stop = round % 2 == 0;
        struct omma_text_decoder *decoder, *plain = create(fixture, NULL, 0);
        const char *found;

        for (size_t i = 0; i < stop.n_bytes; i++) {
            letters[i] = (char)('a' + omma_test_random(&random) % 2);
        }
        decoder = create(fixture, &stop, has_stop);
        answer = whole = (struct answer){.n_bytes = 0};
        for (int i = 0; i < 40 && !answer.is_stopped; i++) {
            int32_t id = omma_test_random(&random) % 3
                             ? fixture->byte_ids['a' + omma_test_random(&random) % 2]
                             : (int32_t)(omma_test_random(&random) % 621);

            add(decoder, &answer, id);
            add(plain, &whole, id);
            assert_true(answer.n_bytes <= whole.n_bytes);
            assert_memory_equal(answer.text, whole.text, answer.n_bytes);
        }
        finish(decoder, &answer);
        finish(plain, &whole);
        found = has_stop ? memmem(whole.text, whole.n_bytes, letters, stop.n_bytes) : NULL;
        assert_int_equal(answer.is_stopped, found != NULL);
        assert_int_equal(answer.n_bytes,
                         found != NULL ? (size_t)(found - whole.text) : whole.n_bytes);
        omma_text_decoder_destroy(&decoder);
        omma_text_decoder_destroy(&plain);
    }
}

static void test_bad_stops(void **state)
{
    static const struct omma_stop empty = {"", 0}, broken = {"a\xFF", 2};
    static struct omma_stop many[2000];
    const struct fixture *fixture = *state;
    struct omma_error error;
    struct omma_text_decoder *decoder = NULL;

    assert_fails(OMMA_STATUS_USAGE, "stop text 1: expected some text",
                 omma_text_decoder_create(fixture->tokenizer, &empty, 1, &decoder, &error));
    assert_fails(OMMA_STATUS_PROMPT, "stop text @1",
                 omma_text_decoder_create(fixture->tokenizer, &broken, 1, &decoder, &error));
    assert_fails(OMMA_STATUS_USAGE, "found 2000",
                 omma_text_decoder_create(fixture->tokenizer, many, 2000, &decoder, &error));
    assert_null(decoder);
}

static void test_without_a_tokenizer(void **state)
{
    struct omma_error error;
    struct omma_text_decoder *decoder = NULL;
    struct answer answer = {.n_bytes = 0};

    (void)state;
    assert_ok(omma_text_decoder_create(NULL, NULL, 0, &decoder, &error));
    add(decoder, &answer, 5);
    finish(decoder, &answer);
    assert_int_equal(answer.n_bytes, 0);
    omma_text_decoder_destroy(&decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters_are_held_back_until_whole),
        cmocka_unit_test(test_ill_formed_bytes_are_replaced),
        cmocka_unit_test(test_skipped_ids_leave_no_trace),
        cmocka_unit_test(test_markup_survives),
        cmocka_unit_test(test_stop_texts),
        cmocka_unit_test(test_pieces_make_the_whole),
        cmocka_unit_test(test_bad_stops),
        cmocka_unit_test(test_without_a_tokenizer),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
