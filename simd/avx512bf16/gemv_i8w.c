/*
 * gemv_i8w.c - the GEMV of bf16 with weights of int8, which bf16 holds exactly: they are widened as
 * they are read, then multiplied by vdpbf16ps.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#if !defined(__AVX512BF16__) && !defined(OMMA_SIMDE)
#error "gemv_i8w.c of the tier avx512bf16 is compiled without its flags"
#endif

#include "simd/tmpl/gemv_bf16_512.h"

typedef int8_t w_element;

BODY __m512bh widen(__m256i bytes)
{
    __m512i low = _mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes));
    __m512i high = _mm512_cvtepi8_epi32(_mm256_extracti128_si256(bytes, 1));

    return _mm512_cvtne2ps_pbh(_mm512_cvtepi32_ps(high), _mm512_cvtepi32_ps(low));
}

BODY __m512bh load_w(const int8_t *at)
{
    return widen(_mm256_loadu_si256((const void *)at));
}

BODY __m512bh load_first_w(const int8_t *at, size_t n)
{
    return widen(_mm256_maskz_loadu_epi8(UINT32_MAX >> (STEP - n), at));
}

#include "simd/tmpl/gemv_streams.h"

void omma_gemv_bf16_i8w_4x8__avx512bf16(size_t m, size_t n, size_t k, const uint16_t *x,
                                        size_t x_stride, const int8_t *w, size_t w_stride, float *y,
                                        size_t y_stride)
{
    struct operands operands = {x, x_stride, w, w_stride};
    struct result result = {.y = y, .y_stride = y_stride};

    gemv(m, n, k, operands, result);
}
