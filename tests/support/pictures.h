/*
 * pictures.h - picture files made by tests, chunk by chunk.
 */
#ifndef OMMA_TESTS_PICTURES_H
#define OMMA_TESTS_PICTURES_H

#include "format/image.h"

/* Bytes that grow; all zeroes is an empty one.  free() bytes. */
struct test_bytes {
    uint8_t *bytes;
    size_t n_bytes;
};

void test_bytes_add(struct test_bytes *to, const void *bytes, size_t n_bytes);

/* What zlib makes of the bytes. */
struct test_bytes test_bytes_deflate(const void *bytes, size_t n_bytes);

/* A PNG begins with the signature and its header. */
void test_png_begin(struct test_bytes *png, uint32_t width, uint32_t height, uint8_t depth,
                    uint8_t colour_type, uint8_t interlace);
/* name is four characters; crc_change is added to the right checksum. */
void test_png_chunk(struct test_bytes *png, const char *name, const void *bytes, size_t n_bytes,
                    uint32_t crc_change);
/* The rows, each with its filter's byte, in one IDAT chunk, and IEND. */
void test_png_finish(struct test_bytes *png, const void *rows, size_t n_bytes);

/* Decode bytes named "test". */
enum omma_status test_picture_decode(const struct test_bytes *bytes, bool strict,
                                     struct omma_picture *picture, struct omma_error *error);

/* SHA-256 in hex. */
void test_digest(const void *bytes, size_t n_bytes, char hex[65]);

#endif
