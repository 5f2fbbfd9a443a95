/*
 * vec.h - vectors of eight f32 for the bodies in simd/tmpl, on AVX2, FMA and F16C.
 *
 * A tail is the last n < VEC_N elements of a row; nothing beyond them is read or written.
 */
#ifndef OMMA_SIMD_AVX2_VEC_H
#define OMMA_SIMD_AVX2_VEC_H

#if !defined(OMMA_SIMDE) && !(defined(__AVX2__) && defined(__FMA__) && defined(__F16C__))
#error "simd/avx2 is compiled without its flags"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/x86.h"

/* The name of a kernel in this tier. */
#define OMMA_TIER(kernel) kernel##__avx2

typedef __m256 vec_f32;
typedef __m256i vec_i32;
typedef __m128i vec_u16; /* eight of them */

#include "simd/tmpl/lanes_256.h"

static inline vec_f32 vec_set(float a)
{
    return _mm256_set1_ps(a);
}

static inline vec_f32 vec_load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline void vec_store(float *y, vec_f32 a)
{
    _mm256_storeu_ps(y, a);
}

/* The tail, filled up with elements of fill. */
static inline vec_f32 vec_load_tail(const float *x, size_t n, vec_f32 fill)
{
    __m256i first = vec_first(n);

    return _mm256_blendv_ps(fill, _mm256_maskload_ps(x, first), _mm256_castsi256_ps(first));
}

static inline void vec_store_tail(float *y, size_t n, vec_f32 a)
{
    _mm256_maskstore_ps(y, vec_first(n), a);
}

static inline vec_f32 vec_add(vec_f32 a, vec_f32 b)
{
    return _mm256_add_ps(a, b);
}

static inline vec_f32 vec_sub(vec_f32 a, vec_f32 b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec_f32 vec_mul(vec_f32 a, vec_f32 b)
{
    return _mm256_mul_ps(a, b);
}

static inline vec_f32 vec_div(vec_f32 a, vec_f32 b)
{
    return _mm256_div_ps(a, b);
}

/* a b + c */
static inline vec_f32 vec_fma(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* a b - c */
static inline vec_f32 vec_fms(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm256_fmsub_ps(a, b, c);
}

/* c - a b */
static inline vec_f32 vec_fnma(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

/* The larger; b where one is NaN. */
static inline vec_f32 vec_max(vec_f32 a, vec_f32 b)
{
    return _mm256_max_ps(a, b);
}

/* The smaller; b where one is NaN. */
static inline vec_f32 vec_min(vec_f32 a, vec_f32 b)
{
    return _mm256_min_ps(a, b);
}

static inline vec_f32 vec_abs(vec_f32 a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

/* a 2^n, rounded once; n whole, -250 to 250.  In two steps, as 2^n need not be a normal number. */
static inline vec_f32 vec_scale(vec_f32 a, vec_f32 n)
{
    const __m256i bias = _mm256_set1_epi32(127);
    __m256i all = _mm256_cvtps_epi32(n);
    __m256i half = _mm256_srai_epi32(all, 1);
    __m256i rest = _mm256_sub_epi32(all, half);
    __m256i half_power = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i rest_power = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);

    a = _mm256_mul_ps(a, _mm256_castsi256_ps(half_power));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(rest_power));
}

/* The sum of the elements, always in the same order. */
static inline float vec_sum(vec_f32 a)
{
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    sum = _mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1));
    return _mm_cvtss_f32(sum);
}

/* The largest element; none is NaN. */
static inline float vec_largest(vec_f32 a)
{
    __m128 max = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

    max = _mm_max_ps(max, _mm_movehl_ps(max, max));
    max = _mm_max_ss(max, _mm_shuffle_ps(max, max, 1));
    return _mm_cvtss_f32(max);
}

static inline vec_i32 vec_bits(vec_f32 a)
{
    return _mm256_castps_si256(a);
}

static inline vec_f32 vec_of_bits(vec_i32 a)
{
    return _mm256_castsi256_ps(a);
}

static inline vec_i32 vec_i32_set(int32_t a)
{
    return _mm256_set1_epi32(a);
}

