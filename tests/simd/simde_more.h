/*
 * simde_more.h - SIMDe's intrinsics under Intel's names, and what SIMDe 0.7.4 lacks of those that
 * the tiers use.  Lanes that a mask leaves out are not touched in memory, as in hardware.
 */
#ifndef OMMA_TESTS_SIMD_SIMDE_MORE_H
#define OMMA_TESTS_SIMD_SIMDE_MORE_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef __mmask16
#define __mmask16 simde__mmask16
#define __mmask32 simde__mmask32
#define __mmask64 simde__mmask64
#endif

/* SIMDe has it, but not under Intel's name. */
#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4 simde_mm512_shuffle_f32x4

#include "simd/amx_model.h"

/* Under names of our own, as the compiler's header may have functions of the same names. */
#define SIMDE_MORE static inline __attribute__((unused))

/* Of n lanes those that the mask names, from memory to a vector or back. */
SIMDE_MORE void simde_more_move(void *to, const void *from, size_t n, size_t lane_bytes,
                                uint64_t mask)
{
    for (size_t i = 0; i < n; i++) {
        if ((mask >> i & 1) != 0) {
            memcpy((char *)to + i * lane_bytes, (const char *)from + i * lane_bytes, lane_bytes);
        }
    }
}

/* SIMDe has these two, but reads and writes all lanes. */
SIMDE_MORE simde__m256 simde_more_mm256_maskload_ps(const float *memory, simde__m256i mask)
{
    simde__m256 v = simde_mm256_setzero_ps();
    int bits = simde_mm256_movemask_ps(simde_mm256_castsi256_ps(mask));

    simde_more_move(&v, memory, 8, 4, (unsigned)bits);
    return v;
}
#undef _mm256_maskload_ps
#define _mm256_maskload_ps simde_more_mm256_maskload_ps

SIMDE_MORE void simde_more_mm256_maskstore_ps(float *memory, simde__m256i mask, simde__m256 v)
{
    int bits = simde_mm256_movemask_ps(simde_mm256_castsi256_ps(mask));

    simde_more_move(memory, &v, 8, 4, (unsigned)bits);
}
#undef _mm256_maskstore_ps
#define _mm256_maskstore_ps simde_more_mm256_maskstore_ps

SIMDE_MORE simde__m256i simde_more_mm256_maskload_epi32(const int32_t *memory, simde__m256i mask)
{
    simde__m256i v = simde_mm256_setzero_si256();
    int bits = simde_mm256_movemask_ps(simde_mm256_castsi256_ps(mask));

    simde_more_move(&v, memory, 8, 4, (unsigned)bits);
    return v;
}
#undef _mm256_maskload_epi32
#define _mm256_maskload_epi32 simde_more_mm256_maskload_epi32

SIMDE_MORE void simde_more_mm256_maskstore_epi32(int32_t *memory, simde__m256i mask, simde__m256i v)
{
    int bits = simde_mm256_movemask_ps(simde_mm256_castsi256_ps(mask));

    simde_more_move(memory, &v, 8, 4, (unsigned)bits);
}
#undef _mm256_maskstore_epi32
#define _mm256_maskstore_epi32 simde_more_mm256_maskstore_epi32

SIMDE_MORE simde__m512 simde_more_mm512_mask_loadu_ps(simde__m512 v, simde__mmask16 mask,
                                                      const void *memory)
{
    simde_more_move(&v, memory, 16, 4, mask);
    return v;
}
#undef _mm512_mask_loadu_ps
#define _mm512_mask_loadu_ps simde_more_mm512_mask_loadu_ps

SIMDE_MORE simde__m512 simde_more_mm512_maskz_loadu_ps(simde__mmask16 mask, const void *memory)
{
    return simde_more_mm512_mask_loadu_ps(simde_mm512_setzero_ps(), mask, memory);
}
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps simde_more_mm512_maskz_loadu_ps

SIMDE_MORE simde__m512i simde_more_mm512_maskz_loadu_epi32(simde__mmask16 mask, const void *memory)
{
    simde__m512i v = simde_mm512_setzero_si512();

    simde_more_move(&v, memory, 16, 4, mask);
    return v;
}
#undef _mm512_maskz_loadu_epi32
#define _mm512_maskz_loadu_epi32 simde_more_mm512_maskz_loadu_epi32

