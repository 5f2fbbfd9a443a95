/*
 * Resized pictures against Pillow 13.0, by digest.
 *
 * The source is width * height * 3 bytes of omma_test_random(), seeded with width * 10000 + height,
 * one byte (the lowest) a call; the digest is that of Image.frombytes("RGB", size,
 * bytes).resize(target, filter).
 */
#include <stdlib.h>
#include <string.h>

#include "model/vision/resize.h"
#include "support/pictures.h"
#include "support/support.h"

static const struct {
    size_t width, height, target_width, target_height;
    enum omma_resize_filter filter;
    const char *digest;
} cases[] = {
    {61, 43, 448, 448, OMMA_RESIZE_BICUBIC,
     "3b0c0eb393dd0bde0502c0c1f67edf6b19a34fd8a293bb611cb447833d176773"},
    {61, 43, 448, 448, OMMA_RESIZE_BILINEAR,
     "31aedc49408673877c01051d8e3208557c50df500ccf8b3e95ef777919479baa"},
    {100, 700, 37, 50, OMMA_RESIZE_BICUBIC,
     "ee477f0a7b5da7a4622bdac2762be5a1988932881b1ab5930e2230f9b1dbfdd1"},
    {700, 100, 37, 50, OMMA_RESIZE_BICUBIC,
     "2922dce6fd16246f6de184261ed17f98074f89f7fce9f73f4d5c6ee71761068e"},
    {90, 120, 100, 60, OMMA_RESIZE_BICUBIC,
     "49407259f3c14c66249617ef7c18637c86a7dad1c897af632be236c02e8678d0"},
    {60, 300, 61, 100, OMMA_RESIZE_BICUBIC,
     "b9e2a7c3edaf64141b357d7bf5fbdf0733443a2709f8b6f429b8e555faee036a"},
    {64, 50, 64, 448, OMMA_RESIZE_BICUBIC,
     "6501d9cfe488cf9b4cb8c51dc21407d155222f432640a8ace3d8fb6c8a5c8525"},
    {50, 64, 448, 64, OMMA_RESIZE_BICUBIC,
     "eae7fc904c48b697d86329791cc43a23bb0f4178a292c3bfea6986d87da93ed9"},
    {50, 64, 50, 30, OMMA_RESIZE_BICUBIC,
     "d39050f2566694279270cc030e703409e954e1796e79cd65829b787bf0efb083"},
    {3, 1000, 448, 448, OMMA_RESIZE_BICUBIC,
     "9cd550ea54e86f9526622f515e98ffdc1f936152920c0ac6ad1205a47f4219bd"},
    {1000, 3, 448, 448, OMMA_RESIZE_BICUBIC,
     "2944e47237dc1828aad53905c434aec0a83a31d39bcd8f789c9d3e4ea23b84f0"},
    {1, 1, 5, 4, OMMA_RESIZE_BICUBIC,
     "96a2fb5e241c74db2053bad02dc720d814ca0cd0a6ead59f5282aebf106aa2c6"},
    {200, 150, 7, 5, OMMA_RESIZE_BILINEAR,
     "60073d6651fb68e70e42922581d8c295f998ffc37c5085d81005dac676fadcea"},
    {300, 200, 280, 160, OMMA_RESIZE_BICUBIC,
     "ccaceed0f9c1c981097698b152a057a2f5d8b1936e6aee39f99a02dc3691d834"},
    {300, 200, 280, 159, OMMA_RESIZE_BICUBIC,
     "e54560bd19da9cf5e322aa5e4b5027ce4744a9691e8e410425f9d61994a30f60"},
    {40, 30, 40, 30, OMMA_RESIZE_BICUBIC,
     "1a1a66556bbeb64f8c69e3106d27a8b58ac2b8082e2612058fa1de94b66ff5a9"},
};

static struct omma_raster random_raster(size_t width, size_t height)
{
    uint64_t seed = width * 10000 + height;
    struct omma_raster raster = {malloc(width * height * 3), width, height};

