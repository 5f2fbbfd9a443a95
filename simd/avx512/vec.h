/*
 * vec.h - vectors of sixteen f32 for the bodies in simd/tmpl, on AVX-512 F, BW, DQ and VL.
 *
 * A tail is the last n < VEC_N elements of a row; nothing beyond them is read or written.
 */
#ifndef OMMA_SIMD_AVX512_VEC_H
#define OMMA_SIMD_AVX512_VEC_H

#if !defined(OMMA_SIMDE) && !defined(__AVX512BW__)
#error "simd/avx512 is compiled without its flags"
#endif

#include <stddef.h>
#include <stdint.h>

#include "simd/x86.h"

/* The name of a kernel in this tier. */
#define OMMA_TIER(kernel) kernel##__avx512

typedef __m512 vec_f32;
typedef __m512i vec_i32;
typedef __m256i vec_u16; /* sixteen of them */

enum { VEC_N = 16 };

static inline vec_f32 vec_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline vec_f32 vec_load(const float *x)
{
    return _mm512_loadu_ps(x);
}

static inline void vec_store(float *y, vec_f32 a)
{
    _mm512_storeu_ps(y, a);
}

/* A bit for each of the first n of sixteen elements. */
static inline __mmask16 vec_first(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* The tail, filled up with elements of fill. */
static inline vec_f32 vec_load_tail(const float *x, size_t n, vec_f32 fill)
{
    return _mm512_mask_loadu_ps(fill, vec_first(n), x);
}

static inline void vec_store_tail(float *y, size_t n, vec_f32 a)
{
    _mm512_mask_storeu_ps(y, vec_first(n), a);
}

static inline vec_f32 vec_add(vec_f32 a, vec_f32 b)
{
    return _mm512_add_ps(a, b);
}

static inline vec_f32 vec_sub(vec_f32 a, vec_f32 b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec_f32 vec_mul(vec_f32 a, vec_f32 b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec_f32 vec_div(vec_f32 a, vec_f32 b)
{
    return _mm512_div_ps(a, b);
}

/* a b + c */
static inline vec_f32 vec_fma(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* a b - c */
static inline vec_f32 vec_fms(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm512_fmsub_ps(a, b, c);
}

/* c - a b */
static inline vec_f32 vec_fnma(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

/* The larger; b where one is NaN. */
static inline vec_f32 vec_max(vec_f32 a, vec_f32 b)
{
    return _mm512_max_ps(a, b);
}

/* The smaller; b where one is NaN. */
static inline vec_f32 vec_min(vec_f32 a, vec_f32 b)
{
    return _mm512_min_ps(a, b);
}

static inline vec_f32 vec_abs(vec_f32 a)
{
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}

/* a 2^n, rounded once; n whole. */
static inline vec_f32 vec_scale(vec_f32 a, vec_f32 n)
{
    return _mm512_scalef_ps(a, n);
}

/* The sum of the elements, always in the same order: that of _mm512_reduce_add_ps() is the
 * compiler's. */
static inline float vec_sum(vec_f32 a)
{
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));

    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    sum = _mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1));
    return _mm_cvtss_f32(sum);
}

/* The largest element; none is NaN. */
static inline float vec_largest(vec_f32 a)
{
    __m256 half = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 max = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));

    max = _mm_max_ps(max, _mm_movehl_ps(max, max));
    max = _mm_max_ss(max, _mm_shuffle_ps(max, max, 1));
    return _mm_cvtss_f32(max);
}

static inline vec_i32 vec_bits(vec_f32 a)
{
    return _mm512_castps_si512(a);
}

static inline vec_f32 vec_of_bits(vec_i32 a)
{
    return _mm512_castsi512_ps(a);
}

static inline vec_i32 vec_i32_set(int32_t a)
{
    return _mm512_set1_epi32(a);
}

static inline vec_i32 vec_i32_add(vec_i32 a, vec_i32 b)
{
    return _mm512_add_epi32(a, b);
}

static inline vec_i32 vec_i32_and(vec_i32 a, vec_i32 b)
{
    return _mm512_and_si512(a, b);
}

static inline vec_i32 vec_i32_or(vec_i32 a, vec_i32 b)
{
    return _mm512_or_si512(a, b);
}

static inline vec_i32 vec_i32_left_16(vec_i32 a)
{
    return _mm512_slli_epi32(a, 16);
}

/* Zeros come in from above. */
static inline vec_i32 vec_i32_right_16(vec_i32 a)
{
    return _mm512_srli_epi32(a, 16);
}

/* a where x is NaN, else b. */
static inline vec_i32 vec_i32_if_nan(vec_f32 x, vec_i32 a, vec_i32 b)
{
    return _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), b, a);
}

static inline vec_u16 vec_u16_load(const uint16_t *x)
{
    return _mm256_loadu_si256((const __m256i *)x);
}

static inline vec_u16 vec_u16_load_tail(const uint16_t *x, size_t n)
{
    return _mm256_maskz_loadu_epi16(vec_first(n), x);
}

static inline void vec_u16_store(uint16_t *y, vec_u16 a)
{
    _mm256_storeu_si256((__m256i *)y, a);
}

static inline void vec_u16_store_tail(uint16_t *y, size_t n, vec_u16 a)
{
    _mm256_mask_storeu_epi16(y, vec_first(n), a);
}

static inline vec_i32 vec_u16_widen(vec_u16 a)
{
    return _mm512_cvtepu16_epi32(a);
}

/* Elements are below 65536. */
static inline vec_u16 vec_u16_narrow(vec_i32 a)
{
    return _mm512_cvtepi32_epi16(a);
}

static inline vec_f32 vec_of_f16(vec_u16 a)
{
    return _mm512_cvtph_ps(a);
}

/* To the nearest whole numbers, of two the even one. */
static inline vec_i32 vec_round(vec_f32 a)
{
    return _mm512_cvtps_epi32(a);
}

static inline vec_f32 vec_of_i32(vec_i32 a)
{
    return _mm512_cvtepi32_ps(a);
}

static inline vec_i32 vec_i32_load(const int32_t *x)
{
    return _mm512_loadu_si512(x);
}

static inline vec_i32 vec_i32_load_tail(const int32_t *x, size_t n)
{
    return _mm512_maskz_loadu_epi32(vec_first(n), x);
}

static inline int32_t vec_i32_sum(vec_i32 a)
{
    return _mm512_reduce_add_epi32(a);
}

static inline vec_i32 vec_i8_load(const int8_t *x)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)x));
}

static inline vec_i32 vec_i8_load_tail(const int8_t *x, size_t n)
{
    return _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(vec_first(n), x));
}

/* Elements are -128 to 127. */
static inline void vec_i8_store(int8_t *y, vec_i32 a)
{
    _mm_storeu_si128((__m128i *)y, _mm512_cvtepi32_epi8(a));
}

static inline void vec_i8_store_tail(int8_t *y, size_t n, vec_i32 a)
{
    _mm_mask_storeu_epi8(y, vec_first(n), _mm512_cvtepi32_epi8(a));
}

/* sums + the products of i16, added up in pairs.  In assembly, as gcc 12 computes many products
 * before it adds them, and then has too few registers for the sums. */
static inline __attribute__((always_inline)) __m512i vec_dot_i16(__m512i sums, __m512i a, __m512i b)
{
#ifdef OMMA_SIMDE
    return _mm512_add_epi32(sums, _mm512_madd_epi16(a, b));
#else
    __m512i products;

    __asm__("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0"
            : "+v"(sums), "=&v"(products)
            : "v"(a), "v"(b));
    return sums;
#endif
}

#endif
