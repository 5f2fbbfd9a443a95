#include "config.h"

#include "simd/amx_model.h"

#include <math.h>
#include <string.h>

#include "base/bf16.h"
#include "simd/check.h"

enum { N_TILES = 8, N_ROWS = 16, ROW_BYTES = 64 };

struct tile {
    size_t n_rows, row_bytes; /* 0: not configured */
    unsigned char rows[N_ROWS][ROW_BYTES];
};

/* A test program is one thread. */
static struct tile tiles[N_TILES];
static bool configured;

void omma_amx_loadconfig(const void *config)
{
    const unsigned char *bytes = config;

    memset(tiles, 0, sizeof tiles);
    configured = false;
    if (bytes[0] == 0) {
        return;
    }
    if (bytes[0] != 1) {
        omma_check_fail("ldtilecfg: palette %d", bytes[0]);
    }
    for (size_t i = 2; i < 16; i++) {
        if (bytes[i] != 0) {
            omma_check_fail("ldtilecfg: reserved byte %zu is %d", i, bytes[i]);
        }
    }
    for (size_t tile = 0; tile < 16; tile++) {
        size_t row_bytes = bytes[16 + 2 * tile] + 256u * bytes[17 + 2 * tile];
        size_t n_rows = bytes[48 + tile];

        if (row_bytes > ROW_BYTES || n_rows > N_ROWS || (row_bytes == 0) != (n_rows == 0) ||
            (tile >= N_TILES && n_rows != 0)) {
            omma_check_fail("ldtilecfg: tile %zu of %zu rows of %zu bytes", tile, n_rows,
                            row_bytes);
        }
        if (tile < N_TILES) {
            tiles[tile].n_rows = n_rows;
            tiles[tile].row_bytes = row_bytes;
        }
    }
    configured = true;
}

void omma_amx_release(void)
{
    memset(tiles, 0, sizeof tiles);
    configured = false;
}

static struct tile *tile_at(const char *instruction, int tile)
{
    if (!configured || tile < 0 || tile >= N_TILES || tiles[tile].n_rows == 0) {
        omma_check_fail("%s: tile %d is not configured", instruction, tile);
    }
    return &tiles[tile];
}

void omma_amx_zero(int tile)
{
    memset(tile_at("tilezero", tile)->rows, 0, sizeof tiles->rows);
}

void omma_amx_loadd(int tile, const void *base, size_t stride)
{
    struct tile *to = tile_at("tileloadd", tile);

    memset(to->rows, 0, sizeof to->rows);
    for (size_t i = 0; i < to->n_rows; i++) {
        memcpy(to->rows[i], (const char *)base + i * stride, to->row_bytes);
    }
}

void omma_amx_stored(int tile, void *base, size_t stride)
{
    const struct tile *from = tile_at("tilestored", tile);

    for (size_t i = 0; i < from->n_rows; i++) {
        memcpy((char *)base + i * stride, from->rows[i], from->row_bytes);
    }
}

/* What a product asks of its tiles. */
static void check_product(const char *instruction, int c, int a, int b)
{
    const struct tile *tc = tile_at(instruction, c), *ta = tile_at(instruction, a);
    const struct tile *tb = tile_at(instruction, b);

    if (c == a || c == b || a == b) {
        omma_check_fail("%s: tiles %d, %d, %d are not three", instruction, c, a, b);
    }
    if (tc->n_rows != ta->n_rows || tc->row_bytes != tb->row_bytes ||
        ta->row_bytes != 4 * tb->n_rows || tc->row_bytes % 4 != 0) {
        omma_check_fail("%s: C %zu x %zu, A %zu x %zu, B %zu x %zu bytes", instruction, tc->n_rows,
                        tc->row_bytes, ta->n_rows, ta->row_bytes, tb->n_rows, tb->row_bytes);
    }
}

static float flush(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x;
}

/* Element i of a row of bf16. */
static float bf16_at(const unsigned char *row, size_t i)
{
    uint16_t half;

    memcpy(&half, row + 2 * i, sizeof half);
    return flush(omma_f32_of_bf16(half));
}

void omma_amx_dpbf16ps(int c, int a, int b)
{
    check_product("tdpbf16ps", c, a, b);
    for (size_t i = 0; i < tiles[c].n_rows; i++) {
        for (size_t j = 0; j < tiles[c].row_bytes / 4; j++) {
            float even = 0, odd = 0, sum;

            for (size_t p = 0; p < tiles[b].n_rows; p++) {
                const unsigned char *ra = tiles[a].rows[i], *rb = tiles[b].rows[p];

                even = flush(fmaf(bf16_at(ra, 2 * p), bf16_at(rb, 2 * j), even));
                odd = flush(fmaf(bf16_at(ra, 2 * p + 1), bf16_at(rb, 2 * j + 1), odd));
            }
            memcpy(&sum, tiles[c].rows[i] + 4 * j, sizeof sum);
            sum = flush(flush(sum) + flush(even + odd));
            memcpy(tiles[c].rows[i] + 4 * j, &sum, sizeof sum);
        }
    }
}

void omma_amx_dpbssd(int c, int a, int b)
{
    check_product("tdpbssd", c, a, b);
    for (size_t i = 0; i < tiles[c].n_rows; i++) {
        for (size_t j = 0; j < tiles[c].row_bytes / 4; j++) {
            uint32_t sum;

            memcpy(&sum, tiles[c].rows[i] + 4 * j, sizeof sum);
            for (size_t p = 0; p < 4 * tiles[b].n_rows; p++) {
                int x = (int8_t)tiles[a].rows[i][p];

                sum += (uint32_t)(x * (int8_t)tiles[b].rows[p / 4][4 * j + p % 4]);
            }
            memcpy(tiles[c].rows[i] + 4 * j, &sum, sizeof sum);
        }
    }
}
