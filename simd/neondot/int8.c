/*
 * int8.c - products of bytes, exact in i32, by sdot: four sums of four products each.
 *
 * A panel is [(k + 3) / 4][32][4] bytes: four consecutive k of a column side by side, filled up
 * with zero.  w stands in it as it is: sums of rows of A are not needed.
 */
#include "config.h"

#include <string.h>

#include "simd/arm.h"
#include "simd/kernels.h"

#if !defined(__ARM_FEATURE_DOTPROD) && !defined(OMMA_SIMDE)
#error "simd/neondot is compiled without its flags"
#endif

#include "simd/tmpl/transpose_4.h"

enum {
    COLUMNS = OMMA_PANEL_COLUMNS,
    GROUP = 4,               /* of k */
    LANES = 4,               /* groups in a vector */
    STEP = GROUP * LANES,    /* k of a vector of A */
    GROUP_ROW = 4 * COLUMNS, /* bytes of a group of all columns */
    TILE_COLUMNS = 8,
    MR = 8
};

/* ---- panels -----------------------------------------------------------------------------------
 */

size_t omma_panel_i8_bytes__neondot(size_t k)
{
    return (k + GROUP - 1) / GROUP * GROUP_ROW;
}

/* Four columns from p to k; the source has n of them. */
BODY void pack_rest(size_t n, size_t p, size_t k, const int8_t *source, size_t stride, int8_t *to)
{
    for (; p < k; p += GROUP, to += GROUP_ROW) {
        memset(to, 0, (size_t)LANES * GROUP);
        for (size_t j = 0; j < n && j < LANES; j++) {
            memcpy(to + j * GROUP, source + j * stride + p, k - p < GROUP ? k - p : GROUP);
        }
    }
}

void omma_pack_rows_i8__neondot(size_t n, size_t k, const int8_t *source, size_t stride,
                                void *panel)
{
    int8_t *columns = panel;

    for (size_t j = 0; j < COLUMNS; j += LANES, columns += LANES * GROUP) {
        const int8_t *row = source + (j < n ? j : 0) * stride;
        size_t n_here = j < n ? n - j : 0, p = 0;

        for (; n_here >= LANES && p + STEP <= k; p += STEP) {
            uint32x4_t v[LANES];

            UNROLL
            for (int i = 0; i < LANES; i++) {
                v[i] = vreinterpretq_u32_s8(vld1q_s8(row + (size_t)i * stride + p));
            }
            transpose(v);
            UNROLL
            for (int i = 0; i < LANES; i++) {
                vst1q_s8(columns + (p / GROUP + (size_t)i) * GROUP_ROW, vreinterpretq_s8_u32(v[i]));
            }
        }
        pack_rest(n_here, p, k, row, stride, columns + p / GROUP * GROUP_ROW);
    }
}

/* ---- products ---------------------------------------------------------------------------------
 */

/* Where a tile's sums go: n <= 8 columns. */
struct output {
    size_t n;
    int32_t *c;
    size_t c_stride;
    bool accumulate;
};

BODY void store_row(struct output output, size_t i, int32x4_t low, int32x4_t high)
{
    int32_t *c = output.c + i * output.c_stride, sums[TILE_COLUMNS];

    if (output.n == TILE_COLUMNS) {
        if (output.accumulate) {
            low = vaddq_s32(vld1q_s32(c), low);
            high = vaddq_s32(vld1q_s32(c + LANES), high);
        }
        vst1q_s32(c, low);
        vst1q_s32(c + LANES, high);
        return;
    }
    vst1q_s32(sums, low);
    vst1q_s32(sums + LANES, high);
    for (size_t j = 0; j < output.n; j++) {
        c[j] = output.accumulate ? c[j] + sums[j] : sums[j];
    }
}

/* A group of k: lane g of every row's vector. */
#define ADD_GROUP(g)                                                                               \
    do {                                                                                           \
        int8x16_t b_low = vld1q_s8(b + (g)*GROUP_ROW);                                             \
        int8x16_t b_high = vld1q_s8(b + (g)*GROUP_ROW + STEP);                                     \
        UNROLL                                                                                     \
        for (int i = 0; i < mr; i++) {                                                             \
            low[i] = vdotq_laneq_s32(low[i], b_low, va[i], g);                                     \
            high[i] = vdotq_laneq_s32(high[i], b_high, va[i], g);                                  \
        }                                                                                          \
    } while (false)

BODY void tile(const int mr, size_t k, const int8_t *a, size_t a_stride, const int8_t *b,
               struct output output)
{
    const size_t n_whole = k / STEP * STEP, n_rest = (k - n_whole + GROUP - 1) / GROUP;
    int8_t rest[MR][STEP] = {{0}};
    int32x4_t low[MR], high[MR];
    int8x16_t va[MR];

