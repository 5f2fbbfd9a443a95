/* gemv.c - the GEMV of bytes by vpdpbusd: w + 128, which is unsigned, times x. */
#include "config.h"

#include "simd/avx512vnni/vec.h"
#include "simd/kernels.h"

enum { STEP = 64, W_PLUS_128 = 1 };

BODY __m512i load_x(const int8_t *at)
{
    return _mm512_loadu_si512(at);
}

BODY __m512i load_first_x(const int8_t *at, size_t n)
{
    return _mm512_maskz_loadu_epi8(UINT64_MAX >> (64 - n), at);
}

BODY __m512i plus_128(__m512i v)
{
    return _mm512_xor_si512(v, _mm512_set1_epi8(-128));
}

BODY __m512i load_w(const int8_t *at)
{
    return plus_128(load_x(at));
}

BODY __m512i load_first_w(const int8_t *at, size_t n)
{
    return plus_128(load_first_x(at, n));
}

BODY __m512i multiply(__m512i sums, __m512i w, __m512i x)
{
    return vec_dot(sums, w, x);
}

#include "simd/tmpl/gemv_i8_512.h"
