/*
 * PNG files made chunk by chunk: how samples become RGB, what Pillow lives with and what it
 * refuses.  The expected pixels and verdicts are those of Pillow 13.0.
 */
#include <stdlib.h>
#include <string.h>

#include "format/image.h"
#include "format/png_chunks.h"
#include "support/pictures.h"
#include "support/support.h"

/* Decodes to these pixels; damaged ones are refused if strict. */
static void expect_pixels(const struct test_bytes *png, const char *rgb, size_t n_bytes,
                          bool is_damaged)
{
    struct omma_picture picture = {0};
    struct omma_error error;

    assert_ok(test_picture_decode(png, false, &picture, &error));
    assert_int_equal(picture.width * picture.height * 3, n_bytes);
    assert_memory_equal(picture.rgb, rgb, n_bytes);
    omma_picture_free(&picture);
    if (is_damaged) {
        assert_fails(OMMA_STATUS_IMAGE, "test: damaged",
                     test_picture_decode(png, true, &picture, &error));
    } else {
        assert_ok(test_picture_decode(png, true, &picture, &error));
    }
    omma_picture_free(&picture);
}

static void expect_refused(const struct test_bytes *png, const char *text)
{
    struct omma_picture picture = {0};
    struct omma_error error;

    assert_fails(OMMA_STATUS_IMAGE, text, test_picture_decode(png, false, &picture, &error));
    assert_null(picture.rgb);
}

