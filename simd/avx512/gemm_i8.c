/*
 * gemm_i8.c - C[m][n] = A[m][k] x panel of bytes by vpmaddwd with 512-bit vectors: exact, for CPUs
 * that lack vpdpbusd.
 *
 * A panel is [(k + 3) / 4][2][32][2] i16: of four k the even two, then the odd two, as shifts of
 * whole lanes give them from the bytes of A.
 */
#include "config.h"

#include <string.h>

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

#include "simd/tmpl/gemm_512.h"

enum { STEP_VECTORS = 4, W_PLUS_128 = 0 };

BODY void step_i8(const __m512i w[STEP_VECTORS], __m512i x, __m512i *low, __m512i *high)
{
    __m512i even = _mm512_srai_epi16(_mm512_slli_epi16(x, 8), 8);
    __m512i odd = _mm512_srai_epi16(x, 8);

    *low = _mm512_add_epi32(*low, _mm512_madd_epi16(w[0], even));
    *high = _mm512_add_epi32(*high, _mm512_madd_epi16(w[1], even));
    *low = _mm512_add_epi32(*low, _mm512_madd_epi16(w[2], odd));
    *high = _mm512_add_epi32(*high, _mm512_madd_epi16(w[3], odd));
}

#include "simd/tmpl/gemm_i8_512.h"
