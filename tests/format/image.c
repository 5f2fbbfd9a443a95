/* What picture formats share: kinds told by their first bytes, files, limits. */
#include "format/image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/pictures.h"
#include "support/support.h"

/* E3: named, not decoded.  Sixteen bytes each. */
static void test_other_kinds_are_named(void **state)
{
    static const struct {
        const char *bytes, *name;
    } cases[] = {
        {"GIF89a\1\0\1\0\0\0\0\0\0\0", "GIF"},
        {"RIFF\x20\0\0\0WEBPVP8 ", "WebP"},
        {"RIFF\x20\0\0\0AVI LIST", "AVI video"},
        {"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28", "BMP"},
        {"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0", "TIFF"},
        {"MM\0*\0\0\0\x08\0\0\0\0\0\0\0", "TIFF"},
        {"\0\0\0\x18"
         "ftypheic\0\0\0\0",
         "HEIC"},
        {"\0\0\0\x18"
         "ftypavif\0\0\0\0",
         "AVIF"},
        {"\0\0\0\x18"
         "ftypisom\0\0\0\0",
         "MP4 or QuickTime video"},
        {"\x1A\x45\xDF\xA3\0\0\0\0\0\0\0\0\0\0\0\0", "Matroska or WebM video"},
        {"<svg xmlns=\"http:", "SVG"},
        {"<?xml?><svg>\n   ", "SVG"},
        {"\0\0\0\x0CjP  \x0D\x0A\x87\x0A\0\0\0\0", "JPEG 2000"},
        {"%PDF-1.7\n       ", "PDF"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_bytes bytes = {(uint8_t *)cases[i].bytes, 16};
        struct omma_picture picture = {0};
        struct omma_error error;

        assert_fails(OMMA_STATUS_IMAGE, cases[i].name,
                     test_picture_decode(&bytes, false, &picture, &error));
        assert_non_null(strstr(error.message, "expected JPEG or PNG"));
    }
}

/* E1, and what is no picture at all, up to a byte short of a signature. */
static void test_no_picture(void **state)
{
    static const char bytes[] = "\x89PNG\r\n\x1A";
    struct omma_picture picture = {0};
    struct omma_error error;

    (void)state;
    for (size_t n = 0; n < sizeof bytes; n++) {
        struct test_bytes cut = {(uint8_t *)bytes, n};

        assert_fails(OMMA_STATUS_IMAGE, "expected",
                     test_picture_decode(&cut, false, &picture, &error));
    }
    assert_fails(OMMA_STATUS_IMAGE, "found 0 bytes",
                 test_picture_decode(&(struct test_bytes){NULL, 0}, false, &picture, &error));
    assert_fails(
        OMMA_STATUS_IMAGE, "68 65 6c 6c",
        test_picture_decode(&(struct test_bytes){(uint8_t *)"hello", 5}, false, &picture, &error));
}

/* E2: the bytes decide, not the name. */
static void test_extension_is_not_looked_at(void **state)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "picture.jpg");
    struct omma_image *image = NULL;
    struct omma_error error;
    struct test_bytes png;

    (void)state;
    test_png_begin(&png, 2, 1, 8, 0, 0);
    test_png_finish(&png, "\0\7\10", 3);
    omma_test_write(path, png.bytes, png.n_bytes);
    assert_ok(omma_image_open(path, NULL, &image, &error));
    assert_int_equal(omma_image_info(image)->width, 2);
    omma_image_close(&image);
    free(png.bytes);
    free(path);
    free(folder);
}

static void test_files(void **state)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "missing.png");
    struct omma_image *image = NULL;
    struct omma_error error;
    int fd;

    (void)state;
    assert_fails(OMMA_STATUS_IMAGE, path, omma_image_open(path, NULL, &image, &error));
    assert_fails(OMMA_STATUS_IMAGE, folder, omma_image_open(folder, NULL, &image, &error));
    omma_test_write(path, "", 0);
    assert_fails(OMMA_STATUS_IMAGE, "found 0 bytes", omma_image_open(path, NULL, &image, &error));
    fd = open(path, O_WRONLY);
    assert_int_equal(ftruncate(fd, (off_t)OMMA_PICTURE_MAX_FILE_BYTES + 1), 0);
    close(fd);
    assert_fails(OMMA_STATUS_IMAGE, "at most 536870912 bytes",
                 omma_image_open(path, NULL, &image, &error));
    assert_null(image);
    free(path);
    free(folder);
}

/* A pipe has no size: it is read to its end. */
static void test_pipe(void **state)
{
    struct omma_error error;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    int ends[2];
    char path[64];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_ok(omma_picture_read_file(path, &bytes, &n_bytes, &error));
    assert_int_equal(n_bytes, 10);
    assert_memory_equal(bytes, "0123456789", 10);
    free(bytes);
    close(ends[0]);
}

static void count_warning(void *user, enum omma_log_level level, const char *message)
{
    assert_int_equal(level, OMMA_LOG_WARNING);
    assert_non_null(strstr(message, "test: "));
    ++*(int *)user;
}

/* Pillow's limits: warned of from one number of pixels on, refused from its double on. */
static void test_number_of_pixels(void **state)
{
    int n_warnings = 0;
    struct omma_picture_source source = {.name = "test", .log = {count_warning, &n_warnings}};
    struct omma_picture picture = {0};
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_IMAGE, "178956970 pixels, found 64250x64250",
                 omma_picture_create(&source, 64250, 64250, &picture, &error));
    assert_fails(OMMA_STATUS_IMAGE, "178956970 pixels",
                 omma_picture_create(&source, 178956971, 1, &picture, &error));
    assert_fails(OMMA_STATUS_IMAGE, "178956970 pixels",
                 omma_picture_create(&source, SIZE_MAX, SIZE_MAX, &picture, &error));
    assert_fails(OMMA_STATUS_IMAGE, "at least 1x1",
                 omma_picture_create(&source, 0, 5, &picture, &error));
    assert_null(picture.rgb);
    assert_ok(omma_picture_create(&source, 89478485, 1, &picture, &error));
    assert_int_equal(n_warnings, 0);
    omma_picture_free(&picture);
    assert_ok(omma_picture_create(&source, 89478486, 1, &picture, &error));
    assert_int_equal(n_warnings, 1);
    omma_picture_free(&picture);
    assert_null(picture.rgb);
}

static void test_damage(void **state)
{
    int n_warnings = 0;
    struct omma_picture_source source = {.name = "test", .log = {count_warning, &n_warnings}};
    struct omma_error error;

    (void)state;
    assert_ok(omma_picture_damaged(&source, "a fault", &error));
    assert_int_equal(n_warnings, 1);
    source.strict = true;
    assert_fails(OMMA_STATUS_IMAGE, "test: damaged: a fault",
                 omma_picture_damaged(&source, "a fault", &error));
    assert_int_equal(n_warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_kinds_are_named),
        cmocka_unit_test(test_no_picture),
        cmocka_unit_test(test_extension_is_not_looked_at),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_number_of_pixels),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
