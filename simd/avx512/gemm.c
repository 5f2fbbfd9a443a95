/*
 * gemm.c - C[m][n] = A[m][k] x panel of f32 by FMA with 512-bit vectors.
 *
 * An element of C is one chain of multiply-adds over k in order, so its bits depend neither on the
 * tile's height nor on n.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#if !defined(__AVX512BW__) && !defined(OMMA_SIMDE)
#error "gemm.c of the tier avx512 is compiled without its flags"
#endif

#include "simd/tmpl/gemm_512.h"

BODY void tile_f32(const int mr, size_t k, const float *a, size_t a_stride, const float *panel,
                   struct output output)
{
    __m512 low[MR], high[MR];

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm512_setzero_ps();
    }
    for (size_t p = 0; p < k; p++) {
        __m512 vb_low = _mm512_load_ps(panel + p * COLUMNS);
        __m512 vb_high = _mm512_load_ps(panel + p * COLUMNS + LANES);

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m512 va = _mm512_set1_ps(a[(size_t)i * a_stride + p]);

            low[i] = _mm512_fmadd_ps(va, vb_low, low[i]);
            high[i] = _mm512_fmadd_ps(va, vb_high, high[i]);
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

void omma_gemm_f32_12x32__avx512(size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                                 const float *panel, float *c, size_t c_stride, bool accumulate)
{
    struct output output = output_of(n, c, c_stride, accumulate);

    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        OMMA_WITH_CONSTANT_12(mr, tile_f32, k, a, a_stride, panel, output);
        m -= mr;
        a += mr * a_stride;
        output.c += mr * c_stride;
    }
}
