/*
 * arm.h - intrinsics for the tiers of 64-bit Arm.
 *
 * With OMMA_SIMDE the file is built for tests/simd/kernels_simde, for whatever CPU:
 * simde_more_neon.h, which lies in tests/simd, gives SIMDe's functions under Arm's names.
 */
#ifndef OMMA_SIMD_ARM_H
#define OMMA_SIMD_ARM_H

#ifdef OMMA_SIMDE
#include "simd/simde_more_neon.h"
#else
#include <arm_neon.h>
#endif

/* A function whose constant arguments make a body of its own, and a loop over registers.  In
 * software neither is worth the compiler's time. */
#ifdef OMMA_SIMDE
#define BODY static inline
#define UNROLL
#else
#define BODY   static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 24")
#endif

/* FUNCTION(n, ...) with n, 1 to 3, 4 or 8, as a constant: a body is compiled for every n. */
#define OMMA_WITH_CONSTANT_3(n, function, ...)                                                     \
    switch (n) {                                                                                   \
    case 1:                                                                                        \
        function(1, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 2:                                                                                        \
        function(2, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 3:                                                                                        \
        function(3, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    }

#define OMMA_WITH_CONSTANT_4(n, function, ...)                                                     \
    switch (n) {                                                                                   \
    case 1:                                                                                        \
        function(1, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 2:                                                                                        \
        function(2, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 3:                                                                                        \
        function(3, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 4:                                                                                        \
        function(4, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    }

#define OMMA_WITH_CONSTANT_8(n, function, ...)                                                     \
    switch (n) {                                                                                   \
    case 1:                                                                                        \
        function(1, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 2:                                                                                        \
        function(2, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 3:                                                                                        \
        function(3, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 4:                                                                                        \
        function(4, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 5:                                                                                        \
        function(5, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 6:                                                                                        \
        function(6, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 7:                                                                                        \
        function(7, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 8:                                                                                        \
        function(8, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    }

#endif
