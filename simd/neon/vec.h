/*
 * vec.h - vectors of four f32 for the bodies in simd/tmpl, on 64-bit Arm's NEON.
 *
 * A tail is the last n < VEC_N elements of a row; nothing beyond them is read or written.
 */
#ifndef OMMA_SIMD_NEON_VEC_H
#define OMMA_SIMD_NEON_VEC_H

#if !defined(OMMA_SIMDE) && !defined(__aarch64__)
#error "simd/neon is compiled for another architecture"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/arm.h"

/* The name of a kernel in this tier. */
#define OMMA_TIER(kernel) kernel##__neon

typedef float32x4_t vec_f32;
typedef int32x4_t vec_i32;
typedef uint16x4_t vec_u16;

enum { VEC_N = 4 };

static inline vec_f32 vec_set(float a)
{
    return vdupq_n_f32(a);
}

static inline vec_f32 vec_load(const float *x)
{
    return vld1q_f32(x);
}

static inline void vec_store(float *y, vec_f32 a)
{
    vst1q_f32(y, a);
}

/* The tail, filled up with elements of fill. */
static inline vec_f32 vec_load_tail(const float *x, size_t n, vec_f32 fill)
{
    float row[VEC_N];

    vst1q_f32(row, fill);
    memcpy(row, x, n * sizeof *x);
    return vld1q_f32(row);
}

static inline void vec_store_tail(float *y, size_t n, vec_f32 a)
{
    float row[VEC_N];

    vst1q_f32(row, a);
    memcpy(y, row, n * sizeof *y);
}

static inline vec_f32 vec_add(vec_f32 a, vec_f32 b)
{
    return vaddq_f32(a, b);
}

static inline vec_f32 vec_sub(vec_f32 a, vec_f32 b)
{
    return vsubq_f32(a, b);
}

static inline vec_f32 vec_mul(vec_f32 a, vec_f32 b)
{
    return vmulq_f32(a, b);
}

static inline vec_f32 vec_div(vec_f32 a, vec_f32 b)
{
    return vdivq_f32(a, b);
}

/* a b + c */
static inline vec_f32 vec_fma(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return vfmaq_f32(c, a, b);
}

/* a b - c */
static inline vec_f32 vec_fms(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return vfmaq_f32(vnegq_f32(c), a, b);
}

/* c - a b */
static inline vec_f32 vec_fnma(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return vfmsq_f32(c, a, b);
}

/* The larger; NaN where one is NaN. */
static inline vec_f32 vec_max(vec_f32 a, vec_f32 b)
{
    return vmaxq_f32(a, b);
}

/* The smaller; NaN where one is NaN. */
static inline vec_f32 vec_min(vec_f32 a, vec_f32 b)
{
    return vminq_f32(a, b);
}

static inline vec_f32 vec_abs(vec_f32 a)
{
    return vabsq_f32(a);
}

/* a 2^n, rounded once; n whole, -250 to 250.  In two steps, as 2^n need not be a normal number. */
static inline vec_f32 vec_scale(vec_f32 a, vec_f32 n)
{
    const int32x4_t bias = vdupq_n_s32(127);
    int32x4_t all = vcvtq_s32_f32(n);
    int32x4_t half = vshrq_n_s32(all, 1);
    int32x4_t rest = vsubq_s32(all, half);
    int32x4_t half_power = vshlq_n_s32(vaddq_s32(half, bias), 23);
    int32x4_t rest_power = vshlq_n_s32(vaddq_s32(rest, bias), 23);

    a = vmulq_f32(a, vreinterpretq_f32_s32(half_power));
    return vmulq_f32(a, vreinterpretq_f32_s32(rest_power));
}

/* The sum of the elements, always in the same order. */
static inline float vec_sum(vec_f32 a)
{
    float32x2_t halves = vadd_f32(vget_low_f32(a), vget_high_f32(a));

    return vget_lane_f32(halves, 0) + vget_lane_f32(halves, 1);
}

