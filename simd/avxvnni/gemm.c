/*
 * gemm.c - C[m][n] = A[m][k] x panel of bytes by vpdpbusd with 256-bit vectors, and the panels.
 *
 * The weights are the unsigned side: a panel is [(k + 3) / 4][32][4] bytes of w + 128.  A is read
 * as it lies, four k a lane.
 */
#include "config.h"

#include "simd/avxvnni/vec.h"
#include "simd/kernels.h"

enum { IN_LANE = 4, W_PLUS_128 = 1 };

typedef uint8_t panel_element;

BODY uint8_t panel_value(int8_t w)
{
    return (uint8_t)(w + 128);
}

BODY __m256i load_lanes(const int8_t *row)
{
    return vec_plus_128(_mm256_loadu_si256((const void *)row));
}

BODY __m256i dot(__m256i sums, __m256i w, __m256i x)
{
    return vec_dot(sums, w, x);
}

#include "simd/tmpl/gemm_i8_256.h"

size_t omma_panel_i8_bytes__avxvnni(size_t k)
{
    return (k + IN_LANE - 1) / IN_LANE * PANEL_ROW_BYTES;
}

void omma_pack_rows_i8__avxvnni(size_t n, size_t k, const int8_t *source, size_t stride,
                                void *panel)
{
    pack_rows(n, k, source, stride, panel);
}

/* The panel's halves of columns in turn; the rows of A are in L1 for the second. */
BODY void rows(const int mr, size_t n, size_t k, const int8_t *a, size_t a_stride,
               const char *panel, struct output_i32 output)
{
    output.n = n < HALF ? n : HALF;
    tile(mr, true, k / IN_LANE, k % IN_LANE, (const char *)a, a_stride, panel, &output);
    if (n > HALF) {
        output.n = n - HALF;
        output.c += HALF;
        tile(mr, false, k / IN_LANE, k % IN_LANE, (const char *)a, a_stride,
             panel + HALF * LANE_BYTES, &output);
    }
}

void omma_gemm_i8_6x16__avxvnni(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                                const int32_t *a_sums, const void *panel, int32_t *c,
                                size_t c_stride, bool accumulate)
{
    struct output_i32 output = {
        .c = c, .c_stride = c_stride, .a_sums = a_sums, .accumulate = accumulate};

    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        OMMA_WITH_CONSTANT_6(mr, rows, n, k, a, a_stride, panel, output);
        m -= mr;
        a += mr * a_stride;
        output.c += mr * c_stride;
        output.a_sums += a_sums != NULL ? mr : 0;
    }
}
