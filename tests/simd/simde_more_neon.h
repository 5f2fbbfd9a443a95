/*
 * simde_more_neon.h - SIMDe's functions under Arm's names, and what SIMDe 0.7.4 lacks of those that
 * the tiers use: fused multiply-adds with one rounding, and the matrix products of bf16 and bytes.
 */
#ifndef OMMA_TESTS_SIMD_SIMDE_MORE_NEON_H
#define OMMA_TESTS_SIMD_SIMDE_MORE_NEON_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/arm/neon.h>

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bf16.h"

/* Under names of our own, as the compiler's header may have functions of the same names. */
#define SIMDE_MORE static inline __attribute__((unused))

SIMDE_MORE simde_float32x4_t simde_more_vdivq_f32(simde_float32x4_t a, simde_float32x4_t b)
{
    float lanes_a[4], lanes_b[4];

    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    for (size_t i = 0; i < 4; i++) {
        lanes_a[i] /= lanes_b[i];
    }
    memcpy(&a, lanes_a, sizeof a);
    return a;
}
#undef vdivq_f32
#define vdivq_f32 simde_more_vdivq_f32

/* To nearest, ties to even, as the process rounds. */
SIMDE_MORE simde_int32x4_t simde_more_vcvtnq_s32_f32(simde_float32x4_t a)
{
    float lanes[4];
    int32_t whole[4];
    simde_int32x4_t result;

    memcpy(lanes, &a, sizeof a);
    for (size_t i = 0; i < 4; i++) {
        whole[i] = (int32_t)lrintf(lanes[i]);
    }
    memcpy(&result, whole, sizeof result);
    return result;
}
#undef vcvtnq_s32_f32
#define vcvtnq_s32_f32 simde_more_vcvtnq_s32_f32

/* ---- fused multiply-adds: SIMDe rounds twice where the compiler has no FMA, but the bounds of the
 * kernels' exp and erf rest on one rounding -----------------------------------------------------
 */

/* c + a b */
SIMDE_MORE simde_float32x4_t simde_more_vfmaq_f32(simde_float32x4_t c, simde_float32x4_t a,
                                                  simde_float32x4_t b)
{
    float lanes_a[4], lanes_b[4], lanes_c[4];

    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    memcpy(lanes_c, &c, sizeof c);
    for (size_t i = 0; i < 4; i++) {
        lanes_c[i] = fmaf(lanes_a[i], lanes_b[i], lanes_c[i]);
    }
    memcpy(&c, lanes_c, sizeof c);
    return c;
}
#undef vfmaq_f32
#define vfmaq_f32 simde_more_vfmaq_f32

SIMDE_MORE simde_float32x4_t simde_more_vfmsq_f32(simde_float32x4_t c, simde_float32x4_t a,
                                                  simde_float32x4_t b)
{
    return simde_more_vfmaq_f32(c, simde_vnegq_f32(a), b);
}
#undef vfmsq_f32
#define vfmsq_f32 simde_more_vfmsq_f32

SIMDE_MORE simde_float32x4_t simde_more_vfmaq_n_f32(simde_float32x4_t c, simde_float32x4_t a,
                                                    float b)
{
    return simde_more_vfmaq_f32(c, a, simde_vdupq_n_f32(b));
}
#undef vfmaq_n_f32
#define vfmaq_n_f32 simde_more_vfmaq_n_f32

SIMDE_MORE simde_float32x4_t simde_more_vfmaq_laneq_f32(simde_float32x4_t c, simde_float32x4_t a,
                                                        simde_float32x4_t b, int lane)
{
    float lanes[4];

    memcpy(lanes, &b, sizeof b);
    return simde_more_vfmaq_n_f32(c, a, lanes[lane]);
}
#undef vfmaq_laneq_f32
#define vfmaq_laneq_f32 simde_more_vfmaq_laneq_f32

