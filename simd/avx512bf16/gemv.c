/* gemv.c - the GEMV of bf16 by vdpbf16ps with 512-bit vectors, by simd/tmpl/gemv_streams.h. */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#if !defined(__AVX512BF16__) && !defined(OMMA_SIMDE)
#error "gemv.c of the tier avx512bf16 is compiled without its flags"
#endif

#include "simd/tmpl/gemv_bf16_512.h"

typedef uint16_t w_element;

BODY __m512bh load_w(const uint16_t *at)
{
    return load_x(at);
}

BODY __m512bh load_first_w(const uint16_t *at, size_t n)
{
    return load_first_x(at, n);
}

#include "simd/tmpl/gemv_streams.h"

void omma_gemv_bf16_bf16w_4x8__avx512bf16(size_t m, size_t n, size_t k, const uint16_t *x,
                                          size_t x_stride, const uint16_t *w, size_t w_stride,
                                          float *y, size_t y_stride)
{
    struct operands operands = {x, x_stride, w, w_stride};
    struct result result = {.y = y, .y_stride = y_stride};

    gemv(m, n, k, operands, result);
}
