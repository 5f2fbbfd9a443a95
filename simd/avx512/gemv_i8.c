/* gemv_i8.c - the GEMV of bytes by vpmaddwd: both factors widened to i16, sums exact. */
#include "config.h"

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

enum { STEP = 32, W_PLUS_128 = 0 };

BODY __m512i load_x(const int8_t *at)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)at));
}

BODY __m512i load_first_x(const int8_t *at, size_t n)
{
    return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(UINT32_MAX >> (32 - n), at));
}

BODY __m512i load_w(const int8_t *at)
{
    return load_x(at);
}

BODY __m512i load_first_w(const int8_t *at, size_t n)
{
    return load_first_x(at, n);
}

BODY __m512i multiply(__m512i sums, __m512i w, __m512i x)
{
    return vec_dot_i16(sums, w, x);
}

#include "simd/tmpl/gemv_i8_512.h"
