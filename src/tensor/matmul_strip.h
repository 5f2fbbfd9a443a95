/*
 * matmul_strip.h - some rows of a weight times rows of x, into scratch: what omma_matmul() is made
 * of, and nothing of where the products go.
 */
#ifndef OMMA_TENSOR_MATMUL_STRIP_H
#define OMMA_TENSOR_MATMUL_STRIP_H

#include "base/checked.h"
#include "tensor/matmul.h"

/* A thread's: a panel of weights and two strips of products. */
struct omma_strip_scratch {
    char *panel;
    float *strips[2];
};

struct omma_strip_scratch omma_strip_scratch_of(const struct omma_thread *self);

/* Rows of a weight that lie together; n 0: none. */
struct omma_weight_rows {
    const struct omma_matrix *w;
    size_t first, n;
};

/* Those from first on, below end, at most n. */
static inline struct omma_weight_rows omma_weight_rows_from(const struct omma_matrix *w,
                                                            size_t first, size_t end, size_t n)
{
    return (struct omma_weight_rows){w, first,
                                     first < end ? omma_min(n, omma_matrix_run(w, first, end)) : 0};
}

/* What a thread computes at a time: rows of W, and how far rows of the strip lie apart. */
struct omma_strip_shape {
    size_t n, stride;
};

struct omma_strip_shape omma_strip_shape_of(const struct omma_compute *compute, size_t m);

/* Rows of x that are multiplied together. */
size_t omma_strip_most_rows(const struct omma_compute *compute);

/* strip[m][stride] = rows of x from first on, times rows of W; next: those that come after.  Of
 * int8 weights the products of int8 values, to be multiplied by scales, if these have no groups. */
void omma_strip_compute(const struct omma_compute *compute, size_t m, const struct omma_operand *x,
                        size_t first, const struct omma_weight_rows *rows,
                        const struct omma_weight_rows *next, void *panel, float *strip,
                        size_t stride);

/* Two lots of rows of W that meet the same rows of x; the second may be none. */
struct omma_weight_pair {
    struct omma_weight_rows rows[2];
};

/* Products with long rows go by pairs: their x is read from L3 otherwise, for every panel. */
bool omma_strip_goes_by_pairs(const struct omma_compute *compute, size_t m,
                              const struct omma_matrix *w);

/* The same of both: strips[i][m][OMMA_PANEL_COLUMNS] = rows of x from first on, times
 * pair->rows[i]; next: those that come after. */
void omma_strip_compute_pair(const struct omma_compute *compute, size_t m,
                             const struct omma_operand *x, size_t first,
                             const struct omma_weight_pair *pair,
                             const struct omma_weight_pair *next, char *panels,
                             float *const strips[2]);

#endif
