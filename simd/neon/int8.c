/*
 * int8.c - products of bytes, exact in i32, without a dot product: smull makes eight products of 16
 * bits, sadalp adds them in pairs to four sums of 32.  Two products of -128 do not fit 16 bits, so
 * smlal is no help.
 *
 * A panel is [(k + 7) / 8][32][8] bytes: eight consecutive k of a column side by side, filled up
 * with zero.  w stands in it as it is: sums of rows of A are not needed.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/neon/vec.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS, GROUP = 8 /* of k */, STEP = 16, MR = 4, NR = 4 };

/* ---- panels -----------------------------------------------------------------------------------
 */

size_t omma_panel_i8_bytes__neon(size_t k)
{
    return (k + GROUP - 1) / GROUP * GROUP * COLUMNS;
}

/* Two columns from p to k; the source has n of them. */
BODY void pack_rest(size_t n, size_t p, size_t k, const int8_t *source, size_t stride, int8_t *to)
{
    for (; p < k; p += GROUP, to += (size_t)GROUP * COLUMNS) {
        memset(to, 0, (size_t)2 * GROUP);
        for (size_t j = 0; j < n && j < 2; j++) {
            memcpy(to + j * GROUP, source + j * stride + p, k - p < GROUP ? k - p : GROUP);
        }
    }
}

void omma_pack_rows_i8__neon(size_t n, size_t k, const int8_t *source, size_t stride, void *panel)
{
    int8_t *columns = panel;

    for (size_t j = 0; j < COLUMNS; j += 2, columns += 2 * GROUP) {
        const int8_t *row = source + (j < n ? j : 0) * stride;
        size_t n_here = j < n ? n - j : 0, p = 0;

        for (; n_here >= 2 && p + 2 * GROUP <= k; p += (size_t)2 * GROUP) {
            int64x2_t a = vreinterpretq_s64_s8(vld1q_s8(row + p));
            int64x2_t b = vreinterpretq_s64_s8(vld1q_s8(row + stride + p));
            int8_t *to = columns + p * COLUMNS;

            vst1q_s8(to, vreinterpretq_s8_s64(vzip1q_s64(a, b)));
            vst1q_s8(to + (size_t)GROUP * COLUMNS, vreinterpretq_s8_s64(vzip2q_s64(a, b)));
        }
        pack_rest(n_here, p, k, row, stride, columns + p * COLUMNS);
    }
}

/* ---- products ---------------------------------------------------------------------------------
 */

/* Where a tile's sums go: n <= 4 columns. */
struct output {
    size_t n;
    int32_t *c;
    size_t c_stride;
    bool accumulate;
};

/* The first n < 8 bytes; the others are 0. */
BODY int8x8_t load_first(const int8_t *x, size_t n)
{
    int8_t group[GROUP] = {0};

    memcpy(group, x, n);
    return vld1_s8(group);
}

BODY int32x4_t add_products(int32x4_t sums, int8x8_t a, int8x8_t b)
{
    return vpadalq_s16(sums, vmull_s8(a, b));
}

/* A group of k: va has it of every row, b of every column. */
BODY void add_group(const int mr, int32x4_t sums[MR][NR], const int8x8_t va[MR], const int8_t *b)
{
    UNROLL
    for (int j = 0; j < NR; j++) {
        int8x8_t vb = vld1_s8(b + j * GROUP);

        UNROLL
        for (int i = 0; i < mr; i++) {
            sums[i][j] = add_products(sums[i][j], va[i], vb);
        }
    }
}

BODY void store_row(struct output output, size_t i, const int32x4_t sums[NR])
{
    int32_t *c = output.c + i * output.c_stride;
    int32x4_t row = vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
    int32_t parts[NR];

    if (output.n == NR) {
        vst1q_s32(c, output.accumulate ? vaddq_s32(vld1q_s32(c), row) : row);
        return;
    }
    vst1q_s32(parts, row);
    for (size_t j = 0; j < output.n; j++) {
        c[j] = output.accumulate ? c[j] + parts[j] : parts[j];
    }
}