    /* before there are sums: a call would keep them from the registers */
    for (int i = 0; n_rest > 0 && i < mr; i++) {
        memcpy(rest[i], a + (size_t)i * a_stride + n_whole, k - n_whole);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = vdupq_n_s32(0);
    }
    for (size_t p = 0; p < n_whole; p += STEP, b += (size_t)LANES * GROUP_ROW) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            va[i] = vld1q_s8(a + (size_t)i * a_stride + p);
        }
        ADD_GROUP(0);
        ADD_GROUP(1);
        ADD_GROUP(2);
        ADD_GROUP(3);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        va[i] = vld1q_s8(rest[i]);
    }
    if (n_rest > 0) {
        ADD_GROUP(0);
    }
    if (n_rest > 1) {
        ADD_GROUP(1);
    }
    if (n_rest > 2) {
        ADD_GROUP(2);
    }
    if (n_rest > 3) {
        ADD_GROUP(3);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

void omma_gemm_i8_8x8__neondot(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                               const int32_t *a_sums, const void *panel, int32_t *c,
                               size_t c_stride, bool accumulate)
{
    (void)a_sums;
    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        for (size_t j = 0; j < n; j += TILE_COLUMNS) {
            const int8_t *columns = (const int8_t *)panel + j * GROUP;
            struct output output = {
                .n = n - j < TILE_COLUMNS ? n - j : TILE_COLUMNS,
                .c = c + j,
                .c_stride = c_stride,
                .accumulate = accumulate,
            };

            OMMA_WITH_CONSTANT_8(mr, tile, k, a, a_stride, columns, output);
        }
        m -= mr;
        a += mr * a_stride;
        c += mr * c_stride;
    }
}

enum { SUMS = 4, GEMV_STEP = SUMS * STEP };

/* Sixteen sums in all, as a chain of sdot has its latency. */
BODY void add_step(const int m, int32x4_t sums[][SUMS], const int8_t *x, size_t x_stride,
                   const int8_t *w)
{
    UNROLL
    for (int s = 0; s < SUMS; s++) {
        int8x16_t vw = vld1q_s8(w + s * STEP);
        int to = m <= 4 ? s : s % 2;

        UNROLL
        for (int i = 0; i < m; i++) {
            int8x16_t vx = vld1q_s8(x + (size_t)i * x_stride + s * STEP);

            sums[i][to] = vdotq_s32(sums[i][to], vx, vw);
        }
    }
}

/* One row of W with m rows of x: y[0], y[y_stride], ...; x_rest has what is no whole step of x,
 * filled up with zeros. */
BODY void row(const int m, size_t k, const int8_t *x, size_t x_stride,
              const int8_t x_rest[][GEMV_STEP], const int8_t *w, int32_t *y, size_t y_stride)
{
    const size_t n_whole = k / GEMV_STEP * GEMV_STEP;
    int32x4_t sums[OMMA_GEMV_MAX_M][SUMS];
    int8_t w_rest[GEMV_STEP] = {0};

    /* before there are sums: a call would keep them from the registers */
    memcpy(w_rest, w + n_whole, k - n_whole);
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int s = 0; s < SUMS; s++) {
            sums[i][s] = vdupq_n_s32(0);
        }
    }
    for (size_t p = 0; p < n_whole; p += GEMV_STEP) {
        add_step(m, sums, x + p, x_stride, w + p);
    }
    if (n_whole < k) {
        add_step(m, sums, x_rest[0], GEMV_STEP, w_rest);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        int32x4_t total =
            vaddq_s32(vaddq_s32(sums[i][0], sums[i][1]), vaddq_s32(sums[i][2], sums[i][3]));

        y[(size_t)i * y_stride] = vaddvq_s32(total);
    }
}

BODY void rows(const int m, size_t n, size_t k, const int8_t *x, size_t x_stride, const int8_t *w,
               size_t w_stride, int32_t *y, size_t y_stride)
{
    const size_t n_whole = k / GEMV_STEP * GEMV_STEP;
    int8_t x_rest[OMMA_GEMV_MAX_M][GEMV_STEP] = {{0}};

    for (int i = 0; i < m; i++) {
        memcpy(x_rest[i], x + (size_t)i * x_stride + n_whole, k - n_whole);
    }
    for (size_t j = 0; j < n; j++) {
        row(m, k, x, x_stride, x_rest, w + j * w_stride, y + j, y_stride);
    }
}

void omma_gemv_i8_8x1__neondot(size_t m, size_t n, size_t k, const int8_t *x, size_t x_stride,
                               const int32_t *x_sums, const int8_t *w, size_t w_stride, int32_t *y,
                               size_t y_stride)
{
    (void)x_sums;
    OMMA_WITH_CONSTANT_8(m, rows, n, k, x, x_stride, w, w_stride, y, y_stride);
}