SIMDE_MORE simde__m512i simde_more_mm512_maskz_loadu_epi16(simde__mmask32 mask, const void *memory)
{
    simde__m512i v = simde_mm512_setzero_si512();

    simde_more_move(&v, memory, 32, 2, mask);
    return v;
}
#undef _mm512_maskz_loadu_epi16
#define _mm512_maskz_loadu_epi16 simde_more_mm512_maskz_loadu_epi16

SIMDE_MORE simde__m256i simde_more_mm256_maskz_loadu_epi16(simde__mmask16 mask, const void *memory)
{
    simde__m256i v = simde_mm256_setzero_si256();

    simde_more_move(&v, memory, 16, 2, mask);
    return v;
}
#undef _mm256_maskz_loadu_epi16
#define _mm256_maskz_loadu_epi16 simde_more_mm256_maskz_loadu_epi16

SIMDE_MORE void simde_more_mm512_mask_storeu_ps(void *memory, simde__mmask16 mask, simde__m512 v)
{
    simde_more_move(memory, &v, 16, 4, mask);
}
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps simde_more_mm512_mask_storeu_ps

SIMDE_MORE void simde_more_mm256_mask_storeu_epi16(void *memory, simde__mmask16 mask,
                                                   simde__m256i v)
{
    simde_more_move(memory, &v, 16, 2, mask);
}
#undef _mm256_mask_storeu_epi16
#define _mm256_mask_storeu_epi16 simde_more_mm256_mask_storeu_epi16

SIMDE_MORE float simde_more_mm512_reduce_add_ps(simde__m512 v)
{
    float lanes[16];

    memcpy(lanes, &v, sizeof v);
    for (size_t n = 8; n > 0; n /= 2) {
        for (size_t i = 0; i < n; i++) {
            lanes[i] += lanes[i + n];
        }
    }
    return lanes[0];
}
#undef _mm512_reduce_add_ps
#define _mm512_reduce_add_ps simde_more_mm512_reduce_add_ps

SIMDE_MORE int64_t simde_more_mm512_reduce_add_epi64(simde__m512i v)
{
    uint64_t lanes[8], sum = 0;

    memcpy(lanes, &v, sizeof v);
    for (size_t i = 0; i < 8; i++) {
        sum += lanes[i];
    }
    return (int64_t)sum;
}
#undef _mm512_reduce_add_epi64
#define _mm512_reduce_add_epi64 simde_more_mm512_reduce_add_epi64

SIMDE_MORE simde__m256 simde_more_mm512_extractf32x8_ps(simde__m512 v, int half)
{
    simde__m256 part;

    memcpy(&part, (const char *)&v + 32 * half, sizeof part);
    return part;
}
#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps simde_more_mm512_extractf32x8_ps

SIMDE_MORE simde__m512 simde_more_mm512_cvtph_ps(simde__m256i v)
{
    simde__m256 parts[2];
    simde__m512 wide;

    parts[0] = simde_mm256_cvtph_ps(simde_mm256_castsi256_si128(v));
    parts[1] = simde_mm256_cvtph_ps(simde_mm256_extracti128_si256(v, 1));
    memcpy(&wide, parts, sizeof wide);
    return wide;
}
#undef _mm512_cvtph_ps
#define _mm512_cvtph_ps simde_more_mm512_cvtph_ps

SIMDE_MORE simde__m512i simde_more_mm512_cvtepu16_epi32(simde__m256i v)
{
    simde__m256i parts[2];
    simde__m512i wide;

    parts[0] = simde_mm256_cvtepu16_epi32(simde_mm256_castsi256_si128(v));
    parts[1] = simde_mm256_cvtepu16_epi32(simde_mm256_extracti128_si256(v, 1));
    memcpy(&wide, parts, sizeof wide);
    return wide;
}
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32 simde_more_mm512_cvtepu16_epi32

SIMDE_MORE simde__m256i simde_more_mm512_cvtepi32_epi16(simde__m512i v)
{
    uint32_t lanes[16];
    uint16_t narrow[16];
    simde__m256i result;

    memcpy(lanes, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        narrow[i] = (uint16_t)lanes[i];
    }
    memcpy(&result, narrow, sizeof result);
    return result;
}
#undef _mm512_cvtepi32_epi16
#define _mm512_cvtepi32_epi16 simde_more_mm512_cvtepi32_epi16

