/*
 * x86.h - intrinsics for the tiers of x86-64.
 *
 * With OMMA_SIMDE the file is built for tests/simd/kernels_simde, for whatever CPU: the command line
 * has then included tests/simd/simde_more.h, which gives SIMDe's functions under Intel's names.
 */
#ifndef OMMA_SIMD_X86_H
#define OMMA_SIMD_X86_H

#ifndef OMMA_SIMDE
#include <immintrin.h>
#endif

#endif
