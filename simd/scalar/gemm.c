/*
 * gemm.c - C[m][n] = A[m][k] x panel, or C += with accumulate; n <= 32.  The definition.
 *
 * An element of C is one sum over k in order, each product rounded and then added; the product of
 * two bf16 is exact.  Two rows by sixteen columns at a time keep the sums in sixteen registers of
 * four f32 (SSE2, NEON).  A bf16 panel holds pairs of k, the even one in the low half of 32 bits
 * (little-endian).
 */
#include "simd/kernels.h"
#include "simd/scalar/lanes.h"

enum { TILE_COLUMNS = 16, TILE_VECTORS = TILE_COLUMNS / LANES };

/* Sums of one row over the columns of a tile into C, as many as there are. */
static void store(size_t n, const lanes *acc, float *c, bool accumulate)
{
    float sums[TILE_COLUMNS];

    memcpy(sums, acc, sizeof sums);
    for (size_t j = 0; j < n; j++) {
        c[j] = accumulate ? c[j] + sums[j] : sums[j];
    }
}

/* Rows a0 and a1 (the same if there is but one) x the sixteen columns that panel points at. */
static void tile_f32(size_t k, const float *a0, const float *a1, const float *panel, lanes acc0[],
                     lanes acc1[])
{
    lanes s00 = {0}, s01 = {0}, s02 = {0}, s03 = {0};
    lanes s10 = {0}, s11 = {0}, s12 = {0}, s13 = {0};

    for (size_t p = 0; p < k; p++, panel += OMMA_PANEL_COLUMNS) {
        lanes va0 = lanes_set(a0[p]), va1 = lanes_set(a1[p]);
        lanes vb0 = lanes_load(panel), vb1 = lanes_load(panel + 4);
        lanes vb2 = lanes_load(panel + 8), vb3 = lanes_load(panel + 12);

        s00 += va0 * vb0;
        s01 += va0 * vb1;
        s02 += va0 * vb2;
        s03 += va0 * vb3;
        s10 += va1 * vb0;
        s11 += va1 * vb1;
        s12 += va1 * vb2;
        s13 += va1 * vb3;
    }
    acc0[0] = s00, acc0[1] = s01, acc0[2] = s02, acc0[3] = s03;
    acc1[0] = s10, acc1[1] = s11, acc1[2] = s12, acc1[3] = s13;
}

void omma_gemm_f32_2x16__scalar(size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                                const float *panel, float *c, size_t c_stride, bool accumulate)
{
    for (size_t i = 0; i < m; i += 2) {
        bool two = i + 1 < m;
        const float *a0 = a + i * a_stride, *a1 = two ? a0 + a_stride : a0;

        for (size_t j = 0; j < n; j += TILE_COLUMNS) {
            size_t n_here = n - j < TILE_COLUMNS ? n - j : TILE_COLUMNS;
            lanes acc0[TILE_VECTORS], acc1[TILE_VECTORS];

            tile_f32(k, a0, a1, panel + j, acc0, acc1);
            store(n_here, acc0, c + i * c_stride + j, accumulate);
            if (two) {
                store(n_here, acc1, c + (i + 1) * c_stride + j, accumulate);
            }
        }
    }
}

/* One pair of k of a panel: four columns of the even k, and of the odd one. */
static inline void load_pairs(const uint16_t *panel, lanes *even, lanes *odd)
{
    lanes_u32 pairs;

    memcpy(&pairs, panel, sizeof pairs);
    *even = (lanes)(pairs << 16);
    *odd = (lanes)(pairs & 0xFFFF0000u);
}

/* One row x the sixteen columns that panel points at. */
static void tile_bf16(size_t k, const uint16_t *a, const uint16_t *panel, lanes acc[])
{
    lanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};

    for (size_t p = 0; p < k; p += 2, panel += 2 * OMMA_PANEL_COLUMNS) {
        lanes va_even = lanes_set(omma_f32_of_bf16(a[p]));
        lanes va_odd = lanes_set(p + 1 < k ? omma_f32_of_bf16(a[p + 1]) : 0);
        lanes even, odd;

        load_pairs(panel, &even, &odd);
        s0 = s0 + va_even * even + va_odd * odd;
        load_pairs(panel + 8, &even, &odd);
        s1 = s1 + va_even * even + va_odd * odd;
        load_pairs(panel + 16, &even, &odd);
        s2 = s2 + va_even * even + va_odd * odd;
        load_pairs(panel + 24, &even, &odd);
        s3 = s3 + va_even * even + va_odd * odd;
    }
    acc[0] = s0, acc[1] = s1, acc[2] = s2, acc[3] = s3;
}

void omma_gemm_bf16_1x16__scalar(size_t m, size_t n, size_t k, const uint16_t *a, size_t a_stride,
                                 const uint16_t *panel, float *c, size_t c_stride, bool accumulate)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j += TILE_COLUMNS) {
            size_t n_here = n - j < TILE_COLUMNS ? n - j : TILE_COLUMNS;
            lanes acc[TILE_VECTORS];

            tile_bf16(k, a + i * a_stride, panel + 2 * j, acc);
            store(n_here, acc, c + i * c_stride + j, accumulate);
        }
    }
}
