/* NFC: examples of the standard, and utf8proc's own (slower) function on random text. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "model/language/normalize.h"
#include "support/support.h"

static void assert_normal(const char *text, size_t n_bytes, const char *expected, size_t n_expected)
{
    struct omma_error error;
    const char *result;
    char *owned;
    size_t n_result;

    assert_ok(omma_normalize_nfc(text, n_bytes, &result, &n_result, &owned, &error));
    assert_int_equal(n_result, n_expected);
    assert_memory_equal(result, expected, n_expected);
    free(owned);
}

static void test_examples(void **state)
{
    static const struct {
        const char *text, *normal;
    } cases[] = {
        {"abc", "abc"},
        {"\xC3\xA9", "\xC3\xA9"},
        {"e\xCC\x81", "\xC3\xA9"},
        {"\xE2\x84\xAB", "\xC3\x85"},                             /* ANGSTROM SIGN */
        {"\xE2\x84\xAA", "K"},                                    /* KELVIN SIGN */
        {"a\xCC\x87\xCC\xA3", "\xE1\xBA\xA1\xCC\x87"},            /* marks change places */
        {"\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81"}, /* Hangul */
        {"\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC"},             /* excluded from composition */
        {"\xEF\xAC\x81", "\xEF\xAC\x81"},                         /* no compatibility mapping */
        {"\xCC\x81", "\xCC\x81"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_normal(cases[i].text, strlen(cases[i].text), cases[i].normal,
                      strlen(cases[i].normal));
    }
}

static void test_against_utf8proc(void **state)
{
    static const uint32_t ranges[][2] = {{0x20, 0x7E},     {0xC0, 0x24F},      {0x300, 0x36F},
                                         {0x1100, 0x11FF}, {0xAC00, 0xAC80},   {0x1E00, 0x1FFF},
                                         {0x900, 0x97F},   {0x1D15E, 0x1D1C0}, {0x2F800, 0x2FA1D}};
    uint64_t random = 3;

    (void)state;
    for (int round = 0; round < 30000; round++) {
        char text[4 * 64];
        utf8proc_uint8_t *expected = NULL;
        utf8proc_ssize_t n_expected;
        size_t n = 0;

        for (uint64_t left = omma_test_random(&random) % 64; left > 0; left--) {
            /* every second one a mark of the third range */
            const uint32_t *range =
                ranges[omma_test_random(&random) % 2
                           ? 2
                           : omma_test_random(&random) % (sizeof ranges / sizeof *ranges)];
            uint32_t code =
                range[0] + (uint32_t)(omma_test_random(&random) % (range[1] - range[0]));

            n += (size_t)utf8proc_encode_char((int32_t)code, (utf8proc_uint8_t *)text + n);
        }
        n_expected = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &expected,
                                  UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        assert_true(n_expected >= 0);
        assert_normal(text, n, (const char *)expected, (size_t)n_expected);
        free(expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_against_utf8proc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
