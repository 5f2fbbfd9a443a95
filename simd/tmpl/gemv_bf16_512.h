/*
 * The GEMV of bf16 with 512-bit vectors: x and the sums, for simd/tmpl/gemv_streams.h.  A file adds
 * w_element, load_w and load_first_w, which give W as bf16.
 */

typedef uint16_t x_element;
typedef float y_element;
typedef __m512bh factors;
typedef __m512 sums_vec;

enum { STEP = 32 };

BODY __m512bh load_x(const uint16_t *at)
{
    return (__m512bh)_mm512_loadu_si512(at);
}

BODY __m512bh load_first_x(const uint16_t *at, size_t n)
{
    return (__m512bh)_mm512_maskz_loadu_epi16((__mmask32)(UINT32_MAX >> (STEP - n)), at);
}

BODY __m512 no_sums(void)
{
    return _mm512_setzero_ps();
}

BODY __m512 multiply(__m512 sums, __m512bh w, __m512bh x)
{
    return _mm512_dpbf16_ps(sums, x, w);
}

/* Halves of a and of b, added up: a's eight sums, then b's. */
BODY __m512 add_halves(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
}

/* The sums of four vectors' sixteen lanes; each is added up in the same order, halves first. */
BODY __m128 sums_of_lanes(__m512 a, __m512 b, __m512 c, __m512 d)
{
    const __m512i every_fourth =
        _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    __m512 ab = add_halves(a, b), cd = add_halves(c, d);
    __m512 sums =
        _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));

    sums = _mm512_add_ps(sums, _mm512_shuffle_ps(sums, sums, 0x4E));
    sums = _mm512_add_ps(sums, _mm512_shuffle_ps(sums, sums, 0xB1));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(every_fourth, sums));
}

BODY void store_sums(const int n, const __m512 *of, const int32_t *x_sum, float *y, size_t apart)
{
    __m128 four = sums_of_lanes(of[0], of[n == 1 ? 0 : 1], of[n == 1 ? 0 : 2], of[n == 1 ? 0 : 3]);

    (void)x_sum;
    if (n > 1 && apart == 1) {
        _mm_storeu_ps(y, four);
        return;
    }
    _mm_store_ss(y, four);
    if (n > 1) {
        _mm_store_ss(y + apart, _mm_permute_ps(four, 1));
        _mm_store_ss(y + 2 * apart, _mm_permute_ps(four, 2));
        _mm_store_ss(y + 3 * apart, _mm_permute_ps(four, 3));
    }
}
