/*
 * matrix.h - views of weights as they lie in a checkpoint.  They own nothing.
 */
#ifndef OMMA_TENSOR_MATRIX_H
#define OMMA_TENSOR_MATRIX_H

#include <stddef.h>

#include "base/dtype.h"

/* [n_rows][n_columns], row-major, contiguous, aligned to its element. */
struct omma_matrix {
    const void *data;
    enum omma_dtype dtype;
    size_t n_rows, n_columns;
};

/* y = W x + b; a Linear of the checkpoint: weight [out][in]. */
struct omma_linear {
    struct omma_matrix weight;
    const float *bias; /* [out], NULL: none */
};

static inline const void *omma_matrix_row(const struct omma_matrix *matrix, size_t row)
{
    return (const char *)matrix->data + row * matrix->n_columns * omma_dtype_bytes(matrix->dtype);
}

#endif
