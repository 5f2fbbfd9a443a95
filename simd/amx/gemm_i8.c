/*
 * gemm_i8.c - C[m][n] = A[m][k] x panel of bytes by tdpbssd: both sides are signed, so that the
 * panel, [(k + 3) / 4][32][4], holds the weights as they are, and no sums of A are needed.
 */
#include "config.h"

#include "simd/amx/tile.h"
#include "simd/kernels.h"

enum { IN_LANE = 4, I32_LANES = 16 };

typedef int8_t element;
typedef int32_t sum;

#define DOT _tile_dpbssd

static inline void add_row(size_t n, const int32_t *sums, int32_t *c, bool accumulate)
{
    for (size_t j = 0; j < n; j += I32_LANES) {
        __mmask16 mask = (__mmask16)(n - j < I32_LANES ? (1u << (n - j)) - 1 : 0xFFFF);
        __m512i v = _mm512_loadu_si512(sums + j);

        if (accumulate) {
            v = _mm512_add_epi32(_mm512_maskz_loadu_epi32(mask, c + j), v);
        }
        _mm512_mask_storeu_epi32(c + j, mask, v);
    }
}

#include "simd/tmpl/gemm_amx.h"

void omma_gemm_i8_32x32__amx(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                             const int32_t *a_sums, const void *panel, int32_t *c, size_t c_stride,
                             bool accumulate)
{
    (void)a_sums;
    gemm(m, n, k, a, a_stride, panel, c, c_stride, accumulate);
}