/* E11: three pixels of every kind. */
static void test_samples(void **state)
{
    static const struct {
        uint8_t depth, colour_type;
        const char *row;
        size_t n_row;
        const char *rgb;
    } cases[] = {
        {1, 0, "\0\xA0", 2, "\xFF\xFF\xFF\0\0\0\xFF\xFF\xFF"},
        {2, 0, "\0\x6C", 2, "\x55\x55\x55\xAA\xAA\xAA\xFF\xFF\xFF"},
        {4, 0, "\0\x1F\x80", 3, "\x11\x11\x11\xFF\xFF\xFF\x88\x88\x88"},
        {8, 0, "\0\x01\x80\xFE", 4, "\x01\x01\x01\x80\x80\x80\xFE\xFE\xFE"},
        /* 16 bits of gray are clamped, not shifted */
        {16, 0, "\0\0\x07\x01\0\xFF\xFF", 7, "\x07\x07\x07\xFF\xFF\xFF\xFF\xFF\xFF"},
        {8, 2, "\0\1\2\3\4\5\6\7\x08\x09", 10, "\1\2\3\4\5\6\7\x08\x09"},
        {16, 2, "\0\1\xFF\2\xFF\3\xFF\4\0\5\0\6\0\7\0\x08\0\x09\0", 19, "\1\2\3\4\5\6\7\x08\x09"},
        /* alpha is dropped, not composited */
        {8, 4, "\0\x11\0\x22\x80\x33\xFF", 7, "\x11\x11\x11\x22\x22\x22\x33\x33\x33"},
        {16, 4, "\0\x11\xFF\0\0\x22\xFF\0\0\x33\xFF\0\0", 13,
         "\x11\x11\x11\x22\x22\x22\x33\x33\x33"},
        {8, 6, "\0\1\2\3\0\4\5\6\x80\7\x08\x09\xFF", 13, "\1\2\3\4\5\6\7\x08\x09"},
        {16, 6, "\0\1\0\2\0\3\0\0\0\4\0\5\0\6\0\0\0\7\0\x08\0\x09\0\0\0", 25,
         "\1\2\3\4\5\6\7\x08\x09"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_bytes png;

        test_png_begin(&png, 3, 1, cases[i].depth, cases[i].colour_type, 0);
        test_png_finish(&png, cases[i].row, cases[i].n_row);
        expect_pixels(&png, cases[i].rgb, 9, false);
        free(png.bytes);
    }
}

/* Indices beyond the palette are black; transparency and gamma change nothing. */
static void test_palette(void **state)
{
    struct test_bytes png;

    (void)state;
    test_png_begin(&png, 3, 1, 2, 3, 0);
    test_png_chunk(&png, "gAMA", "\0\1\x86\xA0", 4, 0);
    test_png_chunk(&png, "PLTE", "\1\2\3\4\5\6", 6, 0);
    test_png_chunk(&png, "tRNS", "\0\x80", 2, 0);
    test_png_finish(&png, "\0\x1C", 2);
    expect_pixels(&png, "\1\2\3\4\5\6\0\0\0", 9, false);
    free(png.bytes);

    test_png_begin(&png, 3, 1, 8, 3, 0);
    test_png_finish(&png, "\0\1\2\3", 4);
    expect_pixels(&png, "\0\0\0\0\0\0\0\0\0", 9, false);
    free(png.bytes);

    test_png_begin(&png, 3, 1, 8, 3, 0);
    test_png_chunk(&png, "PLTE", (uint8_t[771]){0}, 771, 0);
    test_png_finish(&png, "\0\1\2\3", 4);
    expect_refused(&png, "at most 256 colours");
    free(png.bytes);
}

/* A picture of 3 x 2 gray samples with the given compressed data, cut into two chunks at `cut`. */
static struct test_bytes gray_png(const struct test_bytes *data, size_t cut, uint32_t crc_change)
{
    struct test_bytes png;

    test_png_begin(&png, 3, 2, 8, 0, 0);
    test_png_chunk(&png, "IDAT", data->bytes, cut, crc_change);
    test_png_chunk(&png, "IDAT", data->bytes + cut, data->n_bytes - cut, 0);
    test_png_chunk(&png, "IEND", NULL, 0, 0);
    return png;
}

#define GRAY_ROWS "\0\1\2\3\0\4\5\6"
#define GRAY_RGB  "\1\1\1\2\2\2\3\3\3\4\4\4\5\5\5\6\6\6"

/* E14: wrong checksums of the data, which Pillow looks at only in passing. */
static void test_wrong_checksums(void **state)
{
    struct test_bytes data = test_bytes_deflate(GRAY_ROWS, 8), png;

    (void)state;
    png = gray_png(&data, 5, 1);
    expect_pixels(&png, GRAY_RGB, 18, true);
    free(png.bytes);

    data.bytes[data.n_bytes - 1] ^= 1; /* zlib's own, in a chunk of its own: never read */
    png = gray_png(&data, data.n_bytes - 4, 0);
    expect_pixels(&png, GRAY_RGB, 18, true);
    free(png.bytes);
    png = gray_png(&data, 0, 0); /* in one read with the last row */
    expect_refused(&png, "incorrect data check");
    free(png.bytes);
    free(data.bytes);

    for (int i = 0; i < 3; i++) {
        static const char names[][5] = {"tEXt", "gAMA", "prIv"};

        test_png_begin(&png, 3, 2, 8, 0, 0);
        test_png_chunk(&png, names[i], "abcdef", 6, 1);
        test_png_finish(&png, GRAY_ROWS, 8);
        expect_refused(&png, "its checksum is wrong");
        free(png.bytes);
    }
}

/* Data that end between two rows leave the rest black; those that end within a row are truncated.
 */
static void test_early_end(void **state)
{
    struct test_bytes data = test_bytes_deflate(GRAY_ROWS, 4), png = gray_png(&data, 3, 0);

    (void)state;
    expect_pixels(&png, "\1\1\1\2\2\2\3\3\3\0\0\0\0\0\0\0\0\0", 18, true);
    free(png.bytes);
    free(data.bytes);

    data = test_bytes_deflate(GRAY_ROWS, 6);
    png = gray_png(&data, 3, 0);
    expect_refused(&png, "after 1 rows");
    free(png.bytes);
    free(data.bytes);

    data = test_bytes_deflate(GRAY_ROWS "more", 12);
    png = gray_png(&data, 3, 0);
    expect_pixels(&png, GRAY_RGB, 18, true);
    free(png.bytes);
    free(data.bytes);

    data = test_bytes_deflate("\0\1\2\3\5\4\5\6", 8);
    png = gray_png(&data, 3, 0);
    expect_refused(&png, "filter");
    free(png.bytes);
    free(data.bytes);
}

/* Data that reach back beyond the window that their header names: some encoders wrote such, and
 * zlib is content if its own window is large enough. */
static void test_small_window(void **state)
{
    enum { WIDTH = 999 };
    uint8_t rows[2 * (WIDTH + 1)] = {0}, rgb[2 * WIDTH * 3];
    struct test_bytes data, png;
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < WIDTH; i++) {
        rows[1 + i] = (uint8_t)omma_test_random(&seed);
        rows[WIDTH + 2 + i] = rows[1 + i];
        memset(rgb + 3 * i, rows[1 + i], 3);
        memset(rgb + 3 * (WIDTH + i), rows[1 + i], 3);
    }
    data = test_bytes_deflate(rows, sizeof rows);
    assert_true(data.n_bytes < 3 * WIDTH / 2);
    memcpy(data.bytes, "\x08\x1D", 2); /* 256 bytes; 0x081D is a multiple of 31 */
    test_png_begin(&png, WIDTH, 2, 8, 0, 0);
    test_png_chunk(&png, "IDAT", data.bytes, data.n_bytes, 0);
    test_png_chunk(&png, "IEND", NULL, 0, 0);
    expect_pixels(&png, (const char *)rgb, sizeof rgb, false);
    free(png.bytes);
    free(data.bytes);
}

