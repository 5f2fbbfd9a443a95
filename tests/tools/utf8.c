/* Characters and white space of UTF-8 text, and JSON strings of what is none. */
#include <string.h>

#include "tools/json_out.h" /* first: cmocka has a macro fail() */
#include "tools/utf8.h"
#include "support/support.h"

static void test_characters(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        uint32_t character;
    } cases[] = {
        {"a", 1, 'a'},
        {"\x7F", 1, 0x7F},
        {"\xC3\xA9x", 2, 0xE9},
        {"\xE4\xB9\xA6", 3, 0x4E66},
        {"\xF0\x9F\x98\x80", 4, 0x1F600},
        {"\xF4\x8F\xBF\xBF", 4, 0x10FFFF},
        {"\x80", 0, 0}, /* no start */
        {"\xC3", 0, 0}, /* cut short */
        {"\xE4\xB9", 0, 0},
        {"\xC3(", 0, 0},
        {"\xC0\xAF", 0, 0}, /* overlong */
        {"\xE0\x80\xAF", 0, 0},
        {"\xF0\x80\x80\xAF", 0, 0},
        {"\xED\xA0\x80", 0, 0},     /* surrogate */
        {"\xF4\x90\x80\x80", 0, 0}, /* beyond U+10FFFF */
        {"\xFF", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t character = 0;

        assert_int_equal(utf8_character(cases[i].bytes, strlen(cases[i].bytes), &character),
                         cases[i].n);
        assert_int_equal(character, cases[i].character);
    }
    assert_int_equal(utf8_character("", 0, NULL), 0);
    assert_int_equal(utf8_character("\0", 1, NULL), 1);
}

static void test_white_space(void **state)
{
    static const char text[] = "\t \xC2\xA0\xE3\x80\x80x y \n\xE2\x80\x89\x1F";
    static const char none[] = "\xE2\x80\x8Bx\xE2\x80\x8B"; /* U+200B is none */
    size_t n = sizeof text - 1;

    (void)state;
    assert_int_equal(utf8_leading_space(text, n), 7);
    assert_int_equal(utf8_trailing_space(text, n), 6);
    assert_int_equal(utf8_leading_space(none, sizeof none - 1), 0);
    assert_int_equal(utf8_trailing_space(none, sizeof none - 1), 0);
    assert_int_equal(utf8_leading_space(" \n", 2), 2);
    assert_int_equal(utf8_trailing_space(" \n", 2), 2);
    assert_int_equal(utf8_leading_space("", 0), 0);
    assert_int_equal(utf8_trailing_space("", 0), 0);
    assert_int_equal(utf8_trailing_space("\x80 ", 2), 1);
}

static void test_json_text(void **state)
{
    static const char bytes[] = "a\xFF\xE4\xB9\0\xE4\xB9\xA6";
    json_t *value = json_out_text(bytes, sizeof bytes - 1);
    static const char expected[] = "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\0\xE4\xB9\xA6";

    (void)state;
    assert_non_null(value);
    assert_int_equal(json_string_length(value), sizeof expected - 1);
    assert_memory_equal(json_string_value(value), expected, sizeof expected - 1);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_white_space),
        cmocka_unit_test(test_json_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
