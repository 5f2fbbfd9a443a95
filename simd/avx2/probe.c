/*
 * probe.c - how fast 256-bit registers multiply and add, and how fast a core reads with them.
 *
 * Twelve chains cover two units of a latency up to six.  They start from values that the compiler
 * cannot know, so it can neither merge nor drop one.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum { CHAINS = 12, TURNS = OMMA_PROBE_STEPS / CHAINS, LANES = 8 };

uint64_t omma_probe_f32_fma__avx2(uint64_t n_rounds)
{
    volatile float value = 1;
    __m256 a = _mm256_set1_ps(value / 2), b = _mm256_set1_ps(value);
    __m256 sums[CHAINS], total = _mm256_setzero_ps();

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm256_set1_ps(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = _mm256_fmadd_ps(sums[i], a, b);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = _mm256_add_ps(total, sums[i]);
    }
    value = vec_sum(total);
    return n_rounds * OMMA_PROBE_STEPS * LANES;
}

/* This tier's int8 chain: bytes widened to 16 bits, pairs multiplied and added, then added to the
 * sum. */
uint64_t omma_probe_i8_dot__avx2(uint64_t n_rounds)
{
    volatile int32_t value = 1;
    __m256i a = _mm256_set1_epi32(value), b = _mm256_set1_epi32(value);
    __m256i sums[CHAINS], total = _mm256_setzero_si256();
    uint64_t parts[4];

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm256_set1_epi32(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = vec_dot_i16(sums[i], a, b);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = _mm256_add_epi32(total, sums[i]);
    }
    _mm256_storeu_si256((__m256i *)parts, total);
    value = (int32_t)(parts[0] + parts[1] + parts[2] + parts[3]);
    return n_rounds * OMMA_PROBE_STEPS * 2 * LANES;
}

typedef __m256i probe_vec;

static inline probe_vec probe_load(const char *at)
{
    return _mm256_loadu_si256((const void *)at);
}

static inline probe_vec probe_xor(probe_vec a, probe_vec b)
{
    return _mm256_xor_si256(a, b);
}

static inline uint64_t probe_fold(probe_vec x)
{
    uint64_t parts[4];

    _mm256_storeu_si256((__m256i *)parts, x);
    return parts[0] + parts[1] + parts[2] + parts[3];
}

#define PROBE_READ omma_probe_read__avx2
#include "simd/tmpl/probe_read.h"
