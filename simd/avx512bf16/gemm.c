/*
 * gemm.c - C[m][n] = A[m][k] x panel of bf16 by vdpbf16ps with 512-bit vectors.
 *
 * An element of C is one chain of multiply-adds over pairs of k in order, so its bits depend
 * neither on the tile's height nor on n.  vdpbf16ps treats subnormals as zero, on the way in and
 * out.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#include <string.h>

#if !defined(__AVX512BF16__) && !defined(OMMA_SIMDE)
#error "gemm.c of the tier avx512bf16 is compiled without its flags"
#endif

#include "simd/tmpl/gemm_512.h"

enum { LINE = 32 /* bf16 */ };

/* A pair of k in every lane. */
static inline __m512bh broadcast_pair(const uint16_t *a)
{
    int pair;

    memcpy(&pair, a, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

BODY void tile_bf16(const int mr, size_t k, const uint16_t *a, size_t a_stride,
                    const uint16_t *panel, struct output output)
{
    __m512 low[MR], high[MR];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm512_setzero_ps();
    }
    for (; p + 2 <= k; p += 2) {
        __m512bh vb_low = (__m512bh)_mm512_load_si512(panel + p * COLUMNS);
        __m512bh vb_high = (__m512bh)_mm512_load_si512(panel + p * COLUMNS + 2 * LANES);

        if (p % LINE == 0) { /* A need not fit in L2: the next tile's lines, each once */
            UNROLL
            for (int i = 0; i < mr; i++) {
                _mm_prefetch((const char *)(a + (size_t)(mr + i) * a_stride + p), _MM_HINT_T1);
            }
        }

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m512bh va = broadcast_pair(a + (size_t)i * a_stride + p);

            low[i] = _mm512_dpbf16_ps(low[i], va, vb_low);
            high[i] = _mm512_dpbf16_ps(high[i], va, vb_high);
        }
    }
    if (p < k) { /* half a pair: the panel is zero there, but A must not be read */
        __m512bh vb_low = (__m512bh)_mm512_load_si512(panel + p * COLUMNS);
        __m512bh vb_high = (__m512bh)_mm512_load_si512(panel + p * COLUMNS + 2 * LANES);

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m512bh va = (__m512bh)_mm512_set1_epi32(a[(size_t)i * a_stride + p]);

            low[i] = _mm512_dpbf16_ps(low[i], va, vb_low);
            high[i] = _mm512_dpbf16_ps(high[i], va, vb_high);
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

void omma_gemm_bf16_12x32__avx512bf16(size_t m, size_t n, size_t k, const uint16_t *a,
                                      size_t a_stride, const uint16_t *panel, float *c,
                                      size_t c_stride, bool accumulate)
{
    struct output output = output_of(n, c, c_stride, accumulate);

    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        OMMA_WITH_CONSTANT_12(mr, tile_bf16, k, a, a_stride, panel, output);
        m -= mr;
        a += mr * a_stride;
        output.c += mr * c_stride;
    }
}
