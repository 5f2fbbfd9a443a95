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

#define OMMA_CONSTANT_CASE(n, function, ...)                                                       \
    case n:                                                                                        \
        function(n, __VA_ARGS__);                                                                  \
        break;

#define OMMA_CONSTANT_CASES_3(function, ...)                                                       \
    OMMA_CONSTANT_CASE(1, function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(2, function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(3, function, __VA_ARGS__)
#define OMMA_CONSTANT_CASES_4(function, ...)                                                       \
    OMMA_CONSTANT_CASES_3(function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(4, function, __VA_ARGS__)
#define OMMA_CONSTANT_CASES_6(function, ...)                                                       \
    OMMA_CONSTANT_CASES_4(function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(5, function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(6, function, __VA_ARGS__)
#define OMMA_CONSTANT_CASES_8(function, ...)                                                       \
    OMMA_CONSTANT_CASES_6(function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(7, function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(8, function, __VA_ARGS__)
#define OMMA_CONSTANT_CASES_12(function, ...)                                                      \
    OMMA_CONSTANT_CASES_8(function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(9, function, __VA_ARGS__)                                                   \
    OMMA_CONSTANT_CASE(10, function, __VA_ARGS__)                                                  \
    OMMA_CONSTANT_CASE(11, function, __VA_ARGS__)                                                  \
    OMMA_CONSTANT_CASE(12, function, __VA_ARGS__)

/* FUNCTION(n, ...) with n, from 1 to the number in the name, as a constant: a body is compiled for
 * every n. */
#define OMMA_WITH_CONSTANT_3(n, function, ...)                                                     \
    switch (n) {                                                                                   \
        OMMA_CONSTANT_CASES_3(function, __VA_ARGS__)                                               \
    }

#define OMMA_WITH_CONSTANT_4(n, function, ...)                                                     \
    switch (n) {                                                                                   \
        OMMA_CONSTANT_CASES_4(function, __VA_ARGS__)                                               \
    }

#define OMMA_WITH_CONSTANT_6(n, function, ...)                                                     \
    switch (n) {                                                                                   \
        OMMA_CONSTANT_CASES_6(function, __VA_ARGS__)                                               \
    }

#define OMMA_WITH_CONSTANT_8(n, function, ...)                                                     \
    switch (n) {                                                                                   \
        OMMA_CONSTANT_CASES_8(function, __VA_ARGS__)                                               \
    }

#define OMMA_WITH_CONSTANT_12(n, function, ...)                                                    \
    switch (n) {                                                                                   \
        OMMA_CONSTANT_CASES_12(function, __VA_ARGS__)                                              \
    }

#endif
