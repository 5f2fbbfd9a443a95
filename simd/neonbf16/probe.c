/* How fast 128-bit registers multiply and add matrices of bf16 and bytes; the chains as in
 * neon/probe.c. */
#include "config.h"

#include "simd/neonbf16/tile.h"

enum { CHAINS = 24, PRODUCTS_BF16 = 16, PRODUCTS_I8 = 32 };

BODY void run(const enum element element, uint64_t n_rounds, uint64_t start)
{
    volatile uint64_t value = start;
    uint64x2_t a = vdupq_n_u64(value), b = vdupq_n_u64(value);
    uint64x2_t sums[CHAINS], total = vdupq_n_u64(0);

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = vdupq_n_u64(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * (OMMA_PROBE_STEPS / CHAINS); turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = multiply_add(element, sums[i], a, b);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = veorq_u64(total, sums[i]);
    }
    value = vgetq_lane_u64(total, 0) ^ vgetq_lane_u64(total, 1);
}

uint64_t omma_probe_bf16_dot__neonbf16(uint64_t n_rounds)
{
    run(ELEMENT_BF16, n_rounds, 0x2F802F802F802F80); /* bf16 2^-32 */
    return n_rounds * OMMA_PROBE_STEPS * PRODUCTS_BF16;
}

uint64_t omma_probe_i8_dot__neonbf16(uint64_t n_rounds)
{
    run(ELEMENT_I8, n_rounds, 0x0303030303030303);
    return n_rounds * OMMA_PROBE_STEPS * PRODUCTS_I8;
}
