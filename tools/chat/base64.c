/* Four characters to three bytes. */
#include "tools/chat/base64.h"

/* 0 to 63, or -1 */
static int value_of(char character)
{
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - 'a' + 26;
    }
    if (character >= '0' && character <= '9') {
        return character - '0' + 52;
    }
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

bool base64_decode(const char *text, size_t n_text, uint8_t *bytes, size_t *n_bytes, size_t *bad)
{
    size_t n_padding = 0, n_values;

    while (n_padding < 2 && n_padding < n_text && text[n_text - 1 - n_padding] == '=') {
        n_padding++;
    }
    n_values = n_text - n_padding;
    *n_bytes = 0;
    *bad = n_text;
    if (n_text % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < n_values; i += 4) {
        size_t n = n_values - i < 4 ? n_values - i : 4;
        uint32_t bits = 0;

        for (size_t k = 0; k < n; k++) {
            int value = value_of(text[i + k]);

            if (value < 0) {
                *bad = i + k;
                return false;
            }
            bits |= (uint32_t)value << (18 - 6 * k);
        }
        for (size_t k = 0; k + 1 < n; k++) {
            bytes[(*n_bytes)++] = (uint8_t)(bits >> (16 - 8 * k));
        }
        if (n < 4 && (bits & (n == 3 ? 0xFF : 0xFFFF)) != 0) {
            *bad = i + n - 1;
            return false;
        }
    }
    return true;
}
