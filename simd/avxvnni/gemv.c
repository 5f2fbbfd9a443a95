/* gemv.c - the GEMV of bytes by vpdpbusd of 256 bits: w + 128, which is unsigned, times x. */
#include "config.h"

#include "simd/avxvnni/vec.h"
#include "simd/kernels.h"

enum { LANES = 32, W_PLUS_128 = 1 };

BODY __m256i load_x(const int8_t *at)
{
    return _mm256_loadu_si256((const void *)at);
}

BODY __m256i load_w(const int8_t *at)
{
    return vec_plus_128(load_x(at));
}

BODY __m256i dot(__m256i sums, __m256i w, __m256i x)
{
    return vec_dot(sums, w, x);
}

#include "simd/tmpl/gemv_i8_256.h"