/* E12 with the same: the data end with the fourth of seven passes. */
static void test_interlaced_early_end(void **state)
{
    static const char rows[] = "\0\1" /* (0, 0) */ "\0\2" /* (4, 0) */ "\0\3\4" /* y 4 */
                               "\0\5\0\7" /* x 2, y 0 and 4 */;
    struct test_bytes data = test_bytes_deflate(rows, sizeof rows - 1), png;
    struct omma_picture picture = {0};
    struct omma_error error;

    (void)state;
    test_png_begin(&png, 5, 5, 8, 0, 1);
    test_png_chunk(&png, "IDAT", data.bytes, data.n_bytes, 0);
    test_png_chunk(&png, "IEND", NULL, 0, 0);
    assert_ok(test_picture_decode(&png, false, &picture, &error));
    for (size_t i = 0; i < 25; i++) {
        static const uint8_t wanted[25] = {1, 0, 5, 0, 2, [20] = 3, 0, 7, 0, 4};

        assert_int_equal(picture.rgb[3 * i], wanted[i]);
    }
    omma_picture_free(&picture);
    free(png.bytes);
    free(data.bytes);
}

/* A text whose compressed form is small and whose text is not. */
static struct test_bytes bomb_png(const char *name, const char *head, size_t n_head, size_t n_text)
{
    char *text = calloc(1, n_text);
    struct test_bytes packed = test_bytes_deflate(text, n_text), chunk = {0}, png;

    test_bytes_add(&chunk, head, n_head);
    test_bytes_add(&chunk, packed.bytes, packed.n_bytes);
    test_png_begin(&png, 3, 2, 8, 0, 0);
    test_png_chunk(&png, name, chunk.bytes, chunk.n_bytes, 0);
    test_png_finish(&png, GRAY_ROWS, 8);
    free(chunk.bytes);
    free(packed.bytes);
    free(text);
    return png;
}

/* E15: profiles and texts of more than a MiB, decompressed. */
static void test_text_bombs(void **state)
{
    static const struct {
        const char *name, *head;
        size_t n_head;
    } cases[] = {{"iCCP", "n\0\0", 3}, {"zTXt", "n\0\0", 3}, {"iTXt", "n\0\1\0\0\0", 6}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct test_bytes png =
            bomb_png(cases[i].name, cases[i].head, cases[i].n_head, OMMA_PNG_MAX_TEXT_BYTES - 1);

        expect_pixels(&png, GRAY_RGB, 18, false);
        free(png.bytes);
        png = bomb_png(cases[i].name, cases[i].head, cases[i].n_head, OMMA_PNG_MAX_TEXT_BYTES + 1);
        expect_refused(&png, "at most 1 MiB");
        free(png.bytes);
        png = bomb_png(cases[i].name, cases[i].head, cases[i].n_head, 100u << 20);
        expect_refused(&png, "at most 1 MiB");
        free(png.bytes);
    }
}

/* 65 texts of a MiB each are more than Pillow keeps. */
static void test_too_many_texts(void **state)
{
    struct test_bytes png, packed;
    char *text = malloc(OMMA_PNG_MAX_TEXT_BYTES);

    (void)state;
    memset(text, 'a', OMMA_PNG_MAX_TEXT_BYTES);
    packed = test_bytes_deflate(text, OMMA_PNG_MAX_TEXT_BYTES - 1);
    for (size_t n = 64; n <= 65; n++) {
        test_png_begin(&png, 3, 2, 8, 0, 0);
        for (size_t i = 0; i < n; i++) {
            struct test_bytes chunk = {0};

            test_bytes_add(&chunk, "k\0\0", 3);
            test_bytes_add(&chunk, packed.bytes, packed.n_bytes);
            test_png_chunk(&png, "zTXt", chunk.bytes, chunk.n_bytes, 0);
            free(chunk.bytes);
        }
        test_png_finish(&png, GRAY_ROWS, 8);
        if (n == 64) {
            expect_pixels(&png, GRAY_RGB, 18, false);
        } else {
            expect_refused(&png, "at most 64 MiB of texts");
        }
        free(png.bytes);
    }
    free(packed.bytes);
    free(text);
}

/* E6: the header alone says that it is too much. */
static void test_size_is_checked_first(void **state)
{
    static const uint32_t sizes[][2] = {{64250, 64250}, {0x7FFFFFFF, 0x7FFFFFFF}, {UINT32_MAX, 1}};
    struct test_bytes png;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        test_png_begin(&png, sizes[i][0], sizes[i][1], 8, 6, 0);
        test_png_finish(&png, "\0", 1);
        expect_refused(&png, "at most 178956970 pixels");
        free(png.bytes);
    }
    test_png_begin(&png, 0, 5, 8, 6, 0);
    test_png_finish(&png, "\0", 1);
    expect_refused(&png, "at least 1x1");
    free(png.bytes);
}

