/*
 * probe.c - how fast 128-bit registers multiply and add, and how fast a core reads with them.
 *
 * Twenty-four chains cover four units of a latency up to six; of the int8 chains, two instructions
 * for eight products, there are registers for twelve.  They start from values that the compiler
 * cannot know, so it can neither merge nor drop one.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/neon/vec.h"

enum { CHAINS = 24, CHAINS_I8 = 12, LANES = 4 };

uint64_t omma_probe_f32_fma__neon(uint64_t n_rounds)
{
    volatile float value = 1;
    float32x4_t a = vdupq_n_f32(value / 2), b = vdupq_n_f32(value);
    float32x4_t sums[CHAINS], total = vdupq_n_f32(0);

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = vdupq_n_f32(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * (OMMA_PROBE_STEPS / CHAINS); turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = vfmaq_f32(sums[i], a, b);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = vaddq_f32(total, sums[i]);
    }
    value = vec_sum(total);
    return n_rounds * OMMA_PROBE_STEPS * LANES;
}

uint64_t omma_probe_i8_dot__neon(uint64_t n_rounds)
{
    volatile int8_t value = 3;
    int8x8_t a = vdup_n_s8(value), b = vdup_n_s8(value);
    int16x8_t products[CHAINS_I8];
    int32x4_t sums[CHAINS_I8], total = vdupq_n_s32(0);

    UNROLL
    for (int i = 0; i < CHAINS_I8; i++) {
        products[i] = vdupq_n_s16(value);
        sums[i] = vdupq_n_s32(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * (OMMA_PROBE_STEPS / CHAINS_I8); turn++) {
        UNROLL
        for (int i = 0; i < CHAINS_I8; i++) { /* products add up, lest they are constants */
            products[i] = vmlal_s8(products[i], a, b);
            sums[i] = vpadalq_s16(sums[i], products[i]);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS_I8; i++) {
        total = vaddq_s32(total, sums[i]);
    }
    value = (int8_t)vaddvq_s32(total);
    return n_rounds * OMMA_PROBE_STEPS * 2 * LANES;
}

typedef uint64x2_t probe_vec;

static inline probe_vec probe_load(const char *at)
{
    return vreinterpretq_u64_u8(vld1q_u8((const void *)at));
}

static inline probe_vec probe_xor(probe_vec a, probe_vec b)
{
    return veorq_u64(a, b);
}

static inline uint64_t probe_fold(probe_vec x)
{
    return vgetq_lane_u64(x, 0) + vgetq_lane_u64(x, 1);
}

#define PROBE_READ omma_probe_read__neon
#include "simd/tmpl/probe_read.h"
