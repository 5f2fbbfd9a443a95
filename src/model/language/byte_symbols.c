/* GPT-2's mapping between bytes and printable characters. */
#include "model/language/byte_symbols.h"

#include "base/utf8.h"

static bool stands_for_itself(int byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

void omma_byte_symbols_init(struct omma_byte_symbols *symbols)
{
    int next = 0x100;

    for (int code = 0; code < 0x144; code++) {
        symbols->byte_of[code] = -1;
    }
    for (int byte = 0; byte < 256; byte++) {
        symbols->byte_of[stands_for_itself(byte) ? byte : next++] = (int16_t)byte;
    }
}

bool omma_byte_symbols_decode(const struct omma_byte_symbols *symbols, const char *text,
                              size_t n_text, char *bytes, size_t *n_bytes)
{
    size_t n = 0, length;

    for (size_t at = 0; at < n_text; at += length) {
        uint32_t code = 0;

        if (omma_utf8_next(text + at, n_text - at, &length, &code) != OMMA_UTF8_WHOLE ||
            code >= 0x144 || symbols->byte_of[code] < 0) {
            return false;
        }
        bytes[n++] = (char)symbols->byte_of[code];
    }
    *n_bytes = n;
    return true;
}
