/* How fast 128-bit registers multiply and add bytes; the chains as in neon/probe.c. */
#include "config.h"

#include "simd/arm.h"
#include "simd/kernels.h"

#if !defined(__ARM_FEATURE_DOTPROD) && !defined(OMMA_SIMDE)
#error "simd/neondot is compiled without its flags"
#endif

enum { CHAINS = 24, PRODUCTS = 16 };

uint64_t omma_probe_i8_dot__neondot(uint64_t n_rounds)
{
    volatile int8_t value = 3;
    int8x16_t a = vdupq_n_s8(value), b = vdupq_n_s8(value);
    int32x4_t sums[CHAINS], total = vdupq_n_s32(0);

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = vdupq_n_s32(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * (OMMA_PROBE_STEPS / CHAINS); turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = vdotq_s32(sums[i], a, b);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = vaddq_s32(total, sums[i]);
    }
    value = (int8_t)vaddvq_s32(total);
    return n_rounds * OMMA_PROBE_STEPS * PRODUCTS;
}