/* Numbers without a sign, above 255 as 255. */
SIMDE_MORE simde__m128i simde_more_mm512_cvtusepi32_epi8(simde__m512i v)
{
    uint32_t lanes[16];
    uint8_t narrow[16];
    simde__m128i result;

    memcpy(lanes, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        narrow[i] = (uint8_t)(lanes[i] > 255 ? 255 : lanes[i]);
    }
    memcpy(&result, narrow, sizeof result);
    return result;
}
#undef _mm512_cvtusepi32_epi8
#define _mm512_cvtusepi32_epi8 simde_more_mm512_cvtusepi32_epi8

SIMDE_MORE simde__m512i simde_more_mm512_srai_epi32(simde__m512i v, int count)
{
    int32_t lanes[16];

    memcpy(lanes, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        lanes[i] >>= count;
    }
    memcpy(&v, lanes, sizeof v);
    return v;
}
#undef _mm512_srai_epi32
#define _mm512_srai_epi32 simde_more_mm512_srai_epi32

/* SIMDe gives the name to the masked one. */
SIMDE_MORE simde__m512i simde_more_mm512_madd_epi16(simde__m512i a, simde__m512i b)
{
    int16_t lanes_a[32], lanes_b[32];
    int32_t sums[16];
    simde__m512i result;

    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    for (size_t i = 0; i < 16; i++) {
        sums[i] = lanes_a[2 * i] * lanes_b[2 * i] + lanes_a[2 * i + 1] * lanes_b[2 * i + 1];
    }
    memcpy(&result, sums, sizeof result);
    return result;
}
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 simde_more_mm512_madd_epi16

/* SIMDe flushes subnormal arguments and powers to zero. */
SIMDE_MORE simde__m512 simde_more_mm512_scalef_ps(simde__m512 a, simde__m512 b)
{
    float lanes[16], exponents[16];

    memcpy(lanes, &a, sizeof a);
    memcpy(exponents, &b, sizeof b);
    for (size_t i = 0; i < 16; i++) {
        lanes[i] = ldexpf(lanes[i], (int)floorf(exponents[i]));
    }
    memcpy(&a, lanes, sizeof a);
    return a;
}
#undef _mm512_scalef_ps
#define _mm512_scalef_ps simde_more_mm512_scalef_ps

/* ---- bytes and 32 bits ------------------------------------------------------------------------
 */

/* AVX512-BF16: rounded to nearest even, subnormals as zero; b's lanes first. */
SIMDE_MORE simde__m512bh simde_more_mm512_cvtne2ps_pbh(simde__m512 a, simde__m512 b)
{
    uint32_t lanes[32];
    uint16_t halves[32];
    simde__m512bh result;

    memcpy(lanes, &b, sizeof b);
    memcpy(lanes + 16, &a, sizeof a);
    for (size_t i = 0; i < 32; i++) {
        uint32_t magnitude = lanes[i] & 0x7FFFFFFF;

        if (magnitude > 0x7F800000) { /* NaN */
            halves[i] = (uint16_t)(lanes[i] >> 16 | 0x40);
        } else if (magnitude < 0x00800000) {
            halves[i] = (uint16_t)(lanes[i] >> 16 & 0x8000);
        } else {
            halves[i] = (uint16_t)((lanes[i] + 0x7FFF + (lanes[i] >> 16 & 1)) >> 16);
        }
    }
    memcpy(&result, halves, sizeof result);
    return result;
}
#undef _mm512_cvtne2ps_pbh
#define _mm512_cvtne2ps_pbh simde_more_mm512_cvtne2ps_pbh

/* AVX-VNNI: four unsigned bytes of u by four signed ones of s in every lane, onto the sums. */
SIMDE_MORE simde__m256i simde_more_mm256_dpbusd_avx_epi32(simde__m256i sums, simde__m256i u,
                                                          simde__m256i s)
{
    uint8_t lanes_u[32];
    int8_t lanes_s[32];
    uint32_t lanes[8];

    memcpy(lanes_u, &u, sizeof u);
    memcpy(lanes_s, &s, sizeof s);
    memcpy(lanes, &sums, sizeof sums);
    for (size_t i = 0; i < 32; i++) {
        lanes[i / 4] += (uint32_t)(lanes_u[i] * lanes_s[i]);
    }
    memcpy(&sums, lanes, sizeof sums);
    return sums;
}
#undef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32 simde_more_mm256_dpbusd_avx_epi32

