/*
 * probe.c - how fast 512-bit registers multiply and add, and how fast a core reads with them.
 *
 * Twenty-four chains cover two units of a latency up to twelve.  They start from values that the
 * compiler cannot know, so it can neither merge nor drop one.
 */
#include "config.h"

#include <string.h>

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

enum { CHAINS = 24, TURNS = OMMA_PROBE_STEPS / CHAINS, LANES = 16 };

uint64_t omma_probe_f32_fma__avx512(uint64_t n_rounds)
{
    volatile float value = 1;
    __m512 a = _mm512_set1_ps(value / 2), b = _mm512_set1_ps(value);
    __m512 sums[CHAINS], total = _mm512_setzero_ps();

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm512_set1_ps(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = _mm512_fmadd_ps(sums[i], a, b);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = _mm512_add_ps(total, sums[i]);
    }
    value = _mm512_reduce_add_ps(total);
    return n_rounds * OMMA_PROBE_STEPS * LANES;
}

/* The chain of bytes without vpdpbusd: products of i16 added in pairs, then to a sum. */
uint64_t omma_probe_i8_dot__avx512(uint64_t n_rounds)
{
    volatile int value = 1;
    __m512i factor = _mm512_set1_epi32(value);
    __m512i sums[CHAINS], total = _mm512_setzero_si512();
    int32_t lanes[LANES];

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm512_set1_epi32(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = vec_dot_i16(sums[i], factor, factor);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = _mm512_add_epi32(total, sums[i]);
    }
    /* not _mm512_reduce_add_epi32(): gcc adds signed lanes there, and the sums wrap */
    memcpy(lanes, &total, sizeof lanes);
    for (int i = 0; i < LANES; i++) {
        value ^= lanes[i];
    }
    return n_rounds * OMMA_PROBE_STEPS * LANES * 2;
}

typedef __m512i probe_vec;

static inline probe_vec probe_load(const char *at)
{
    return _mm512_loadu_si512(at);
}

static inline probe_vec probe_xor(probe_vec a, probe_vec b)
{
    return _mm512_xor_si512(a, b);
}

static inline uint64_t probe_fold(probe_vec x)
{
    uint64_t lanes[8], sum = 0;

    memcpy(lanes, &x, sizeof lanes);
    for (int i = 0; i < 8; i++) {
        sum += lanes[i];
    }
    return sum;
}

#define PROBE_READ omma_probe_read__avx512
#include "simd/tmpl/probe_read.h"
