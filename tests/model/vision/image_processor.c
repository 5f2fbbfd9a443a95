/*
 * Pictures to tiles, against what Pillow and the reference's rule give (tests/data/images, and all
 * of the reference's cases where they lie beside the project).
 *
 * A line of cases is a grid {"width", "height", "min", "max", "grid", "tiles"}, a decoded picture
 * {"file", "width", "height", "rgb": digest} or {"file", "error"}, or its tiles {"file", "min",
 * "max", "grid", "tiles": digests}.
 */
#include "model/vision/image_processor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "format/image.h"
#include "support/pictures.h"
#include "support/support.h"

enum { TILE_BYTES = 448 * 448 * 3 };

static size_t size_of(const json_t *line, const char *key)
{
    return (size_t)json_integer_value(json_object_get(line, key));
}

static void check_grid_shape(const json_t *line, const struct omma_grid *grid)
{
    const json_t *wanted = json_object_get(line, "grid");

    assert_int_equal(grid->n_columns, json_integer_value(json_array_get(wanted, 0)));
    assert_int_equal(grid->n_rows, json_integer_value(json_array_get(wanted, 1)));
}

static void check_grid(const json_t *line)
{
    struct omma_grid grid;
    struct omma_error error;

    assert_ok(omma_image_grid(size_of(line, "width"), size_of(line, "height"), size_of(line, "min"),
                              size_of(line, "max"), true, &grid, &error));
    check_grid_shape(line, &grid);
    assert_int_equal(grid.n_tiles, size_of(line, "tiles"));
}

static void check_decoding(const json_t *line, const char *path)
{
    struct omma_picture_source source = {.name = path};
    struct omma_picture picture = {0};
    struct omma_error error;
    uint8_t *bytes;
    char hex[65];

    assert_ok(omma_picture_read_file(path, &bytes, &source.n_bytes, &error));
    source.bytes = bytes;
    if (json_object_get(line, "error") != NULL) {
        assert_fails(OMMA_STATUS_IMAGE, path, omma_picture_decode(&source, &picture, &error));
        assert_null(picture.rgb);
    } else {
        assert_ok(omma_picture_decode(&source, &picture, &error));
        assert_int_equal(picture.width, size_of(line, "width"));
        assert_int_equal(picture.height, size_of(line, "height"));
        test_digest(picture.rgb, picture.width * picture.height * 3, hex);
        assert_string_equal(hex, json_string_value(json_object_get(line, "rgb")));
    }
    omma_picture_free(&picture);
    free(bytes);
}

static void check_tiles(const json_t *line, const char *path)
{
    struct omma_image_options options = {.min_tiles = size_of(line, "min"),
                                         .max_tiles = size_of(line, "max")};
    const json_t *tiles = json_object_get(line, "tiles");
    const struct omma_image_info *info;
    struct omma_image *image = NULL;
    struct omma_error error;
    char hex[65], all[65];

    assert_ok(omma_image_open(path, &options, &image, &error));
    info = omma_image_info(image);
    check_grid_shape(line, &info->grid);
    assert_int_equal(info->grid.n_tiles, json_array_size(tiles));
    assert_int_equal(info->n_tokens, 256 * info->grid.n_tiles);
    assert_int_equal(info->tile_size, 448);
    for (size_t k = 0; k < info->grid.n_tiles; k++) {
        test_digest(omma_image_tile(image, k), TILE_BYTES, hex);
        assert_string_equal(hex, json_string_value(json_array_get(tiles, k)));
    }
    test_digest(omma_image_tile(image, 0), info->grid.n_tiles * TILE_BYTES, all);
    for (size_t i = 0; i < 32; i++) {
        char byte[3];

        snprintf(byte, sizeof byte, "%02x", info->digest[i]);
        assert_memory_equal(byte, all + 2 * i, 2);
    }
    omma_image_close(&image);
    assert_null(image);
}

/* Every line of the file, with pictures from any of the folders. */
static void check_cases(const char *path, const char *const folders[2])
{
    char *text = omma_test_read(path, NULL), *rest = text, *row;
    size_t n_lines = 0;

    while ((row = strsep(&rest, "\n")) != NULL && *row != '\0') {
        json_t *line = json_loads(row, 0, NULL);
        const char *name = json_string_value(json_object_get(line, "file"));

        assert_non_null(line);
        if (name == NULL) {
            check_grid(line);
        } else {
            char *file = omma_test_join(folders[0], name);

            if (access(file, R_OK) != 0) {
                free(file);
                file = omma_test_join(folders[1], name);
            }
            if (json_is_array(json_object_get(line, "tiles"))) {
                check_tiles(line, file);
            } else {
                check_decoding(line, file);
            }
            free(file);
        }
        json_decref(line);
        n_lines++;
    }
    print_message("%zu lines of %s\n", n_lines, path);
    assert_true(n_lines > 300);
    free(text);
}

