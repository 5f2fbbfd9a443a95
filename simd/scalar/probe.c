/*
 * probe.c - how fast the baseline multiplies and adds in registers, and reads memory.
 *
 * The chains start from values that the compiler cannot know, so it can neither merge nor drop one.
 */
#include "simd/body.h"
#include "simd/kernels.h"
#include "simd/scalar/lanes.h"

enum { CHAINS = 12, TURNS = OMMA_PROBE_STEPS / CHAINS };

uint64_t omma_probe_f32_fma__scalar(uint64_t n_rounds)
{
    volatile float value = 1;
    lanes a = lanes_set(value / 2), b = lanes_set(value);
    lanes s0 = lanes_set(value), s1 = lanes_set(value), s2 = lanes_set(value);
    lanes s3 = lanes_set(value), s4 = lanes_set(value), s5 = lanes_set(value);
    lanes s6 = lanes_set(value), s7 = lanes_set(value), s8 = lanes_set(value);
    lanes s9 = lanes_set(value), s10 = lanes_set(value), s11 = lanes_set(value);

    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        s0 = s0 * a + b;
        s1 = s1 * a + b;
        s2 = s2 * a + b;
        s3 = s3 * a + b;
        s4 = s4 * a + b;
        s5 = s5 * a + b;
        s6 = s6 * a + b;
        s7 = s7 * a + b;
        s8 = s8 * a + b;
        s9 = s9 * a + b;
        s10 = s10 * a + b;
        s11 = s11 * a + b;
    }
    value = lanes_sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    return n_rounds * OMMA_PROBE_STEPS * LANES;
}

typedef lanes_u32 probe_vec;

static inline probe_vec probe_load(const char *at)
{
    probe_vec x;

    memcpy(&x, at, sizeof x);
    return x;
}

static inline probe_vec probe_xor(probe_vec a, probe_vec b)
{
    return a ^ b;
}

static inline uint64_t probe_fold(probe_vec x)
{
    return (uint64_t)(x[0] ^ x[2]) << 32 | (x[1] ^ x[3]);
}

#define PROBE_READ omma_probe_read__scalar
#include "simd/tmpl/probe_read.h"
