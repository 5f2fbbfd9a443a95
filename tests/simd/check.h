/*
 * check.h - kernels held against a definition, in the manner of dav1d's checkasm.
 *
 * A family's file (tests/simd/gemm.c) defines tests, each a line of checks.def, that go over every
 * tier with omma_check_tiers().  A test draws shapes, edges and values, computes what must come out
 * in plain C (the scalar tier, or double precision), and compares.  The same files make two
 * programs: tests/simd/ kernels runs the tiers that this CPU has, kernels_simde all of them through
 * SIMDe.
 *
 * One case goes: omma_check_case() says what it is, omma_check_rows() gives memory, fill, call,
 * compare, omma_check_release().  All failures end the test and print the case.
 */
#ifndef OMMA_TESTS_SIMD_CHECK_H
#define OMMA_TESTS_SIMD_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.h"
#include "support/support.h"

/* The tests of checks.def. */
#define OMMA_CHECK(name) void omma_check_##name(void **state);
#include "simd/checks.def"
#undef OMMA_CHECK

/* 1 / 2 ulp of f32 next to 1: the error of one rounding to nearest. */
#define OMMA_CHECK_UNIT 0x1p-24

/* ---- tiers ------------------------------------------------------------------------------------
 */

/* Call the function with the table of every tier that is built and usable, scalar first; definition
 * is the scalar tier's. */
void omma_check_tiers(void (*check)(const struct omma_kernels *kernels,
                                    const struct omma_kernels *definition));

/* From here on omma_check_tiers() calls for one tier alone, with a table in which the family's
 * kernel does nothing (families are counted as in families.def; beyond the last: none). */
void omma_check_only(enum omma_isa tier, size_t family);

/* ---- cases ------------------------------------------------------------------------------------
 */

/* Say what is computed, for the message of a failure: "m 3 n 32 k 7, huge values". */
void omma_check_case(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fail with the tier, the case and the message. */
void omma_check_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- memory between guard pages ---------------------------------------------------------------
 */

/* Where a page that may not be touched lies: right behind the last byte, or right before the first
 * (which is then aligned to a page). */
enum omma_check_edge { OMMA_CHECK_END, OMMA_CHECK_BEGIN, OMMA_CHECK_N_EDGES };

/* Memory for n_rows rows of row_bytes bytes, stride_bytes apart, with no byte behind the last row;
 * all bytes 0xFF, which is NaN in every type.  Freed by omma_check_release(). */
void *omma_check_rows(size_t n_rows, size_t row_bytes, size_t stride_bytes,
                      enum omma_check_edge edge);

/* From here on the memory that omma_check_rows() gave may be read only. */
void omma_check_seal(const void *rows);

/* The bytes between the rows are still 0xFF. */
void omma_check_gaps(const void *rows, size_t n_rows, size_t row_bytes, size_t stride_bytes);

/* Free all that omma_check_rows() gave. */
void omma_check_release(void);

/* ---- values -----------------------------------------------------------------------------------
 */

enum omma_check_values {
    OMMA_CHECK_UNIFORM,   /* in [-1, 1) */
    OMMA_CHECK_INTEGER,   /* -4 to 4: sums are exact, so every order gives the same bits */
    OMMA_CHECK_WIDE,      /* 2^-40 to 2^40, either sign */
    OMMA_CHECK_HUGE,      /* 2^50 to 2^57: a product of two, summed 4096 times, is finite */
    OMMA_CHECK_TINY,      /* 2^-70 to 2^-60: products are subnormal or vanish */
    OMMA_CHECK_SUBNORMAL, /* below 2^-126, with some of about 1 between */
    OMMA_CHECK_ZERO,      /* 0 and -0 */
    OMMA_CHECK_CANCEL,    /* each value followed by its negative */
    OMMA_CHECK_N_VALUES
};

const char *omma_check_values_name(enum omma_check_values values);

/* Fill n elements; f16 has a range of its own: values are clipped to what it holds. */
void omma_check_fill_f32(enum omma_check_values values, size_t n, float *x, uint64_t *random);
void omma_check_fill_bf16(enum omma_check_values values, size_t n, uint16_t *x, uint64_t *random);
void omma_check_fill_f16(enum omma_check_values values, size_t n, uint16_t *x, uint64_t *random);
/* Bytes -128 to 127: huge ones are the two ends alone, tiny ones -1 to 1. */
void omma_check_fill_i8(enum omma_check_values values, size_t n, int8_t *x, uint64_t *random);

/* ---- comparisons ------------------------------------------------------------------------------
 */

/* All bits equal: f32 elements (which are named in the message), 16-bit elements. */
void omma_check_same_f32(const char *what, size_t n, const float *expected, const float *got);
void omma_check_same_i32(const char *what, size_t n, const int32_t *expected, const int32_t *got);
void omma_check_same_16(const char *what, size_t n, const uint16_t *expected, const uint16_t *got);

/* |got - expected| <= bound for one element; a NaN fails. */
void omma_check_near(const char *what, size_t index, double expected, double got, double bound);

#endif
