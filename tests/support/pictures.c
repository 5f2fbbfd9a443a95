/* Picture files for tests; every failure ends the test. */
#include "support/pictures.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "format/sha256.h"
#include "support/support.h"

void test_bytes_add(struct test_bytes *to, const void *bytes, size_t n_bytes)
{
    to->bytes = realloc(to->bytes, to->n_bytes + n_bytes + 1);
    assert_non_null(to->bytes);
    if (n_bytes > 0) {
        memcpy(to->bytes + to->n_bytes, bytes, n_bytes);
    }
    to->n_bytes += n_bytes;
}

struct test_bytes test_bytes_deflate(const void *bytes, size_t n_bytes)
{
    uLongf n_out = compressBound(n_bytes);
    struct test_bytes out = {malloc(n_out), 0};

    assert_non_null(out.bytes);
    assert_int_equal(compress(out.bytes, &n_out, bytes, n_bytes), Z_OK);
    out.n_bytes = n_out;
    return out;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

void test_png_chunk(struct test_bytes *png, const char *name, const void *bytes, size_t n_bytes,
                    uint32_t crc_change)
{
    uint8_t head[8], crc[4];
    uLong sum = crc32(0, (const Bytef *)name, 4);

    sum = n_bytes > 0 ? crc32(sum, bytes, (uInt)n_bytes) : sum;
    put_u32(head, (uint32_t)n_bytes);
    memcpy(head + 4, name, 4);
    put_u32(crc, (uint32_t)sum + crc_change);
    test_bytes_add(png, head, 8);
    test_bytes_add(png, bytes, n_bytes);
    test_bytes_add(png, crc, 4);
}

void test_png_begin(struct test_bytes *png, uint32_t width, uint32_t height, uint8_t depth,
                    uint8_t colour_type, uint8_t interlace)
{
    uint8_t header[13] = {[8] = depth, [9] = colour_type, [12] = interlace};

    *png = (struct test_bytes){0};
    put_u32(header, width);
    put_u32(header + 4, height);
    test_bytes_add(png, "\x89PNG\r\n\x1A\n", 8);
    test_png_chunk(png, "IHDR", header, sizeof header, 0);
}

void test_png_finish(struct test_bytes *png, const void *rows, size_t n_bytes)
{
    struct test_bytes data = test_bytes_deflate(rows, n_bytes);

    test_png_chunk(png, "IDAT", data.bytes, data.n_bytes, 0);
    test_png_chunk(png, "IEND", NULL, 0, 0);
    free(data.bytes);
}

enum omma_status test_picture_decode(const struct test_bytes *bytes, bool strict,
                                     struct omma_picture *picture, struct omma_error *error)
{
    struct omma_picture_source source = {
        .name = "test", .bytes = bytes->bytes, .n_bytes = bytes->n_bytes, .strict = strict};

    return omma_picture_decode(&source, picture, error);
}

void test_digest(const void *bytes, size_t n_bytes, char hex[65])
{
    struct omma_sha256 *hash = NULL;
    struct omma_error error;
    uint8_t digest[32];

    assert_ok(omma_sha256_begin(&hash, &error));
    omma_sha256_add(hash, bytes, n_bytes);
    omma_sha256_end(&hash, digest);
    omma_sha256_hex(digest, hex);
}
