/*
 * Well-formed UTF-8.  The first byte tells the length and the range of the second (which is where
 * overlong forms, surrogates and values above U+10FFFF show); the others are 80..BF.
 */
#include "base/utf8.h"

enum omma_utf8_kind omma_utf8_next(const char *bytes, size_t n_bytes, size_t *length,
                                   uint32_t *code)
{
    uint8_t first = (uint8_t)bytes[0], low = 0x80, high = 0xBF;
    size_t n_follow;
    uint32_t value;

    *length = 1;
    if (first < 0x80) {
        n_follow = 0;
        value = first;
    } else if (first >= 0xC2 && first <= 0xDF) {
        n_follow = 1;
        value = first & 0x1Fu;
    } else if (first >= 0xE0 && first <= 0xEF) {
        n_follow = 2;
        value = first & 0x0Fu;
        low = first == 0xE0 ? 0xA0 : low;
        high = first == 0xED ? 0x9F : high;
    } else if (first >= 0xF0 && first <= 0xF4) {
        n_follow = 3;
        value = first & 0x07u;
        low = first == 0xF0 ? 0x90 : low;
        high = first == 0xF4 ? 0x8F : high;
    } else {
        return OMMA_UTF8_BAD;
    }
    for (; n_follow > 0; n_follow--, ++*length) {
        uint8_t byte;

        if (*length == n_bytes) {
            return OMMA_UTF8_PARTIAL;
        }
        byte = (uint8_t)bytes[*length];
        if (byte < low || byte > high) {
            return OMMA_UTF8_BAD;
        }
        value = value << 6 | (byte & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    if (code != NULL) {
        *code = value;
    }
    return OMMA_UTF8_WHOLE;
}

enum omma_status omma_utf8_check(const char *name, const char *text, size_t n_bytes,
                                 struct omma_error *error)
{
    size_t at = 0, length;

    while (at < n_bytes) {
        enum omma_utf8_kind kind = omma_utf8_next(text + at, n_bytes - at, &length, NULL);

        if (kind == OMMA_UTF8_PARTIAL) {
            return omma_fail(error, OMMA_STATUS_PROMPT,
                             "%s @%zu: expected UTF-8, found a character cut off at the end", name,
                             at);
        }
        if (kind == OMMA_UTF8_BAD) {
            at += length > 1 ? length : 0; /* a good beginning: the byte after it is at fault */
            return omma_fail(error, OMMA_STATUS_PROMPT,
                             "%s @%zu: expected UTF-8, found byte 0x%02X", name, at,
                             (unsigned)(uint8_t)text[at]);
        }
        at += length;
    }
    return OMMA_OK;
}
