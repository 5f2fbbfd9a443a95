/*
 * Any bytes as a PNG: as they are, and with their chunks' checksums put right, without which hardly
 * any change would get beyond the first chunk.
 */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "fuzz/picture.h"

/* Chunks as far as their lengths fit. */
static void correct_checksums(uint8_t *bytes, size_t n_bytes)
{
    size_t at = 8;

    while (at + 12 <= n_bytes) {
        size_t n = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                   (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        uLong crc;

        if (n > n_bytes - at - 12) {
            return;
        }
        crc = crc32(0, bytes + at + 4, (uInt)(n + 4));
        for (size_t i = 0; i < 4; i++) {
            bytes[at + 8 + n + i] = (uint8_t)(crc >> (24 - 8 * i));
        }
        at += 12 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t *corrected = malloc(n_bytes + 8);

    if (corrected == NULL) {
        return 0;
    }
    memcpy(corrected, "\x89PNG\r\n\x1A\n", 8);
    if (n_bytes >= 8) {
        memcpy(corrected + 8, bytes + 8, n_bytes - 8);
        correct_checksums(corrected, n_bytes);
        fuzz_picture(corrected, n_bytes);
    }
    fuzz_picture(bytes, n_bytes);
    free(corrected);
    return 0;
}
