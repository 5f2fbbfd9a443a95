/*
 * rows.h - what the tests of the row kernels share: rows between guard pages, and every tail.
 */
#ifndef OMMA_TESTS_SIMD_ROWS_H
#define OMMA_TESTS_SIMD_ROWS_H

#include "simd/check.h"

/* A row of n elements drawn from the kind of values; read only. */
const float *omma_check_row(size_t n, enum omma_check_values values, enum omma_check_edge edge,
                            uint64_t *random);

/* A copy of a row; read and written. */
float *omma_check_copy(size_t n, const float *x, enum omma_check_edge edge);

/* Room for n elements, all NaN; read and written. */
float *omma_check_room(size_t n, enum omma_check_edge edge);

/* One case: a row of n elements at an edge.  A row at OMMA_CHECK_END starts wherever n puts it, so
 * all alignments come. */
typedef void (*omma_check_row_fn)(const struct omma_kernels *kernels,
                                  const struct omma_kernels *definition, size_t n,
                                  enum omma_check_values values, enum omma_check_edge edge,
                                  uint64_t *random);

/* Every n from 0 to 130 and some longer ones, at both edges, with every kind of values. */
void omma_check_lengths(const struct omma_kernels *kernels, const struct omma_kernels *definition,
                        omma_check_row_fn check);

/* The bound on a sum of n elements in f32, relative to the sum of their magnitudes: no tier has
 * fewer than 32 partial sums, of which each is within n / 32 roundings; 16 more for what stands
 * around it. */
double omma_check_sum_bound(size_t n);

#endif
