/* How fast 512-bit registers multiply and add bytes; the chains as in avx512/probe.c. */
#include "config.h"

#include "simd/avx512vnni/vec.h"
#include "simd/kernels.h"

#include <string.h>

enum { CHAINS = 24, TURNS = OMMA_PROBE_STEPS / CHAINS, LANES = 16 };

uint64_t omma_probe_i8_dot__avx512vnni(uint64_t n_rounds)
{
    volatile int value = 0x01010101;
    __m512i u = _mm512_set1_epi32(value), s = _mm512_set1_epi32(value);
    __m512i sums[CHAINS], total = _mm512_setzero_si512();
    int32_t lanes[LANES];

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm512_set1_epi32(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = vec_dot(sums[i], u, s);
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
    return n_rounds * OMMA_PROBE_STEPS * LANES * 4;
}
