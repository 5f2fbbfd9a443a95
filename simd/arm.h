/*
 * arm.h - intrinsics for the tiers of 64-bit Arm.
 *
 * With OMMA_SIMDE the file is built for tests/simd/kernels_simde, for whatever CPU:
 * simde_more_neon.h, which lies in tests/simd, gives SIMDe's functions under Arm's names.
 */
#ifndef OMMA_SIMD_ARM_H
#define OMMA_SIMD_ARM_H

#include "simd/body.h"

#ifdef OMMA_SIMDE
#include "simd/simde_more_neon.h"
#else
#include <arm_neon.h>
#endif

#endif
