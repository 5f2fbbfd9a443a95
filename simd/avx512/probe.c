/*
 * probe.c - how fast 512-bit registers multiply and add, and how fast a core reads with them.
 *
 * Twenty-four chains cover two units of a latency up to twelve.  They start from values that the
 * compiler cannot know, so it can neither merge nor drop one.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#if !defined(__AVX512BW__) && !defined(OMMA_SIMDE)
#error "probe.c of the tier avx512 is compiled without its flags"
#endif

enum { CHAINS = 24, LANES = 16 };

#define UNROLL _Pragma("GCC unroll 24")

uint64_t omma_probe_f32_fma__avx512(uint64_t n_rounds)
{
    volatile float value = 1;
    __m512 a = _mm512_set1_ps(value / 2), b = _mm512_set1_ps(value);
    __m512 sums[CHAINS], total = _mm512_setzero_ps();

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm512_set1_ps(value);
    }
    for (uint64_t round = 0; round < n_rounds; round++) {
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
    return n_rounds * CHAINS * LANES;
}

uint64_t omma_probe_read__avx512(const void *bytes, size_t n_bytes)
{
    const char *at = bytes;
    __m512i x0 = _mm512_setzero_si512(), x1 = x0, x2 = x0, x3 = x0;

    for (size_t offset = 0; offset < n_bytes; offset += 256) {
        x0 = _mm512_xor_si512(x0, _mm512_loadu_si512(at + offset));
        x1 = _mm512_xor_si512(x1, _mm512_loadu_si512(at + offset + 64));
        x2 = _mm512_xor_si512(x2, _mm512_loadu_si512(at + offset + 128));
        x3 = _mm512_xor_si512(x3, _mm512_loadu_si512(at + offset + 192));
    }
    x0 = _mm512_xor_si512(_mm512_xor_si512(x0, x1), _mm512_xor_si512(x2, x3));
    return (uint64_t)_mm512_reduce_add_epi64(x0);
}