SIMDE_MORE simde__m512i simde_more_mm512_maskz_loadu_epi8(uint64_t mask, const void *memory)
{
    simde__m512i v = simde_mm512_setzero_si512();

    simde_more_move(&v, memory, 64, 1, mask);
    return v;
}
#undef _mm512_maskz_loadu_epi8
#define _mm512_maskz_loadu_epi8 simde_more_mm512_maskz_loadu_epi8

SIMDE_MORE simde__m256i simde_more_mm256_maskz_loadu_epi8(uint32_t mask, const void *memory)
{
    simde__m256i v = simde_mm256_setzero_si256();

    simde_more_move(&v, memory, 32, 1, mask);
    return v;
}
#undef _mm256_maskz_loadu_epi8
#define _mm256_maskz_loadu_epi8 simde_more_mm256_maskz_loadu_epi8

SIMDE_MORE simde__m128i simde_more_mm_maskz_loadu_epi8(uint16_t mask, const void *memory)
{
    simde__m128i v = simde_mm_setzero_si128();

    simde_more_move(&v, memory, 16, 1, mask);
    return v;
}
#undef _mm_maskz_loadu_epi8
#define _mm_maskz_loadu_epi8 simde_more_mm_maskz_loadu_epi8

SIMDE_MORE void simde_more_mm_mask_storeu_epi8(void *memory, uint16_t mask, simde__m128i v)
{
    simde_more_move(memory, &v, 16, 1, mask);
}
#undef _mm_mask_storeu_epi8
#define _mm_mask_storeu_epi8 simde_more_mm_mask_storeu_epi8

SIMDE_MORE void simde_more_mm512_mask_storeu_epi8(void *memory, uint64_t mask, simde__m512i v)
{
    simde_more_move(memory, &v, 64, 1, mask);
}
#undef _mm512_mask_storeu_epi8
#define _mm512_mask_storeu_epi8 simde_more_mm512_mask_storeu_epi8

SIMDE_MORE void simde_more_mm512_mask_storeu_epi32(void *memory, simde__mmask16 mask,
                                                   simde__m512i v)
{
    simde_more_move(memory, &v, 16, 4, mask);
}
#undef _mm512_mask_storeu_epi32
#define _mm512_mask_storeu_epi32 simde_more_mm512_mask_storeu_epi32

SIMDE_MORE int32_t simde_more_mm512_reduce_add_epi32(simde__m512i v)
{
    uint32_t lanes[16], sum = 0;

    memcpy(lanes, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        sum += lanes[i];
    }
    return (int32_t)sum;
}
#undef _mm512_reduce_add_epi32
#define _mm512_reduce_add_epi32 simde_more_mm512_reduce_add_epi32

SIMDE_MORE simde__m512i simde_more_mm512_cvtepi8_epi32(simde__m128i v)
{
    int8_t narrow[16];
    int32_t lanes[16];
    simde__m512i result;

    memcpy(narrow, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        lanes[i] = narrow[i];
    }
    memcpy(&result, lanes, sizeof result);
    return result;
}
#undef _mm512_cvtepi8_epi32
#define _mm512_cvtepi8_epi32 simde_more_mm512_cvtepi8_epi32

SIMDE_MORE simde__m128i simde_more_mm512_cvtepi32_epi8(simde__m512i v)
{
    uint32_t lanes[16];
    uint8_t narrow[16];
    simde__m128i result;

    memcpy(lanes, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        narrow[i] = (uint8_t)lanes[i];
    }
    memcpy(&result, narrow, sizeof result);
    return result;
}
#undef _mm512_cvtepi32_epi8
#define _mm512_cvtepi32_epi8 simde_more_mm512_cvtepi32_epi8

SIMDE_MORE simde__m512 simde_more_mm512_cvtepi32_ps(simde__m512i v)
{
    int32_t lanes[16];
    float values[16];
    simde__m512 result;

    memcpy(lanes, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        values[i] = (float)lanes[i];
    }
    memcpy(&result, values, sizeof result);
    return result;
}
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps simde_more_mm512_cvtepi32_ps

