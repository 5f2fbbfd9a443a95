/*
 * gemm.c - C[m][n] = A[m][k] x panel of f32 by FMA; the panel's 32 columns in four quarters.
 *
 * A tile is up to MR rows by eight columns: sixteen sums in registers.  Four steps of k take one
 * vector of each row of A, whose lanes are multiplied in turn with two vectors of the panel.  An
 * element of C is one chain of FMAs over k in order, so its bits depend neither on the tile's
 * height nor on n.  The rows of A are split evenly over the tiles, lest a last tile of one row runs
 * at the latency of its two chains.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/neon/vec.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS, TILE_COLUMNS = 8, LANES = 4, MR = 8 };

/* Where a tile's sums go: n <= 8 columns. */
struct output {
    size_t n;
    float *c;
    size_t c_stride;
    bool accumulate;
};

BODY void store_row(struct output output, size_t i, float32x4_t low, float32x4_t high)
{
    float *c = output.c + i * output.c_stride;

    if (output.n == TILE_COLUMNS) {
        if (output.accumulate) {
            low = vaddq_f32(vld1q_f32(c), low);
            high = vaddq_f32(vld1q_f32(c + LANES), high);
        }
        vst1q_f32(c, low);
        vst1q_f32(c + LANES, high);
    } else {
        float sums[TILE_COLUMNS];

        vst1q_f32(sums, low);
        vst1q_f32(sums + LANES, high);
        for (size_t j = 0; j < output.n; j++) {
            c[j] = output.accumulate ? c[j] + sums[j] : sums[j];
        }
    }
}

/* One step of k: lane p of every row's vector. */
#define STEP(p)                                                                                    \
    do {                                                                                           \
        float32x4_t b_low = vld1q_f32(panel + (p)*COLUMNS);                                        \
        float32x4_t b_high = vld1q_f32(panel + (p)*COLUMNS + LANES);                               \
        UNROLL                                                                                     \
        for (int i = 0; i < mr; i++) {                                                             \
            low[i] = vfmaq_laneq_f32(low[i], b_low, va[i], p);                                     \
            high[i] = vfmaq_laneq_f32(high[i], b_high, va[i], p);                                  \
        }                                                                                          \
    } while (false)

BODY void tile(const int mr, size_t k, const float *a, size_t a_stride, const float *panel,
               struct output output)
{
    float32x4_t low[MR], high[MR];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = vdupq_n_f32(0);
    }
    for (; p + LANES <= k; p += LANES, panel += LANES * COLUMNS) {
        float32x4_t va[MR];

        UNROLL
        for (int i = 0; i < mr; i++) {
            va[i] = vld1q_f32(a + (size_t)i * a_stride + p);
        }
        STEP(0);
        STEP(1);
        STEP(2);
        STEP(3);
    }
    for (; p < k; p++, panel += COLUMNS) {
        float32x4_t va[MR];

        UNROLL
        for (int i = 0; i < mr; i++) {
            va[i] = vdupq_n_f32(a[(size_t)i * a_stride + p]);
        }
        STEP(0);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

void omma_gemm_f32_8x8__neon(size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                             const float *panel, float *c, size_t c_stride, bool accumulate)
{
    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        for (size_t j = 0; j < n; j += TILE_COLUMNS) {
            struct output output = {
                .n = n - j < TILE_COLUMNS ? n - j : TILE_COLUMNS,
                .c = c + j,
                .c_stride = c_stride,
                .accumulate = accumulate,
            };

            OMMA_WITH_CONSTANT_8(mr, tile, k, a, a_stride, panel + j, output);
        }
        m -= mr;
        a += mr * a_stride;
        c += mr * c_stride;
    }
}
