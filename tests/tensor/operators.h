/*
 * operators.h - what tests of operators share: every way of computing, teams of some sizes, and
 * random operands with the values that they hold.
 */
#ifndef OMMA_TESTS_OPERATORS_H
#define OMMA_TESTS_OPERATORS_H

#include "platform/team.h"
#include "support/support.h"
#include "tensor/compute.h"

/* Ways of computing on this machine: each usable tier with f32 operands, rounded ones and, where it
 * has the dot product, bf16 ones; the scalar one by OpenBLAS too.  *n receives their number. */
const struct omma_compute *omma_test_computes(size_t *n);

/* "avx2 f32", for messages. */
const char *omma_test_compute_name(const struct omma_compute *compute);

/* A team to be destroyed. */
struct omma_team *omma_test_team(size_t n_threads, size_t scratch_bytes);

/* An operand [m][n] of random values in (-1, 1), and the same values as f32 in values[m][n]; the
 * operand's memory is to be freed. */
struct omma_operand omma_test_operand(const struct omma_compute *compute, uint64_t *seed, size_t m,
                                      size_t n, float *values);

/* An operand [m][n] with room for results, to be freed; and an element of one. */
struct omma_operand omma_test_empty_operand(const struct omma_compute *compute, size_t m, size_t n);
float omma_test_operand_value(const struct omma_operand *operand, size_t row, size_t column);

/* How far a value may be off that is rounded to bf16 when stored as an operand: |value| * this. */
double omma_test_operand_error(const struct omma_compute *compute);

#endif
