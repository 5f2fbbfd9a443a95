/* vec.h - the multiply-add of bytes that the tier avxvnni has beyond avx2. */
#ifndef OMMA_SIMD_AVXVNNI_VEC_H
#define OMMA_SIMD_AVXVNNI_VEC_H

#if !defined(OMMA_SIMDE) && !defined(__AVXVNNI__)
#error "simd/avxvnni is compiled without its flags"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/x86.h"

/* The name of a kernel in this tier. */
#define OMMA_TIER(kernel) kernel##__avxvnni

#include "simd/tmpl/lanes_256.h"

/* sums + the products of four unsigned bytes of u by four signed bytes of s in every lane. */
BODY __m256i vec_dot(__m256i sums, __m256i u, __m256i s)
{
#ifdef OMMA_SIMDE
    return _mm256_dpbusd_avx_epi32(sums, u, s);
#else
    /* gcc 12 copies the sums of its own function to and fro; vex, as the other encoding is
     * AVX-512's */
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(u), "x"(s));
    return sums;
#endif
}

/* w + 128, which is unsigned. */
BODY __m256i vec_plus_128(__m256i w)
{
    return _mm256_xor_si256(w, _mm256_set1_epi8(-128));
}

#endif
