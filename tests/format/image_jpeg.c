/*
 * JPEG files made by libjpeg and then spoilt: what Pillow takes and what it refuses.  Pictures of
 * every common kind, with Pillow's pixels, are among tests/data/images, which
 * tests/model/vision/image_processor.c goes through.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jpeglib.h>

#include "base/checked.h"
#include "format/image.h"
#include "support/pictures.h"
#include "support/support.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { TEST_HAS_SANITIZER = 1 };
#else
enum { TEST_HAS_SANITIZER = 0 };
#endif

enum { SIDE = 24 };

struct settings {
    J_COLOR_SPACE space, stored; /* of the samples given, and of those in the file */
    int n_components;
    const uint8_t *colour; /* [n_components], of the whole picture; NULL: noise */
    const jpeg_scan_info *scans;
    int n_scans;
    bool no_adobe, is_arithmetic;
};

static struct test_bytes make_jpeg(const struct settings *settings)
{
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long n_out = 0;
    uint64_t seed = 5;

    cinfo.err = jpeg_std_error(&errors); /* its errors end the test program */
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &out, &n_out);
    cinfo.image_width = SIDE;
    cinfo.image_height = SIDE;
    cinfo.input_components = settings->n_components;
    cinfo.in_color_space = settings->space;
    jpeg_set_defaults(&cinfo);
    jpeg_set_colorspace(&cinfo, settings->stored);
    jpeg_set_quality(&cinfo, 100, TRUE);
    cinfo.scan_info = settings->scans;
    cinfo.num_scans = settings->n_scans;
    cinfo.arith_code = settings->is_arithmetic;
    cinfo.optimize_coding = settings->scans != NULL;
    if (settings->no_adobe) {
        cinfo.write_Adobe_marker = FALSE;
    }
    jpeg_start_compress(&cinfo, TRUE);
    for (int y = 0; y < SIDE; y++) {
        uint8_t samples[4 * SIDE], *row = samples;

        for (int i = 0; i < SIDE * settings->n_components; i++) {
            samples[i] = settings->colour != NULL ? settings->colour[i % settings->n_components]
                                                  : (uint8_t)omma_test_random(&seed);
        }
        jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    return (struct test_bytes){out, n_out};
}

static const struct settings gray = {
    .space = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .n_components = 1};
static const struct settings rgb = {.space = JCS_RGB, .stored = JCS_YCbCr, .n_components = 3};

static void expect_refused(const struct test_bytes *jpeg, const char *text)
{
    struct omma_picture picture = {0};
    struct omma_error error;

    assert_fails(OMMA_STATUS_IMAGE, text, test_picture_decode(jpeg, false, &picture, &error));
    assert_null(picture.rgb);
}

/* Where a marker stands; fails the test if it is not there. */
static uint8_t *find_marker(const struct test_bytes *jpeg, uint8_t code)
{
    const uint8_t marker[2] = {0xFF, code};
    uint8_t *at = memmem(jpeg->bytes, jpeg->n_bytes, marker, 2);

    assert_non_null(at);
    return at;
}

/* Put bytes in behind the first marker of the file. */
static struct test_bytes insert(const struct test_bytes *jpeg, const char *bytes, size_t n_bytes)
{
    struct test_bytes made = {0};

    test_bytes_add(&made, jpeg->bytes, 2);
    test_bytes_add(&made, bytes, n_bytes);
    test_bytes_add(&made, jpeg->bytes + 2, jpeg->n_bytes - 2);
    return made;
}

/* E5: every coefficient in a scan of its own, first without its lowest bit. */
static void test_number_of_scans(void **state)
{
    jpeg_scan_info scans[128];
    struct settings settings = gray;
    struct omma_picture picture = {0};
    struct omma_error error;
    struct test_bytes jpeg;
    int n = 0;

    (void)state;
    for (int k = 0; k < 64; k++) {
        scans[n++] = (jpeg_scan_info){1, {0}, k, k, 0, 1};
    }
    for (int k = 0; k < 64; k++) {
        scans[n++] = (jpeg_scan_info){1, {0}, k, k, 1, 0};
    }
    settings.scans = scans;
    settings.n_scans = OMMA_JPEG_MAX_SCANS;
    jpeg = make_jpeg(&settings);
    assert_ok(test_picture_decode(&jpeg, false, &picture, &error));
    omma_picture_free(&picture);
    free(jpeg.bytes);
    settings.n_scans = OMMA_JPEG_MAX_SCANS + 1;
    jpeg = make_jpeg(&settings);
    expect_refused(&jpeg, "at most 100 scans");
    free(jpeg.bytes);
}

