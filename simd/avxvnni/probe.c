/* How fast 256-bit registers multiply and add bytes; the chains as in avx2/probe.c. */
#include "config.h"

#include "simd/avxvnni/vec.h"
#include "simd/kernels.h"

enum { CHAINS = 12, TURNS = OMMA_PROBE_STEPS / CHAINS };

uint64_t omma_probe_i8_dot__avxvnni(uint64_t n_rounds)
{
    volatile int32_t value = 0x01010101;
    __m256i u = _mm256_set1_epi32(value), s = _mm256_set1_epi32(value);
    __m256i sums[CHAINS], total = _mm256_setzero_si256();
    int32_t lanes[VEC_N];

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm256_set1_epi32(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = vec_dot(sums[i], u, s);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = _mm256_add_epi32(total, sums[i]);
    }
    memcpy(lanes, &total, sizeof lanes);
    for (int i = 0; i < VEC_N; i++) {
        value ^= lanes[i];
    }
    return n_rounds * OMMA_PROBE_STEPS * VEC_N * 4;
}
