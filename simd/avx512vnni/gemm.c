/*
 * gemm.c - C[m][n] = A[m][k] x panel of bytes by vpdpbusd with 512-bit vectors.
 *
 * The weights are the unsigned side: a panel is [(k + 3) / 4][32][4] bytes of w + 128.
 */
#include "config.h"

#include <string.h>

#include "simd/avx512vnni/vec.h"
#include "simd/kernels.h"

#include "simd/tmpl/gemm_512.h"

enum { STEP_VECTORS = 2, W_PLUS_128 = 1 };

BODY void step_i8(const __m512i w[STEP_VECTORS], __m512i x, __m512i *low, __m512i *high)
{
    *low = vec_dot(*low, w[0], x);
    *high = vec_dot(*high, w[1], x);
}

#include "simd/tmpl/gemm_i8_512.h"
