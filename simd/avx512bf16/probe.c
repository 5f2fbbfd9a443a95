/* How fast 512-bit registers multiply and add pairs of bf16; the chains as in avx512/probe.c. */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#if !defined(__AVX512BF16__) && !defined(OMMA_SIMDE)
#error "probe.c of the tier avx512bf16 is compiled without its flags"
#endif

enum { CHAINS = 24, TURNS = OMMA_PROBE_STEPS / CHAINS, LANES = 16 };

uint64_t omma_probe_bf16_dot__avx512bf16(uint64_t n_rounds)
{
    volatile float value = 0x1p-64f;
    volatile int pair = 0x1F801F80; /* two bf16 2^-64 */
    __m512bh a = (__m512bh)_mm512_set1_epi32(pair), b = (__m512bh)_mm512_set1_epi32(pair);
    __m512 sums[CHAINS], total = _mm512_setzero_ps();

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm512_set1_ps(value);
    }
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        total = _mm512_add_ps(total, sums[i]);
    }
    value = _mm512_reduce_add_ps(total);
    return n_rounds * OMMA_PROBE_STEPS * LANES * 2;
}