/* E8: CMYK is taken to be Adobe's inverted one with or without Adobe's marker. */
static void test_cmyk(void **state)
{
    static const uint8_t stored[4] = {200, 100, 50, 220}, wanted[3] = {173, 86, 43};
    const struct settings kinds[] = {
        {.space = JCS_CMYK, .stored = JCS_CMYK, .n_components = 4, .colour = stored},
        {.space = JCS_CMYK,
         .stored = JCS_CMYK,
         .n_components = 4,
         .colour = stored,
         .no_adobe = true},
        {.space = JCS_CMYK, .stored = JCS_YCCK, .n_components = 4, .colour = stored},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct test_bytes jpeg = make_jpeg(&kinds[i]);
        struct omma_picture picture = {0};
        struct omma_error error;

        assert_ok(test_picture_decode(&jpeg, true, &picture, &error));
        for (size_t k = 0; k < SIDE * SIDE * 3; k++) {
            int off = picture.rgb[k] - wanted[k % 3];

            assert_in_range(off + 2, kinds[i].stored == JCS_YCCK ? 0 : 2,
                            kinds[i].stored == JCS_YCCK ? 4 : 2);
        }
        omma_picture_free(&picture);
        free(jpeg.bytes);
    }
}

/* E9: gray becomes RGB, arithmetic coding is read, 12 bits and lossless are not. */
static void test_kinds(void **state)
{
    struct settings settings = gray;
    struct test_bytes jpeg = make_jpeg(&settings), other;
    struct omma_picture picture = {0}, second = {0};
    struct omma_error error;

    (void)state;
    assert_ok(test_picture_decode(&jpeg, true, &picture, &error));
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        assert_int_equal(picture.rgb[3 * i], picture.rgb[3 * i + 1]);
        assert_int_equal(picture.rgb[3 * i], picture.rgb[3 * i + 2]);
    }
    settings.is_arithmetic = true;
    other = make_jpeg(&settings);
    assert_ok(test_picture_decode(&other, true, &second, &error));
    assert_memory_equal(picture.rgb, second.rgb, SIDE * SIDE * 3);
    omma_picture_free(&second);
    omma_picture_free(&picture);
    free(other.bytes);

    find_marker(&jpeg, 0xC0)[1] = 0xC3;
    expect_refused(&jpeg, "test: JPEG data");
    find_marker(&jpeg, 0xC3)[4] = 12;
    expect_refused(&jpeg, "expected 8 bits a sample, found 12");
    free(jpeg.bytes);
}

/* The parser before libjpeg: Pillow's. */
static void test_headers(void **state)
{
    static const struct {
        const char *bytes;
        size_t n_bytes;
        const char *text;
    } refused[] = {
        {"\xFF\xE0\0\x08JFIF\0\1", 10, "application segment"},
        {"\xFF\xEE\0\x08"
         "Adobe\0",
         10, "application segment"},
        {"\xFF\xE2\0\x0EICC_PROFILE\0", 16, "ICC profile"},
        {"\xFF\xED\0\x16Photoshop 3.0\0"
         "8BIM\3\xED",
         24, "Photoshop segment"},
        {"\xFF\xDB\0\x05\0\1\2", 7, "quantization table"},
        {"\xFF\xC0\0\x0B\x08\0\1\0\1\2\1\x11\0", 13, "1, 3 or 4 components, found 2"},
        {"\xFF\xC0\0\x09\x08\0\1\0\1\1\1", 11, "3 a component"},
        {"\xFF\x01", 2, "expected c0 to fe, found 01"},
        {"\xFF\xD8", 2, "JPEG data"},
    };
    static const struct {
        const char *bytes;
        size_t n_bytes;
    } taken[] = {
        {"\xFF\xE2\0\x10ICC_PROFILE\0\1\1", 18},
        {"\xFF\xED\0\x1EPhotoshop 3.0\0"
         "8BIM\3\xED\0\0\0\0\0\2ab",
         32},
        {"\xFF\xFF\xFF\xFE\0\2", 6},
        {"\xFF\xFE\0\5\xFF\xDA\xFF", 7},
    };
    struct test_bytes jpeg = make_jpeg(&rgb), made;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        made = insert(&jpeg, refused[i].bytes, refused[i].n_bytes);
        expect_refused(&made, refused[i].text);
        free(made.bytes);
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct omma_picture picture = {0};
        struct omma_error error;

        made = insert(&jpeg, taken[i].bytes, taken[i].n_bytes);
        assert_ok(test_picture_decode(&made, false, &picture, &error));
        omma_picture_free(&picture);
        free(made.bytes);
    }
    free(jpeg.bytes);
}

/* E6: the header alone says that it is too much. */
static void test_size_is_checked_first(void **state)
{
    struct test_bytes jpeg = make_jpeg(&rgb);
    uint8_t *frame = find_marker(&jpeg, 0xC0);

    (void)state;
    memcpy(frame + 5, "\xFA\xFA\xFA\xFA", 4); /* height, width */
    expect_refused(&jpeg, "at most 178956970 pixels, found 64250x64250");
    memcpy(frame + 5, "\0\0\0\5", 4);
    expect_refused(&jpeg, "at least 1x1");
    free(jpeg.bytes);
}

