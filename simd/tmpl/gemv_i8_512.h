/*
 * The GEMV of bytes with 512-bit vectors, by simd/tmpl/gemv_streams.h, whose types and functions it
 * gives; a tier gives STEP, load_x, load_w, load_first_x, load_first_w, multiply and W_PLUS_128:
 * whether load_w adds 128, so that 128 sum(x) comes off.  Sums of bytes are exact in any order.
 */

typedef int8_t x_element, w_element;
typedef int32_t y_element;
typedef __m512i factors, sums_vec;

BODY __m512i no_sums(void)
{
    return _mm512_setzero_si512();
}

/* Halves of a and of b, added up: a's eight sums, then b's. */
BODY __m512i add_halves(__m512i a, __m512i b)
{
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xEE));
}

/* The sums of four vectors' sixteen lanes. */
BODY __m128i sums_of_lanes(__m512i a, __m512i b, __m512i c, __m512i d)
{
    const __m512i every_fourth =
        _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    __m512i ab = add_halves(a, b), cd = add_halves(c, d);
    __m512i sums =
        _mm512_add_epi32(_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xDD));

    sums = _mm512_add_epi32(sums, _mm512_shuffle_epi32(sums, 0x4E));
    sums = _mm512_add_epi32(sums, _mm512_shuffle_epi32(sums, 0xB1));
    return _mm512_castsi512_si128(_mm512_permutexvar_epi32(every_fourth, sums));
}

BODY void store_sums(const int n, const __m512i *of, const int32_t *x_sum, int32_t *y, size_t apart)
{
    __m128i excess = _mm_set1_epi32(W_PLUS_128 ? *x_sum : 0);
    __m128i four = sums_of_lanes(of[0], of[n == 1 ? 0 : 1], of[n == 1 ? 0 : 2], of[n == 1 ? 0 : 3]);

    four = _mm_sub_epi32(four, _mm_slli_epi32(excess, 7));
    if (n > 1 && apart == 1) {
        _mm_storeu_si128((__m128i *)(void *)y, four);
        return;
    }
    y[0] = _mm_cvtsi128_si32(four);
    if (n > 1) {
        y[apart] = _mm_extract_epi32(four, 1);
        y[2 * apart] = _mm_extract_epi32(four, 2);
        y[3 * apart] = _mm_extract_epi32(four, 3);
    }
}

#include "simd/tmpl/gemv_streams.h"

void OMMA_TIER(omma_gemv_i8_4x8)(size_t m, size_t n, size_t k, const int8_t *x, size_t x_stride,
                                 const int32_t *x_sums, const int8_t *w, size_t w_stride,
                                 int32_t *y, size_t y_stride)
{
    struct operands operands = {x, x_stride, w, w_stride};
    struct result result = {.y = y, .y_stride = y_stride, .x_sums = x_sums};

    gemv(m, n, k, operands, result);
}