static void test_headers(void **state)
{
    static const struct {
        uint8_t depth, colour_type;
    } unknown[] = {{3, 0}, {16, 3}, {4, 2}, {8, 1}, {32, 0}, {0, 0}, {200, 2}};
    struct test_bytes png;

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        test_png_begin(&png, 1, 1, unknown[i].depth, unknown[i].colour_type, 0);
        test_png_finish(&png, "\0\0\0\0\0\0\0\0\0", 9);
        expect_refused(&png, "no pixels come before it");
        free(png.bytes);
    }
    test_png_begin(&png, 1, 1, 8, 0, 0);
    test_png_chunk(&png, "cHRM", "short", 5, 0);
    test_png_finish(&png, "\0\0", 2);
    expect_refused(&png, "chunk cHRM @33: it is too short");
    free(png.bytes);
}

static void add_frame(struct test_bytes *png, uint8_t sequence, uint8_t width, uint8_t height)
{
    uint8_t frame[26] = {[3] = sequence, [7] = width, [11] = height, [23] = 1};

    test_png_chunk(png, "fcTL", frame, sizeof frame, 0);
}

/* E13: of an animation the first frame, whether or not it is the default picture too. */
static void test_animation(void **state)
{
    struct test_bytes png, first = test_bytes_deflate(GRAY_ROWS, 8),
                           second = test_bytes_deflate("\0\0\0\0\0\7\7\7\7", 8), numbered = {0};

    (void)state;
    test_bytes_add(&numbered, "\0\0\0\2", 4);
    test_bytes_add(&numbered, second.bytes, second.n_bytes);
    test_png_begin(&png, 3, 2, 8, 0, 0);
    test_png_chunk(&png, "acTL", "\0\0\0\2\0\0\0", 8, 0);
    add_frame(&png, 0, 3, 2);
    test_png_chunk(&png, "IDAT", first.bytes, first.n_bytes, 0);
    add_frame(&png, 1, 3, 2);
    test_png_chunk(&png, "fdAT", numbered.bytes, numbered.n_bytes, 0);
    test_png_chunk(&png, "IEND", NULL, 0, 0);
    expect_pixels(&png, GRAY_RGB, 18, false);
    free(png.bytes);

    test_png_begin(&png, 3, 2, 8, 0, 0); /* a frame smaller than the picture */
    test_png_chunk(&png, "acTL", "\0\0\0\2\0\0\0", 8, 0);
    add_frame(&png, 0, 3, 1);
    test_png_finish(&png, "\0\1\2\3", 4);
    expect_pixels(&png, "\1\1\1\2\2\2\3\3\3\0\0\0\0\0\0\0\0\0", 18, false);
    free(png.bytes);

    test_png_begin(&png, 3, 2, 8, 0, 0);
    add_frame(&png, 1, 3, 2);
    test_png_finish(&png, GRAY_ROWS, 8);
    expect_refused(&png, "sequence number is out of order");
    free(png.bytes);

    test_png_begin(&png, 3, 2, 8, 0, 0);
    add_frame(&png, 0, 4, 2);
    test_png_finish(&png, GRAY_ROWS, 8);
    expect_refused(&png, "reaches beyond the picture");
    free(png.bytes);
    free(numbered.bytes);
    free(second.bytes);
    free(first.bytes);
}

/* E16, and a file that ends anywhere: before the last data it is refused, behind them it is not. */
static void test_every_end(void **state)
{
    struct test_bytes png;
    size_t n_whole, n_data_end;

    (void)state;
    test_png_begin(&png, 3, 2, 8, 0, 0);
    test_png_chunk(&png, "tEXt", "key\0text", 8, 0);
    test_png_finish(&png, GRAY_ROWS, 8);
    n_whole = png.n_bytes;
    n_data_end = n_whole - 12 - 4; /* IEND, the data's checksum */
    test_bytes_add(&png, "more", 4);
    expect_pixels(&png, GRAY_RGB, 18, false);
    for (png.n_bytes = 0; png.n_bytes < n_whole; png.n_bytes++) {
        struct omma_picture picture = {0};
        struct omma_error error;
        enum omma_status status = test_picture_decode(&png, false, &picture, &error);

        if (png.n_bytes >= n_data_end) {
            assert_int_equal(status, OMMA_OK);
        } else if (png.n_bytes < n_data_end - 6) { /* zlib's checksum is not needed */
            assert_int_equal(status, OMMA_STATUS_IMAGE);
            assert_null(picture.rgb);
        }
        omma_picture_free(&picture);
    }
    free(png.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_wrong_checksums),
        cmocka_unit_test(test_early_end),
        cmocka_unit_test(test_small_window),
        cmocka_unit_test(test_interlaced_early_end),
        cmocka_unit_test(test_text_bombs),
        cmocka_unit_test(test_too_many_texts),
        cmocka_unit_test(test_size_is_checked_first),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_animation),
        cmocka_unit_test(test_every_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
