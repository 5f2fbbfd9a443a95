/*
 * matrix.h - views of weights as they lie in a checkpoint.  They own nothing.
 */
#ifndef OMMA_TENSOR_MATRIX_H
#define OMMA_TENSOR_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/dtype.h"

/* Rows that lie together: from first_row on, up to the next part. */
struct omma_matrix_part {
    size_t
        first_row; /* a multiple of OMMA_PANEL_COLUMNS (simd/kernels.h): no panel crosses parts */
    const void *data; /* of first_row */
};

/* [n_rows][n_columns], row-major, aligned to its element; contiguous, or in parts. */
struct omma_matrix {
    const void *data; /* all rows, also where there are parts, which hold copies */
    enum omma_dtype dtype;
    size_t n_rows, n_columns;
    const struct omma_matrix_part *parts; /* from row 0 on, in order, and one that begins at n_rows;
                                             NULL: contiguous */

    /* Of int8, whose values are int8 times scale; NULL for others.  The scale of row j and columns
     * g * group .. (g + 1) * group is scales[g * scales_stride + j]. */
    const float *scales;
    size_t scales_stride;
    size_t group; /* 64, 128, or all columns: one scale a row */
};

/* Scales have groups of columns. */
static inline bool omma_matrix_is_grouped(const struct omma_matrix *matrix)
{
    return matrix->scales != NULL && matrix->group < matrix->n_columns;
}

/* y = W x + b; a Linear of the checkpoint: weight [out][in]. */
struct omma_linear {
    struct omma_matrix weight;
    const float *bias; /* [out], NULL: none */
};

/* Row `row` and those of its panel that follow it. */
static inline const void *omma_matrix_row(const struct omma_matrix *matrix, size_t row)
{
    const struct omma_matrix_part *part = matrix->parts;
    size_t row_bytes = matrix->n_columns * omma_dtype_bytes(matrix->dtype);

    if (part == NULL) {
        return (const char *)matrix->data + row * row_bytes;
    }
    while (part[1].first_row <= row) {
        part++;
    }
    return (const char *)part->data + (row - part->first_row) * row_bytes;
}

/* How many rows lie together from row on, below end. */
static inline size_t omma_matrix_run(const struct omma_matrix *matrix, size_t row, size_t end)
{
    const struct omma_matrix_part *part = matrix->parts;

    if (part == NULL) {
        return end - row;
    }
    while (part[1].first_row <= row) {
        part++;
    }
    return (part[1].first_row < end ? part[1].first_row : end) - row;
}

#endif
