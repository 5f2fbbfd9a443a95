/*
 * x86.h - intrinsics for the tiers of x86-64.
 *
 * With OMMA_SIMDE the file is built for tests/simd/kernels_simde, for whatever CPU: simde_more.h,
 * which lies in tests/simd, gives SIMDe's functions under Intel's names.
 */
#ifndef OMMA_SIMD_X86_H
#define OMMA_SIMD_X86_H

#include "simd/body.h"

#ifdef OMMA_SIMDE
#include "simd/simde_more.h"
#else
#include <immintrin.h>
#endif

#endif
