/* Text to pieces, as Python's regex module splits these with the reference's expression. */
#include <stdlib.h>
#include <string.h>

#include "model/language/pretokenizer.h"
#include "support/support.h"

/* pieces: the text again, with '|' between its pieces (and none in it). */
static void assert_pieces(struct omma_pretokenizer_scan *scan, const char *pieces)
{
    char *text = strdup(pieces), *to = text;
    struct omma_error error;
    size_t at = 0, end = 0;

    assert_non_null(text);
    for (const char *from = pieces; *from != '\0'; from++) {
        if (*from != '|') {
            *to++ = *from;
        }
    }
    for (const char *piece = pieces; *piece != '\0'; at = end) {
        size_t n = strcspn(piece, "|");

        assert_ok(omma_pretokenizer_next(scan, text, (size_t)(to - text), at, &end, &error));
        if (end - at != n || memcmp(text + at, piece, n) != 0) {
            fail_msg("\"%s\": piece at %zu has %zu bytes, expected %zu", pieces, at, end - at, n);
        }
        piece += n + (piece[n] == '|');
    }
    assert_ptr_equal(text + at, to);
    free(text);
}

static void test_pieces(void **state)
{
    static const char *const cases[] = {
        "I|'ll|  | go| |1|2|3", /* spec 6.1 */
        "a| b|.\n\n|c",
        "don|'t| DON|'T|'S|ix| '|Six|'\xC5\xBF|x| we|'VE|'s|'s",
        "  \n \n| | x",
        "x|   ",
        "x| | .",
        "\xC2\xBD|\xC2\xB2|\xE2\x85\xA7|\xE0\xA5\xA7|\xE0\xA5\xA8",
        "a|\xC2\xA0"
        "b|\xE3\x80\x80|\xE3\x80\x80"
        "c",
        "x|\xE1\xA0\x8Ey| \xE1\xA0\x8E", /* no white space since Unicode 6.3 */
        "\t|\tx|\t|1",
        "$a|_b|__|c| (|d|)",
        "\xE2\x80\x8Bx|\xE2\x80\x8D",
        "e|\xCC\x81x",
        "\xE4\xB8\xAD\xE6\x96\x87| \xE4\xB8\xAD",
        "\xE2\x80\xA8|\xE2\x80\xA8"
        "a",
        "'ll|'",
        "\x1C\x1D| a", /* white space to Python's str, not to the expression */
        "a|\xC2\x85|\xC2\x85"
        "b",
        "\xF0\x9F\x98\x80\xF0\x9F\x98\x80| x",
        "!\r\n\r\n|!",
    };

    struct omma_pretokenizer *pretokenizer = NULL;
    struct omma_pretokenizer_scan *scan = NULL;
    struct omma_error error;

    (void)state;
    assert_ok(omma_pretokenizer_create(&pretokenizer, &error));
    assert_ok(omma_pretokenizer_scan_create(pretokenizer, &scan, &error));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_pieces(scan, cases[i]);
    }
    omma_pretokenizer_scan_destroy(&scan);
    omma_pretokenizer_destroy(&pretokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
