/*
 * body.h - bodies of kernels: functions whose constant arguments make a body of their own, loops
 * over registers, and the choice of a body by a number.
 */
#ifndef OMMA_SIMD_BODY_H
#define OMMA_SIMD_BODY_H

/* BODY: such a function.  UNROLL: before a loop that is taken apart, as its vectors are to lie in
 * registers; clang 14 does not know gcc's word for it.  In software neither is worth the compiler's
 * time. */
#ifdef OMMA_SIMDE
#define BODY static inline
#define UNROLL
#else
#define BODY static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#pragma clang diagnostic ignored "-Wpass-failed" /* where a body is not inlined after all */
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif
#endif

/* FUNCTION(n, ...) with n, from 1 to the number in the name, as a constant: a body is compiled for
 * every n. */
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

#define OMMA_WITH_CONSTANT_6(n, function, ...)                                                     \
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

#define OMMA_WITH_CONSTANT_12(n, function, ...)                                                    \
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
    case 9:                                                                                        \
        function(9, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 10:                                                                                       \
        function(10, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 11:                                                                                       \
        function(11, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 12:                                                                                       \
        function(12, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    }

#endif