static inline vec_i32 vec_i32_add(vec_i32 a, vec_i32 b)
{
    return _mm256_add_epi32(a, b);
}

static inline vec_i32 vec_i32_and(vec_i32 a, vec_i32 b)
{
    return _mm256_and_si256(a, b);
}

static inline vec_i32 vec_i32_or(vec_i32 a, vec_i32 b)
{
    return _mm256_or_si256(a, b);
}

static inline vec_i32 vec_i32_left_16(vec_i32 a)
{
    return _mm256_slli_epi32(a, 16);
}

/* Zeros come in from above. */
static inline vec_i32 vec_i32_right_16(vec_i32 a)
{
    return _mm256_srli_epi32(a, 16);
}

/* a where x is NaN, else b. */
static inline vec_i32 vec_i32_if_nan(vec_f32 x, vec_i32 a, vec_i32 b)
{
    return _mm256_blendv_epi8(b, a, _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
}

static inline vec_u16 vec_u16_load(const uint16_t *x)
{
    return _mm_loadu_si128((const __m128i *)x);
}

static inline vec_u16 vec_u16_load_tail(const uint16_t *x, size_t n)
{
    uint16_t row[VEC_N] = {0};

    memcpy(row, x, n * sizeof *x);
    return vec_u16_load(row);
}

static inline void vec_u16_store(uint16_t *y, vec_u16 a)
{
    _mm_storeu_si128((__m128i *)y, a);
}

static inline void vec_u16_store_tail(uint16_t *y, size_t n, vec_u16 a)
{
    uint16_t row[VEC_N];

    vec_u16_store(row, a);
    memcpy(y, row, n * sizeof *y);
}

static inline vec_i32 vec_u16_widen(vec_u16 a)
{
    return _mm256_cvtepu16_epi32(a);
}

/* Elements are below 65536. */
static inline vec_u16 vec_u16_narrow(vec_i32 a)
{
    return _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

static inline vec_f32 vec_of_f16(vec_u16 a)
{
    return _mm256_cvtph_ps(a);
}

/* To the nearest whole numbers, of two the even one. */
static inline vec_i32 vec_round(vec_f32 a)
{
    return _mm256_cvtps_epi32(a);
}

static inline vec_f32 vec_of_i32(vec_i32 a)
{
    return _mm256_cvtepi32_ps(a);
}

static inline vec_i32 vec_i32_load(const int32_t *x)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)x);
}

static inline vec_i32 vec_i32_load_tail(const int32_t *x, size_t n)
{
    return _mm256_maskload_epi32(x, vec_first(n));
}

static inline int32_t vec_i32_sum(vec_i32 a)
{
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));

    sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
    sum = _mm_add_epi32(sum, _mm_srli_epi64(sum, 32));
    return _mm_cvtsi128_si32(sum);
}

static inline vec_i32 vec_i8_load(const int8_t *x)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x));
}

static inline vec_i32 vec_i8_load_tail(const int8_t *x, size_t n)
{
    int64_t bytes = 0;

    memcpy(&bytes, x, n);
    return _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes));
}

/* The eight bytes of elements -128 to 127. */
static inline int64_t vec_i8_narrow(vec_i32 a)
{
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));

    return _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
}

static inline void vec_i8_store(int8_t *y, vec_i32 a)
{
    int64_t bytes = vec_i8_narrow(a);

    memcpy(y, &bytes, sizeof bytes);
}

static inline void vec_i8_store_tail(int8_t *y, size_t n, vec_i32 a)
{
    int64_t bytes = vec_i8_narrow(a);

    memcpy(y, &bytes, n);
}

/* sums + the products of i16, added up in pairs.  In assembly, as gcc 12 computes many products
 * before it adds them, and then has too few registers for the sums. */
static inline __attribute__((always_inline)) __m256i vec_dot_i16(__m256i sums, __m256i a, __m256i b)
{
#ifdef OMMA_SIMDE
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
#else
    __m256i products;

    __asm__("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0"
            : "+x"(sums), "=&x"(products)
            : "x"(a), "x"(b));
    return sums;
#endif
}

#endif
