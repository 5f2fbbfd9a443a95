/*
 * compute.h - how the operators compute: the kernels, and the precision of what enters a matrix
 * product.  A value that the engine holds and hands down.
 */
#ifndef OMMA_TENSOR_COMPUTE_H
#define OMMA_TENSOR_COMPUTE_H

#include <stdbool.h>

#include "base/dtype.h"
#include "simd/kernels.h"
#include "tensor/matrix.h"

struct omma_compute {
    struct omma_kernels kernels;
    enum omma_dtype operand; /* storage of activations that enter a product: bf16 or f32 */
    bool round;              /* f32 operands are rounded to bf16 values: a tier without the dot
                                product computes what one with it computes */
    bool use_blas;           /* OpenBLAS multiplies, in f32 */
};

/* Activations on their way into a product, [n_rows][n_columns]; written in a row's whole length by
 * omma_operand_store(). */
struct omma_operand {
    void *data;
    enum omma_dtype dtype;
    size_t stride; /* elements */
};

/* Elements between rows of an operand of n_columns: whole cache lines, and one more, so that the
 * rows that a kernel reads side by side do not fall into the same cache sets. */
size_t omma_operand_stride(const struct omma_compute *compute, size_t n_columns);

/* Bytes that n_rows such rows take. */
size_t omma_operand_bytes(const struct omma_compute *compute, size_t n_rows, size_t n_columns);

static inline void *omma_operand_at(const struct omma_operand *operand, size_t row, size_t column)
{
    return (char *)operand->data +
           (row * operand->stride + column) * omma_dtype_bytes(operand->dtype);
}

/* Row `row` of a matrix of any type, widened to f32: values[n_columns]. */
void omma_matrix_read_row(const struct omma_compute *compute, const struct omma_matrix *matrix,
                          size_t row, float *values);

/* Store n values at (row, column): converted or rounded as compute says.  Returns nothing that can
 * fail; values may be the operand's own place when it is f32. */
void omma_operand_store(const struct omma_compute *compute, const struct omma_operand *operand,
                        size_t row, size_t column, const float *values, size_t n);

#endif
