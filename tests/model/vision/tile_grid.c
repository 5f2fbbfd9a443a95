/*
 * The candidates' order against CPython's, and the choice against the reference's rule.
 *
 * Digests: SHA-256 over (columns - 1, rows - 1) as bytes of
 *     sorted({(c, r) for n in range(low, high + 1) for c in range(1, n + 1) for r in range(1, n +
 * 1) if low <= c * r <= high}, key=lambda g: g[0] * g[1]) in CPython 3.11.
 */
#include <stdlib.h>
#include <string.h>

#include "model/vision/tile_grid.h"
#include "support/pictures.h"
#include "support/support.h"

static void test_order_is_cpythons(void **state)
{
    static const struct {
        size_t low, high, n_shapes;
        const char *digest;
    } cases[] = {
        {1, 12, 35, "a310e21bfee97910820dd8066a3af8d3d6ea2dfa62ba9f08fa48653375022055"},
        {1, 16, 50, "b5d2ffae02f60f784c989b6fc40b428ce6e7770b914b73bf1d499f4f5cd1ea7b"},
        {2, 12, 34, "449ddf14368041384cd24147fe093b86ac58f356d45d031d96f33461f68fa118"},
        {7, 40, 144, "6442420625a96150a998f82ec5b1892595ba7a1477a5e266c21484952a39884f"},
        {1, 128, 645, "e74563c9408cc3b1362722b27a383b14e6a4197ca24c2a2c5d5244c96394ba72"},
        {100, 256, 993, "41f0669a9f15ef7e0818eeb481a32b7f730cb51d6859da76313564a519138ce1"},
        {1, 256, 1466, "5b379ed90de2ae11b7bcc1d1a5abba391590ddfa6320368587fd6942eec89605"},
        {251, 251, 2, "67cdbe4e870eb5ab3fa75c40d228dfe9a000db09dd246fbecc27be4cd9e150c0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_tile_shape *shapes;
        struct omma_error error;
        size_t n_shapes;
        uint8_t *bytes;
        char hex[65];

        assert_ok(omma_tile_grid_list(cases[i].low, cases[i].high, &shapes, &n_shapes, &error));
        assert_int_equal(n_shapes, cases[i].n_shapes);
        bytes = malloc(2 * n_shapes);
        for (size_t k = 0; k < n_shapes; k++) {
            bytes[2 * k] = (uint8_t)(shapes[k].n_columns - 1);
            bytes[2 * k + 1] = (uint8_t)(shapes[k].n_rows - 1);
        }
        test_digest(bytes, 2 * n_shapes, hex);
        assert_string_equal(hex, cases[i].digest);
        free(bytes);
        free(shapes);
    }
}

static void test_choice(void **state)
{
    static const struct {
        size_t width, height, low, high, n_columns, n_rows, n_tiles;
    } cases[] = {
        {448, 448, 1, 12, 1, 1, 1},   {640, 640, 1, 12, 2, 2, 5},  {1000, 1000, 1, 12, 3, 3, 10},
        {640, 480, 1, 12, 4, 3, 13},  {1280, 720, 1, 12, 4, 2, 9}, {3000, 1000, 1, 12, 6, 2, 13},
        {1000, 1500, 1, 12, 2, 3, 7}, {224, 224, 1, 12, 1, 1, 1},  {5000, 10, 1, 12, 12, 1, 13},
        {10, 5000, 1, 12, 1, 12, 13}, {500, 500, 1, 1, 1, 1, 1},   {1, INT32_MAX, 1, 12, 1, 12, 13},
        {300, 300, 2, 2, 1, 2, 3},    {300, 300, 3, 3, 1, 3, 4},   {300, 300, 11, 11, 1, 11, 12},
        {700, 700, 11, 15, 3, 4, 13},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_grid grid;
        struct omma_error error;

        assert_ok(omma_image_grid(cases[i].width, cases[i].height, cases[i].low, cases[i].high,
                                  true, &grid, &error));
        print_message("%zux%zu %zu..%zu: %zux%zu\n", cases[i].width, cases[i].height, cases[i].low,
                      cases[i].high, grid.n_columns, grid.n_rows);
        assert_int_equal(grid.n_columns, cases[i].n_columns);
        assert_int_equal(grid.n_rows, cases[i].n_rows);
        assert_int_equal(grid.n_tiles, cases[i].n_tiles);
        assert_ok(omma_image_grid(cases[i].width, cases[i].height, cases[i].low, cases[i].high,
                                  false, &grid, &error));
        assert_int_equal(grid.n_tiles, grid.n_columns * grid.n_rows);
    }
}

static void test_ranges_are_checked(void **state)
{
    struct omma_grid grid = {7, 7, 7};
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "size of a picture",
                 omma_image_grid(0, 1, 1, 12, true, &grid, &error));
    assert_fails(OMMA_STATUS_USAGE, "size of a picture",
                 omma_image_grid(1, (size_t)INT32_MAX + 1, 1, 12, true, &grid, &error));
    assert_fails(OMMA_STATUS_USAGE, "number of tiles",
                 omma_image_grid(1, 1, 0, 12, true, &grid, &error));
    assert_fails(OMMA_STATUS_USAGE, "number of tiles",
                 omma_image_grid(1, 1, 3, 2, true, &grid, &error));
    assert_fails(OMMA_STATUS_USAGE, "number of tiles",
                 omma_image_grid(1, 1, 1, 257, true, &grid, &error));
    assert_int_equal(grid.n_columns, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_cpythons),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_ranges_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
