/* gemv_i8.c - the GEMV of bytes by vpmaddwd: both factors widened to i16, sums exact
 * (simd/avx2/gemm_i8.c says why). */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum { LANES = 16, W_PLUS_128 = 0 };

BODY __m256i load_x(const int8_t *at)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)at));
}

BODY __m256i load_w(const int8_t *at)
{
    return load_x(at);
}

BODY __m256i dot(__m256i sums, __m256i w, __m256i x)
{
    return vec_dot_i16(sums, x, w);
}

#include "simd/tmpl/gemv_i8_256.h"