/* E4: a file that ends anywhere before its last bytes is refused as truncated; nothing leaks (E20).
 */
static void test_every_end(void **state)
{
    struct test_bytes jpeg = make_jpeg(&rgb);
    size_t n_whole = jpeg.n_bytes;

    (void)state;
    for (jpeg.n_bytes = 4; jpeg.n_bytes < n_whole - 4; jpeg.n_bytes++) {
        expect_refused(&jpeg, "truncated");
    }
    free(jpeg.bytes);
}

/* E4, E16: what Pillow lives with is damage to the strict; bytes behind the end are not even that.
 */
static void test_damage(void **state)
{
    struct test_bytes jpeg = make_jpeg(&rgb), stray = {0};
    uint8_t *scan = find_marker(&jpeg, 0xDA);
    struct omma_picture picture = {0}, whole = {0};
    struct omma_error error;

    (void)state;
    assert_ok(test_picture_decode(&jpeg, true, &whole, &error));
    test_bytes_add(&stray, jpeg.bytes, (size_t)(scan - jpeg.bytes));
    test_bytes_add(&stray, "\x12\x34", 2);
    test_bytes_add(&stray, scan, jpeg.n_bytes - (size_t)(scan - jpeg.bytes));
    assert_ok(test_picture_decode(&stray, false, &picture, &error));
    assert_memory_equal(picture.rgb, whole.rgb, SIDE * SIDE * 3);
    omma_picture_free(&picture);
    assert_fails(OMMA_STATUS_IMAGE, "damaged: Corrupt JPEG data",
                 test_picture_decode(&stray, true, &picture, &error));
    assert_null(picture.rgb);

    test_bytes_add(&jpeg, "more\xFF\xDA", 6);
    assert_ok(test_picture_decode(&jpeg, true, &picture, &error));
    assert_memory_equal(picture.rgb, whole.rgb, SIDE * SIDE * 3);
    omma_picture_free(&picture);
    omma_picture_free(&whole);
    free(stray.bytes);
    free(jpeg.bytes);
}

/* Memory that libjpeg cannot have is not the picture's fault: a child with little address space
 * decodes a progressive picture, for which libjpeg holds all coefficients. */
static void test_short_memory(void **state)
{
    jpeg_scan_info scans[] = {{1, {0}, 0, 0, 0, 0}, {1, {0}, 1, 63, 0, 0}};
    struct settings settings = gray;
    struct test_bytes jpeg;
    int status;

    (void)state;
    if (TEST_HAS_SANITIZER) {
        print_message("address space cannot be limited under a sanitizer\n");
        skip();
    }
    settings.scans = scans;
    settings.n_scans = 2;
    jpeg = make_jpeg(&settings);
    memcpy(find_marker(&jpeg, 0xC2) + 5, "\x1F\x40\x1F\x40", 4); /* 8000 x 8000 */
    fflush(NULL);
    if (fork() == 0) {
        struct rlimit limit = {500u << 20, 500u << 20}; /* pixels 192 MB, coefficients 128 MB */
        struct omma_picture picture = {0};
        struct omma_error error = {0};
        enum omma_status got = OMMA_OK;

        for (; got != OMMA_STATUS_RESOURCES && limit.rlim_cur > 0; limit.rlim_cur -= 10 << 20) {
            if (setrlimit(RLIMIT_AS, &limit) != 0) {
                _exit(1);
            }
            got = test_picture_decode(&jpeg, false, &picture, &error);
        }
        _exit(strstr(error.message, "out of memory decoding 8000x8000") != NULL ? 0 : 2);
    }
    wait(&status);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(jpeg.bytes);
}

/* Any one byte changed: taken or refused with a message, and the picture is then left alone. */
static void test_changed_bytes(void **state)
{
    struct test_bytes jpeg = make_jpeg(&rgb);
    size_t n_taken = 0;

    (void)state;
    for (size_t i = 0; i < jpeg.n_bytes; i++) {
        struct omma_picture picture = {0};
        struct omma_error error;
        enum omma_status status;
        uint8_t byte = jpeg.bytes[i];

        jpeg.bytes[i] ^= 0x55;
        status = test_picture_decode(&jpeg, false, &picture, &error);
        jpeg.bytes[i] = byte;
        assert_true(status == OMMA_OK || status == OMMA_STATUS_IMAGE);
        assert_int_equal(status == OMMA_OK, picture.rgb != NULL);
        n_taken += status == OMMA_OK;
        omma_picture_free(&picture);
    }
    assert_in_range(n_taken, jpeg.n_bytes / 4, jpeg.n_bytes);
    free(jpeg.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_of_scans),
        cmocka_unit_test(test_cmyk),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_size_is_checked_first),
        cmocka_unit_test(test_every_end),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_changed_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
