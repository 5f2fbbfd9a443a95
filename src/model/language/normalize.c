/*
 * NFC with utf8proc's tables: decompose each character, put runs of combining marks into the order
 * of their classes, compose.
 *
 * The ordering is done here, by counting: utf8proc's own (utf8proc_decompose) sorts by insertion,
 * which takes the square of the time on a long run of marks.
 */
#include "model/language/normalize.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/checked.h"
#include "base/utf8.h"

enum {
    /* The longest canonical decomposition of one character has 4 (U+1F82 and its like). */
    MAX_DECOMPOSITION = 4,
    N_CLASSES = 256,
};

/* Characters below U+0300 are starters and compose with nothing before them; their first bytes are
 * below 0xCC. */
static bool is_surely_normal(const char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        if ((uint8_t)text[i] >= 0xCC) {
            return false;
        }
    }
    return true;
}

static unsigned combining_class(int32_t code)
{
    return (unsigned)utf8proc_get_property(code)->combining_class & (N_CLASSES - 1);
}

/* Sort codes[n] by combining class, equal ones as they come; scratch: [n]. */
static void order_marks(int32_t *codes, size_t n, int32_t *scratch)
{
    size_t begin[N_CLASSES + 1] = {0};

    for (size_t i = 0; i < n; i++) {
        begin[combining_class(codes[i]) + 1]++;
    }
    for (size_t i = 1; i <= N_CLASSES; i++) {
        begin[i] += begin[i - 1];
    }
    for (size_t i = 0; i < n; i++) {
        scratch[begin[combining_class(codes[i])]++] = codes[i];
    }
    memcpy(codes, scratch, n * sizeof *codes);
}

static void order_runs(int32_t *codes, size_t n_codes, int32_t *scratch)
{
    for (size_t at = 0; at < n_codes;) {
        size_t end = at;

        while (end < n_codes && combining_class(codes[end]) != 0) {
            end++;
        }
        if (end - at > 1) {
            order_marks(codes + at, end - at, scratch);
        }
        at = end + 1;
    }
}

/* codes: room for MAX_DECOMPOSITION a character; returns how many were written. */
static size_t decompose(const char *text, size_t n_bytes, int32_t *codes)
{
    size_t n_codes = 0, length;

    for (size_t at = 0; at < n_bytes; at += length) {
        uint32_t code = 0;
        int boundary = 0;

        omma_utf8_next(text + at, n_bytes - at, &length, &code);
        n_codes +=
            (size_t)utf8proc_decompose_char((int32_t)code, codes + n_codes, MAX_DECOMPOSITION,
                                            UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary);
    }
    return n_codes;
}

static size_t count_characters(const char *text, size_t n_bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        n += ((uint8_t)text[i] & 0xC0) != 0x80;
    }
    return n;
}

enum omma_status omma_normalize_nfc(const char *text, size_t n_bytes, const char **result,
                                    size_t *n_result, char **owned, struct omma_error *error)
{
    size_t n_codes, n_room, n_out = 0;
    int32_t *codes, *scratch;
    char *out;

    *owned = NULL;
    if (is_surely_normal(text, n_bytes)) {
        *result = text;
        *n_result = n_bytes;
        return OMMA_OK;
    }
    /* The codes, and as many for sorting. */
    if (!omma_checked_multiply(count_characters(text, n_bytes),
                               2 * MAX_DECOMPOSITION * sizeof *codes, &n_room)) {
        return omma_fail_memory(error, SIZE_MAX, "normalisation");
    }
    codes = malloc(n_room);
    if (codes == NULL) {
        return omma_fail_memory(error, n_room, "normalisation");
    }
    n_codes = decompose(text, n_bytes, codes);
    scratch = codes + n_codes;
    order_runs(codes, n_codes, scratch);
    n_codes = (size_t)utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)n_codes,
                                               UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    /* A character takes at most 4 bytes, as it does in codes: writing never overtakes reading. */
    out = (char *)codes;
    for (size_t i = 0; i < n_codes; i++) {
        int32_t code = codes[i];

        n_out += (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)out + n_out);
    }
    *result = *owned = out;
    *n_result = n_out;
    return OMMA_OK;
}
