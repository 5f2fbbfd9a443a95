/*
 * probe.c - how fast 256-bit registers multiply and add, and how fast a core reads with them.
 *
 * Twelve chains cover two units of a latency up to six.  They start from values that the compiler
 * cannot know, so it can neither merge nor drop one.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

#define UNROLL _Pragma("GCC unroll 12")

enum { CHAINS = 12, LANES = 8 };

uint64_t omma_probe_f32_fma__avx2(uint64_t n_rounds)
{
    volatile float value = 1;
    __m256 a = _mm256_set1_ps(value / 2), b = _mm256_set1_ps(value);
    __m256 sums[CHAINS], total = _mm256_setzero_ps();

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sums[i] = _mm256_set1_ps(value);
    }
    for (uint64_t round = 0; round < n_rounds; round++) {
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
    return n_rounds * CHAINS * LANES;
}

static inline __m256i load(const char *at)
{
    return _mm256_loadu_si256((const void *)at);
}

uint64_t omma_probe_read__avx2(const void *bytes, size_t n_bytes)
{
    const char *at = bytes;
    __m256i x0 = _mm256_setzero_si256(), x1 = x0, x2 = x0, x3 = x0;
    uint64_t parts[4];

    for (size_t offset = 0; offset < n_bytes; offset += 128) {
        x0 = _mm256_xor_si256(x0, load(at + offset));
        x1 = _mm256_xor_si256(x1, load(at + offset + 32));
        x2 = _mm256_xor_si256(x2, load(at + offset + 64));
        x3 = _mm256_xor_si256(x3, load(at + offset + 96));
    }
    x0 = _mm256_xor_si256(_mm256_xor_si256(x0, x1), _mm256_xor_si256(x2, x3));
    _mm256_storeu_si256((__m256i *)parts, x0);
    return parts[0] + parts[1] + parts[2] + parts[3];
}