BODY void tile(const int mr, size_t k, const int8_t *a, size_t a_stride, const int8_t *panel,
               struct output output)
{
    int32x4_t sums[MR][NR];
    int8x8_t va[MR];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int j = 0; j < NR; j++) {
            sums[i][j] = vdupq_n_s32(0);
        }
    }
    for (; p + GROUP <= k; p += GROUP) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            va[i] = vld1_s8(a + (size_t)i * a_stride + p);
        }
        add_group(mr, sums, va, panel + p * COLUMNS);
    }
    if (p < k) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            va[i] = load_first(a + (size_t)i * a_stride + p, k - p);
        }
        add_group(mr, sums, va, panel + p * COLUMNS);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, sums[i]);
    }
}

void omma_gemm_i8_4x4__neon(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                            const int32_t *a_sums, const void *panel, int32_t *c, size_t c_stride,
                            bool accumulate)
{
    (void)a_sums;
    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        for (size_t j = 0; j < n; j += NR) {
            const int8_t *columns = (const int8_t *)panel + j * GROUP;
            struct output output = {
                .n = n - j < NR ? n - j : NR,
                .c = c + j,
                .c_stride = c_stride,
                .accumulate = accumulate,
            };

            OMMA_WITH_CONSTANT_4(mr, tile, k, a, a_stride, columns, output);
        }
        m -= mr;
        a += mr * a_stride;
        c += mr * c_stride;
    }
}

/* A step of k; two sums a row of x where there are registers. */
BODY void add_step(const int m, int32x4_t low[], int32x4_t high[], const int8_t *x, size_t x_stride,
                   const int8_t *w)
{
    int8x16_t vw = vld1q_s8(w);

    UNROLL
    for (int i = 0; i < m; i++) {
        int8x16_t vx = vld1q_s8(x + (size_t)i * x_stride);
        int16x8_t second = vmull_high_s8(vx, vw);

        low[i] = add_products(low[i], vget_low_s8(vx), vget_low_s8(vw));
        if (m <= 4) {
            high[i] = vpadalq_s16(high[i], second);
        } else {
            low[i] = vpadalq_s16(low[i], second);
        }
    }
}

/* One row of W with m rows of x: y[0], y[y_stride], ...; x_rest has what is no whole step of x,
 * filled up with zeros. */
BODY void row(const int m, size_t k, const int8_t *x, size_t x_stride, const int8_t x_rest[][STEP],
              const int8_t *w, int32_t *y, size_t y_stride)
{
    const size_t n_whole = k / STEP * STEP;
    int32x4_t low[OMMA_GEMV_MAX_M], high[OMMA_GEMV_MAX_M];
    int8_t w_rest[STEP] = {0};

    /* before there are sums: a call would keep them from the registers */
    memcpy(w_rest, w + n_whole, k - n_whole);
    UNROLL
    for (int i = 0; i < m; i++) {
        low[i] = high[i] = vdupq_n_s32(0);
    }
    for (size_t p = 0; p < n_whole; p += STEP) {
        add_step(m, low, high, x + p, x_stride, w + p);
    }
    if (n_whole < k) {
        add_step(m, low, high, x_rest[0], STEP, w_rest);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        y[(size_t)i * y_stride] = vaddvq_s32(vaddq_s32(low[i], high[i]));
    }
}

BODY void rows(const int m, size_t n, size_t k, const int8_t *x, size_t x_stride, const int8_t *w,
               size_t w_stride, int32_t *y, size_t y_stride)
{
    const size_t n_whole = k / STEP * STEP;
    int8_t x_rest[OMMA_GEMV_MAX_M][STEP] = {{0}};

    for (int i = 0; i < m; i++) {
        memcpy(x_rest[i], x + (size_t)i * x_stride + n_whole, k - n_whole);
    }
    for (size_t j = 0; j < n; j++) {
        row(m, k, x, x_stride, x_rest, w + j * w_stride, y + j, y_stride);
    }
}

void omma_gemv_i8_8x1__neon(size_t m, size_t n, size_t k, const int8_t *x, size_t x_stride,
                            const int32_t *x_sums, const int8_t *w, size_t w_stride, int32_t *y,
                            size_t y_stride)
{
    (void)x_sums;
    OMMA_WITH_CONSTANT_8(m, rows, n, k, x, x_stride, w, w_stride, y, y_stride);
}