/* ---- bf16: the arithmetic that the Arm Architecture Reference Manual (DDI 0487) gives for BFDOT
 * and BFMMLA where FPCR.EBF is 0: every product and sum is rounded to odd, subnormals are zero on
 * the way in and out.  Products are exact; NaN and overflow are left as they come.
 * ------------------------------------------------------------------------------------------------
 */

#undef bfloat16x8_t
#define bfloat16x8_t simde_uint16x8_t
#undef vreinterpretq_bf16_u64
#define vreinterpretq_bf16_u64 simde_vreinterpretq_u16_u64

SIMDE_MORE float simde_more_flush(float a)
{
    return fabsf(a) < 0x1p-126f ? copysignf(0, a) : a;
}

/* What the nearest sum is off by is an f32 (Knuth); to odd is towards zero and then, if that is not
 * exact, an odd last bit. */
SIMDE_MORE float simde_more_add_to_odd(float a, float b)
{
    float sum = a + b;
    float b_seen = sum - a;
    float rest = (a - (sum - b_seen)) + (b - b_seen);
    uint32_t bits = omma_bits_of_f32(sum);

    if (rest != 0 && isfinite(sum)) {
        bits -= (rest < 0) != (sum < 0);
        sum = omma_f32_of_bits(bits | 1);
    }
    return simde_more_flush(sum);
}

/* sum + (a[0] b[0] + a[1] b[1]) */
SIMDE_MORE float simde_more_bfdot(float sum, const uint16_t *a, const uint16_t *b)
{
    float products[2];

    for (size_t i = 0; i < 2; i++) {
        products[i] = simde_more_flush(simde_more_flush(omma_f32_of_bf16(a[i])) *
                                       simde_more_flush(omma_f32_of_bf16(b[i])));
    }
    return simde_more_add_to_odd(simde_more_flush(sum),
                                 simde_more_add_to_odd(products[0], products[1]));
}

SIMDE_MORE simde_float32x4_t simde_more_vbfdotq_f32(simde_float32x4_t sums, simde_uint16x8_t a,
                                                    simde_uint16x8_t b)
{
    float lanes[4];
    uint16_t lanes_a[8], lanes_b[8];

    memcpy(lanes, &sums, sizeof sums);
    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    for (size_t i = 0; i < 4; i++) {
        lanes[i] = simde_more_bfdot(lanes[i], lanes_a + 2 * i, lanes_b + 2 * i);
    }
    memcpy(&sums, lanes, sizeof sums);
    return sums;
}
#undef vbfdotq_f32
#define vbfdotq_f32 simde_more_vbfdotq_f32

/* sums[2][2] += a[2][4] b[2][4]^T */
SIMDE_MORE simde_float32x4_t simde_more_vbfmmlaq_f32(simde_float32x4_t sums, simde_uint16x8_t a,
                                                     simde_uint16x8_t b)
{
    float lanes[4];
    uint16_t lanes_a[8], lanes_b[8];

    memcpy(lanes, &sums, sizeof sums);
    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k += 2) {
            lanes[i] = simde_more_bfdot(lanes[i], lanes_a + i / 2 * 4 + k, lanes_b + i % 2 * 4 + k);
        }
    }
    memcpy(&sums, lanes, sizeof sums);
    return sums;
}
#undef vbfmmlaq_f32
#define vbfmmlaq_f32 simde_more_vbfmmlaq_f32

/* ---- bytes: sums[2][2] += a[2][8] b[2][8]^T --------------------------------------------------
 */

SIMDE_MORE simde_int32x4_t simde_more_vmmlaq_s32(simde_int32x4_t sums, simde_int8x16_t a,
                                                 simde_int8x16_t b)
{
    int32_t lanes[4];
    int8_t lanes_a[16], lanes_b[16];

    memcpy(lanes, &sums, sizeof sums);
    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 8; k++) {
            lanes[i] += lanes_a[i / 2 * 8 + k] * lanes_b[i % 2 * 8 + k];
        }
    }
    memcpy(&sums, lanes, sizeof sums);
    return sums;
}
#undef vmmlaq_s32
#define vmmlaq_s32 simde_more_vmmlaq_s32

#endif