SIMDE_MORE simde__m512i simde_more_mm512_cvtps_epi32(simde__m512 v)
{
    float values[16];
    int32_t lanes[16];
    simde__m512i result;

    memcpy(values, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        lanes[i] = (int32_t)lrintf(values[i]);
    }
    memcpy(&result, lanes, sizeof result);
    return result;
}
#undef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32 simde_more_mm512_cvtps_epi32

SIMDE_MORE simde__m512i simde_more_mm512_shuffle_epi32(simde__m512i v, unsigned order)
{
    uint32_t lanes[16], from[16];

    memcpy(from, &v, sizeof v);
    for (size_t i = 0; i < 16; i++) {
        lanes[i] = from[i / 4 * 4 + (order >> (2 * (i % 4)) & 3)];
    }
    memcpy(&v, lanes, sizeof v);
    return v;
}
#undef _mm512_shuffle_epi32
#define _mm512_shuffle_epi32 simde_more_mm512_shuffle_epi32

/* SIMDe gives Intel's name to the function with a mask. */
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 simde_mm512_madd_epi16

/* ---- fused multiply-adds: SIMDe rounds twice where the compiler has no FMA, but the bounds of the
 * kernels' exp and erf rest on one rounding -----------------------------------------------------
 */

SIMDE_MORE simde__m256 simde_more_mm256_fmadd_ps(simde__m256 a, simde__m256 b, simde__m256 c)
{
    float lanes_a[8], lanes_b[8], lanes_c[8];

    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    memcpy(lanes_c, &c, sizeof c);
    for (size_t i = 0; i < 8; i++) {
        lanes_c[i] = fmaf(lanes_a[i], lanes_b[i], lanes_c[i]);
    }
    memcpy(&c, lanes_c, sizeof c);
    return c;
}
#undef _mm256_fmadd_ps
#define _mm256_fmadd_ps simde_more_mm256_fmadd_ps

SIMDE_MORE simde__m256 simde_more_mm256_fmsub_ps(simde__m256 a, simde__m256 b, simde__m256 c)
{
    return simde_more_mm256_fmadd_ps(a, b, simde_mm256_xor_ps(c, simde_mm256_set1_ps(-0.f)));
}
#undef _mm256_fmsub_ps
#define _mm256_fmsub_ps simde_more_mm256_fmsub_ps

SIMDE_MORE simde__m256 simde_more_mm256_fnmadd_ps(simde__m256 a, simde__m256 b, simde__m256 c)
{
    return simde_more_mm256_fmadd_ps(simde_mm256_xor_ps(a, simde_mm256_set1_ps(-0.f)), b, c);
}
#undef _mm256_fnmadd_ps
#define _mm256_fnmadd_ps simde_more_mm256_fnmadd_ps

SIMDE_MORE simde__m512 simde_more_mm512_fmadd_ps(simde__m512 a, simde__m512 b, simde__m512 c)
{
    float lanes_a[16], lanes_b[16], lanes_c[16];

    memcpy(lanes_a, &a, sizeof a);
    memcpy(lanes_b, &b, sizeof b);
    memcpy(lanes_c, &c, sizeof c);
    for (size_t i = 0; i < 16; i++) {
        lanes_c[i] = fmaf(lanes_a[i], lanes_b[i], lanes_c[i]);
    }
    memcpy(&c, lanes_c, sizeof c);
    return c;
}
#undef _mm512_fmadd_ps
#define _mm512_fmadd_ps simde_more_mm512_fmadd_ps

SIMDE_MORE simde__m512 simde_more_mm512_fmsub_ps(simde__m512 a, simde__m512 b, simde__m512 c)
{
    return simde_more_mm512_fmadd_ps(a, b, simde_mm512_xor_ps(c, simde_mm512_set1_ps(-0.f)));
}
#undef _mm512_fmsub_ps
#define _mm512_fmsub_ps simde_more_mm512_fmsub_ps

SIMDE_MORE simde__m512 simde_more_mm512_fnmadd_ps(simde__m512 a, simde__m512 b, simde__m512 c)
{
    return simde_more_mm512_fmadd_ps(simde_mm512_xor_ps(a, simde_mm512_set1_ps(-0.f)), b, c);
}
#undef _mm512_fnmadd_ps
#define _mm512_fnmadd_ps simde_more_mm512_fnmadd_ps

#endif
