/*
 * gemm_bf16.c - C[m][n] = A[m][k] x panel of bf16 by tdpbf16ps, which treats subnormals as zero, on
 * the way in and out.
 */
#include "config.h"

#include "simd/amx/tile.h"
#include "simd/kernels.h"

enum { LANES = 16, IN_LANE = 2 };

typedef uint16_t element;
typedef float sum;

#define DOT _tile_dpbf16ps

static inline void add_row(size_t n, const float *sums, float *c, bool accumulate)
{
    for (size_t j = 0; j < n; j += LANES) {
        __mmask16 mask = (__mmask16)(n - j < LANES ? (1u << (n - j)) - 1 : 0xFFFF);
        __m512 v = _mm512_loadu_ps(sums + j);

        if (accumulate) {
            v = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c + j), v);
        }
        _mm512_mask_storeu_ps(c + j, mask, v);
    }
}

#include "simd/tmpl/gemm_amx.h"

void omma_gemm_bf16_32x32__amx(size_t m, size_t n, size_t k, const uint16_t *a, size_t a_stride,
                               const uint16_t *panel, float *c, size_t c_stride, bool accumulate)
{
    gemm(m, n, k, a, a_stride, panel, c, c_stride, accumulate);
}