    assert_non_null(raster.rgb);
    for (size_t i = 0; i < width * height * 3; i++) {
        raster.rgb[i] = (uint8_t)omma_test_random(&seed);
    }
    return raster;
}

/* All of source, scaled. */
static void resize(const struct omma_raster *source, enum omma_resize_filter filter,
                   struct omma_raster *target)
{
    struct omma_kernels kernels = omma_kernels_select(omma_isa_best());
    struct omma_resize_part part = {target->width, target->height, 0, 0};
    struct omma_error error;

    assert_ok(omma_resize(&kernels, source, filter, &part, target, &error));
}

static void test_pixels_are_pillows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_raster source = random_raster(cases[i].width, cases[i].height);
        struct omma_raster target = random_raster(cases[i].target_width, cases[i].target_height);
        char hex[65];

        resize(&source, cases[i].filter, &target);
        test_digest(target.rgb, target.width * target.height * 3, hex);
        print_message("%zux%zu to %zux%zu\n", source.width, source.height, target.width,
                      target.height);
        assert_string_equal(hex, cases[i].digest);
        free(target.rgb);
        free(source.rgb);
    }
}

/* Any part has the pixels that the whole has there, whichever axes change. */
static void test_parts_are_of_the_whole(void **state)
{
    struct omma_kernels kernels = omma_kernels_select(omma_isa_best());

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_raster source = random_raster(cases[i].width, cases[i].height);
        struct omma_raster whole = random_raster(cases[i].target_width, cases[i].target_height);

        resize(&source, cases[i].filter, &whole);
        for (size_t k = 0; k < 9; k++) {
            size_t left = whole.width * (k % 3) / 4, top = whole.height * (k / 3) / 4;
            struct omma_resize_part part = {whole.width, whole.height, left, top};
            struct omma_raster target =
                random_raster((whole.width - left + 1) / 2, whole.height - top);
            struct omma_error error;

            assert_ok(omma_resize(&kernels, &source, cases[i].filter, &part, &target, &error));
            for (size_t y = 0; y < target.height; y++) {
                assert_memory_equal(target.rgb + y * target.width * 3,
                                    whole.rgb + ((top + y) * whole.width + left) * 3,
                                    target.width * 3);
            }
            free(target.rgb);
        }
        free(whole.rgb);
        free(source.rgb);
    }
}

/* Weights add up to one: a picture of one colour keeps it, whatever the sizes. */
static void test_one_colour_stays(void **state)
{
    static const size_t sides[] = {1, 2, 3, 447, 448, 449, 5000};
    uint8_t colour[3] = {0, 255, 131};
    size_t n_sides = sizeof sides / sizeof *sides;

    (void)state;
    for (size_t i = 0; i < n_sides * n_sides; i++) {
        struct omma_raster source = random_raster(sides[i / n_sides], sides[i % n_sides]);
        struct omma_raster target = random_raster(31, 17);

        for (size_t k = 0; k < source.width * source.height * 3; k++) {
            source.rgb[k] = colour[k % 3];
        }
        resize(&source, OMMA_RESIZE_BICUBIC, &target);
        for (size_t k = 0; k < target.width * target.height * 3; k++) {
            assert_int_equal(target.rgb[k], colour[k % 3]);
        }
        free(target.rgb);
        free(source.rgb);
    }
}

/* The longest row that a picture may have: weights of a block of outputs at a time. */
static void test_longest_row(void **state)
{
    struct omma_raster source = {calloc(60000000, 3), 60000000, 1};
    struct omma_raster target = random_raster(448, 448);

    (void)state;
    assert_non_null(source.rgb);
    memset(source.rgb + 3 * 30000000, 255, 3 * 30000000);
    resize(&source, OMMA_RESIZE_BICUBIC, &target);
    assert_int_equal(target.rgb[0], 0);
    assert_int_equal(target.rgb[447 * 3], 255);
    free(target.rgb);
    free(source.rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pixels_are_pillows),
        cmocka_unit_test(test_parts_are_of_the_whole),
        cmocka_unit_test(test_one_colour_stays),
        cmocka_unit_test(test_longest_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