static void test_own_cases(void **state)
{
    char *folder = omma_test_source("tests/data/images");
    char *path = omma_test_join(folder, "cases.jsonl");

    (void)state;
    check_cases(path, (const char *const[]){folder, folder});
    free(path);
    free(folder);
}

static void test_reference_cases(void **state)
{
    OMMA_TEST_NEED_SHARED(path, "reference/tiles.jsonl");
    OMMA_TEST_NEED_SHARED(made, "reference/images");
    OMMA_TEST_NEED_SHARED(photographs, "images");

    (void)state;
    check_cases(path, (const char *const[]){made, photographs});
    free(photographs);
    free(made);
    free(path);
}

/* SHA-256 over what numpy gives for the 256 values of each channel, as f32:
 *     (np.asarray(value, np.float32) / 255 - MEAN) / STD, MEAN and STD in f32 */
static void test_normalised_values_are_numpys(void **state)
{
    float values[3][256];
    char hex[65];

    (void)state;
    omma_image_pixel_values(values);
    test_digest(values, sizeof values, hex);
    assert_string_equal(hex, "1d8b9af12b7b391827f7c801265239e21435c7e29b4d78c6189a35e437633897");
}

/* A PNG of one colour. */
static struct test_bytes plain_png(uint32_t width, uint32_t height)
{
    size_t stride = 1 + (size_t)width * 3;
    uint8_t *rows = calloc(height, stride);
    struct test_bytes png;

    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            memcpy(rows + y * stride + 1 + 3 * x, "\x0A\x80\xFA", 3);
        }
    }
    test_png_begin(&png, width, height, 8, 2, 0);
    test_png_finish(&png, rows, height * stride);
    free(rows);
    return png;
}

/* E7: a single pixel, lines, extreme aspect ratios. */
static void test_extreme_shapes(void **state)
{
    static const struct {
        uint32_t width, height;
        size_t n_columns, n_rows;
    } cases[] = {
        {1, 1, 1, 1}, {1, 3000, 1, 12}, {3000, 1, 12, 1}, {2, 20000, 1, 12}, {50000, 5, 12, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_bytes png = plain_png(cases[i].width, cases[i].height);
        const struct omma_image_info *info;
        struct omma_image *image = NULL;
        struct omma_error error;

        assert_ok(omma_image_open_memory("test", png.bytes, png.n_bytes, NULL, &image, &error));
        info = omma_image_info(image);
        assert_int_equal(info->width, cases[i].width);
        assert_int_equal(info->height, cases[i].height);
        assert_int_equal(info->grid.n_columns, cases[i].n_columns);
        assert_int_equal(info->grid.n_rows, cases[i].n_rows);
        for (size_t k = 0; k < info->grid.n_tiles; k++) {
            for (size_t p = 0; p < TILE_BYTES; p += 3) {
                assert_memory_equal(omma_image_tile(image, k) + p, "\x0A\x80\xFA", 3);
            }
        }
        omma_image_close(&image);
        free(png.bytes);
    }
}

static void test_options(void **state)
{
    struct test_bytes png = plain_png(90, 90);
    struct omma_image_options options = {.min_tiles = 4, .max_tiles = 4, .no_thumbnail = true};
    struct omma_image *image = NULL;
    struct omma_error error;

    (void)state;
    assert_ok(omma_image_open_memory("test", png.bytes, png.n_bytes, &options, &image, &error));
    assert_int_equal(omma_image_info(image)->grid.n_tiles, 4);
    omma_image_close(&image);
    options = (struct omma_image_options){.min_tiles = 20};
    assert_ok(omma_image_open_memory("test", png.bytes, png.n_bytes, &options, &image, &error));
    assert_int_equal(omma_image_info(image)->grid.n_tiles, 21);
    omma_image_close(&image);
    options = (struct omma_image_options){.min_tiles = 5, .max_tiles = 4};
    assert_fails(OMMA_STATUS_USAGE, "number of tiles",
                 omma_image_open_memory("test", png.bytes, png.n_bytes, &options, &image, &error));
    assert_null(image);
    options = (struct omma_image_options){.max_pixels = 90 * 90 - 1};
    assert_fails(OMMA_STATUS_IMAGE, "expected at most 8099 pixels, found 90x90",
                 omma_image_open_memory("test", png.bytes, png.n_bytes, &options, &image, &error));
    options.max_pixels++;
    assert_ok(omma_image_open_memory("test", png.bytes, png.n_bytes, &options, &image, &error));
    omma_image_close(&image);
    free(png.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_cases),
        cmocka_unit_test(test_reference_cases),
        cmocka_unit_test(test_normalised_values_are_numpys),
        cmocka_unit_test(test_extreme_shapes),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
