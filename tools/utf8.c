/* Decoding of one character; white space as Python's str.isspace() has it. */
#include "tools/utf8.h"

size_t utf8_character(const char *bytes, size_t n_bytes, uint32_t *character)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t minimum;
    } forms[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
    const unsigned char *b = (const unsigned char *)bytes;

    for (size_t n = 1; n <= 4 && n <= n_bytes; n++) {
        uint32_t value = b[0] & (0xFFu ^ forms[n - 1].mask);

        if ((b[0] & forms[n - 1].mask) != forms[n - 1].lead) {
            continue;
        }
        for (size_t i = 1; i < n; i++) {
            if ((b[i] & 0xC0) != 0x80) {
                return 0;
            }
            value = value << 6 | (b[i] & 0x3F);
        }
        if (value < forms[n - 1].minimum || value > 0x10FFFF ||
            (value >= 0xD800 && value <= 0xDFFF)) {
            return 0;
        }
        if (character != NULL) {
            *character = value;
        }
        return n;
    }
    return 0;
}

bool utf8_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

size_t utf8_leading_space(const char *bytes, size_t n_bytes)
{
    size_t n_space = 0;

    while (n_space < n_bytes) {
        uint32_t c;
        size_t n = utf8_character(bytes + n_space, n_bytes - n_space, &c);

        if (n == 0 || !utf8_is_space(c)) {
            break;
        }
        n_space += n;
    }
    return n_space;
}

size_t utf8_trailing_space(const char *bytes, size_t n_bytes)
{
    size_t end = n_bytes;

    while (end > 0) {
        size_t start = end - 1;
        uint32_t c;

        while (start > 0 && ((unsigned char)bytes[start] & 0xC0) == 0x80) {
            start--;
        }
        if (utf8_character(bytes + start, end - start, &c) != end - start || !utf8_is_space(c)) {
            break;
        }
        end = start;
    }
    return n_bytes - end;
}

void utf8_strip(const char *bytes, size_t n_bytes, size_t *begin, size_t *end)
{
    *begin = utf8_leading_space(bytes, n_bytes);
    *end = n_bytes - utf8_trailing_space(bytes + *begin, n_bytes - *begin);
}