/* The largest element; none is NaN. */
static inline float vec_largest(vec_f32 a)
{
    return vmaxvq_f32(a);
}

static inline vec_i32 vec_bits(vec_f32 a)
{
    return vreinterpretq_s32_f32(a);
}

static inline vec_f32 vec_of_bits(vec_i32 a)
{
    return vreinterpretq_f32_s32(a);
}

static inline vec_i32 vec_i32_set(int32_t a)
{
    return vdupq_n_s32(a);
}

static inline vec_i32 vec_i32_add(vec_i32 a, vec_i32 b)
{
    return vaddq_s32(a, b);
}

static inline vec_i32 vec_i32_and(vec_i32 a, vec_i32 b)
{
    return vandq_s32(a, b);
}

static inline vec_i32 vec_i32_or(vec_i32 a, vec_i32 b)
{
    return vorrq_s32(a, b);
}

static inline vec_i32 vec_i32_left_16(vec_i32 a)
{
    return vshlq_n_s32(a, 16);
}

/* Zeros come in from above. */
static inline vec_i32 vec_i32_right_16(vec_i32 a)
{
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), 16));
}

/* a where x is NaN, else b. */
static inline vec_i32 vec_i32_if_nan(vec_f32 x, vec_i32 a, vec_i32 b)
{
    return vbslq_s32(vceqq_f32(x, x), b, a);
}

static inline vec_u16 vec_u16_load(const uint16_t *x)
{
    return vld1_u16(x);
}

static inline vec_u16 vec_u16_load_tail(const uint16_t *x, size_t n)
{
    uint16_t row[VEC_N] = {0};

    memcpy(row, x, n * sizeof *x);
    return vld1_u16(row);
}

static inline void vec_u16_store(uint16_t *y, vec_u16 a)
{
    vst1_u16(y, a);
}

static inline void vec_u16_store_tail(uint16_t *y, size_t n, vec_u16 a)
{
    uint16_t row[VEC_N];

    vst1_u16(row, a);
    memcpy(y, row, n * sizeof *y);
}

static inline vec_i32 vec_u16_widen(vec_u16 a)
{
    return vreinterpretq_s32_u32(vmovl_u16(a));
}

/* Elements are below 65536. */
static inline vec_u16 vec_u16_narrow(vec_i32 a)
{
    return vmovn_u32(vreinterpretq_u32_s32(a));
}

static inline vec_f32 vec_of_f16(vec_u16 a)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(a));
}

/* To the nearest whole numbers, of two the even one. */
static inline vec_i32 vec_round(vec_f32 a)
{
    return vcvtnq_s32_f32(a);
}

static inline vec_f32 vec_of_i32(vec_i32 a)
{
    return vcvtq_f32_s32(a);
}

static inline vec_i32 vec_i32_load(const int32_t *x)
{
    return vld1q_s32(x);
}

static inline vec_i32 vec_i32_load_tail(const int32_t *x, size_t n)
{
    int32_t row[VEC_N] = {0};

    memcpy(row, x, n * sizeof *x);
    return vld1q_s32(row);
}

static inline int32_t vec_i32_sum(vec_i32 a)
{
    return vaddvq_s32(a);
}

static inline vec_i32 vec_i8_load_tail(const int8_t *x, size_t n)
{
    uint32_t bytes = 0;

    memcpy(&bytes, x, n);
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(bytes)))));
}

static inline vec_i32 vec_i8_load(const int8_t *x)
{
    return vec_i8_load_tail(x, VEC_N);
}

/* Elements are -128 to 127. */
static inline void vec_i8_store_tail(int8_t *y, size_t n, vec_i32 a)
{
    int16x4_t narrow = vmovn_s32(a);
    uint32_t bytes = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(narrow, narrow))), 0);

    memcpy(y, &bytes, n);
}

static inline void vec_i8_store(int8_t *y, vec_i32 a)
{
    vec_i8_store_tail(y, VEC_N, a);
}

#endif
