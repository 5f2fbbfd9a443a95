/* vec.h - the multiply-add of bytes that the tier avx512vnni has beyond avx512. */
#ifndef OMMA_SIMD_AVX512VNNI_VEC_H
#define OMMA_SIMD_AVX512VNNI_VEC_H

#if !defined(OMMA_SIMDE) && !defined(__AVX512VNNI__)
#error "simd/avx512vnni is compiled without its flags"
#endif

#include "simd/x86.h"

/* The name of a kernel in this tier. */
#define OMMA_TIER(kernel) kernel##__avx512vnni

/* sums + the products of four unsigned bytes of u by four signed bytes of s in every lane. */
static inline __attribute__((always_inline)) __m512i vec_dot(__m512i sums, __m512i u, __m512i s)
{
#ifdef OMMA_SIMDE
    return _mm512_dpbusd_epi32(sums, u, s);
#else
    /* gcc 12 copies the sums of its own function to and fro, and runs out of registers */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(u), "v"(s));
    return sums;
#endif
}

#endif
