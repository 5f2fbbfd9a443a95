/*
 * compute.h - how the operators compute: the kernels, and the precision of what enters a matrix
 * product.  A value that the engine holds and hands down.
 */
#ifndef OMMA_TENSOR_COMPUTE_H
#define OMMA_TENSOR_COMPUTE_H

#include <stdbool.h>

#include "base/dtype.h"
#include "platform/team.h"
#include "simd/kernels.h"
#include "tensor/matrix.h"

/*
 * Products and attention have one way for few rows, which reads weights and keys as they lie, and
 * another for many, which packs them; sums differ in their order.  A row gets the same bits
 * whatever stands beside it as long as the way is the same.
 */
enum omma_rows {
    OMMA_ROWS_BY_NUMBER, /* the faster way for as many as there are */
    OMMA_ROWS_MANY,      /* that of many, however few */
    OMMA_ROWS_FEW,       /* that of few, some at a time, however many */
};

struct omma_compute {
    struct omma_kernels kernels;
    enum omma_dtype operand; /* storage of activations that enter a product: bf16 or f32 */
    bool round;              /* f32 operands are rounded to bf16 values: a tier without the dot
                                product computes what one with it computes */
    bool use_blas;           /* OpenBLAS multiplies, in f32, but for int8 weights */
    bool int8_activations;   /* what enters a product with int8 weights is quantized to int8 */
    enum omma_rows rows;
};

/* Whether n rows go the way of many, where up to `few` are few. */
static inline bool omma_goes_as_many(const struct omma_compute *compute, size_t n, size_t few)
{
    return compute->rows == OMMA_ROWS_MANY || (compute->rows == OMMA_ROWS_BY_NUMBER && n > few);
}

/* Rows of int8, each quantized by its own largest magnitude (simd/kernels.h, quantize_i8). */
struct omma_i8_rows {
    int8_t *data;  /* [n_rows][stride] */
    size_t stride; /* bytes */
    size_t n_rows;
    float *scales;       /* [n_rows] */
    int32_t *sums;       /* [n_rows]: of a row's values */
    int32_t *group_sums; /* [columns / group][n_rows]: of each group of columns */
    size_t group;        /* 0: group_sums is NULL */
};

/*
 * Activations on their way into products, [n_rows][n_columns], in the forms that the products read:
 * elements of a type, int8, or both.  What writes them in pieces of a row writes f32 rows where
 * int8 is wanted, which omma_quantize_rows() completes.
 */
struct omma_operand {
    void *data; /* NULL: this form is not wanted */
    enum omma_dtype dtype;
    size_t stride; /* elements */

    struct omma_i8_rows i8; /* data NULL: not wanted */
    float *pieces;          /* [n_rows][pieces_stride]: rows to be quantized, written in pieces */
    size_t pieces_stride;
};

/* Elements between rows of an operand of n_columns: whole cache lines, and one more, so that the
 * rows that a kernel reads side by side do not fall into the same cache sets. */
size_t omma_operand_stride(const struct omma_compute *compute, size_t n_columns);

/* Bytes that n_rows such rows take. */
size_t omma_operand_bytes(const struct omma_compute *compute, size_t n_rows, size_t n_columns);

/* The weight is multiplied by int8 activations. */
static inline bool omma_takes_i8(const struct omma_compute *compute,
                                 const struct omma_matrix *weight)
{
    return weight->scales != NULL && compute->int8_activations;
}

/* Bytes of int8 rows, and their place in that much memory (aligned to 64).  group: that of the
 * weights' scales, 0 for one a row. */
size_t omma_i8_rows_bytes(size_t n_rows, size_t n_columns, size_t group);
struct omma_i8_rows omma_i8_rows_carve(void *memory, size_t n_rows, size_t n_columns, size_t group);

/* Elements between rows of pieces. */
size_t omma_pieces_stride(size_t n_columns);

/* The operand with only the forms that n weights read. */
struct omma_operand omma_operand_for(const struct omma_compute *compute,
                                     const struct omma_operand *operand,
                                     const struct omma_matrix *const *weights, size_t n);

static inline void *omma_operand_at(const struct omma_operand *operand, size_t row, size_t column)
{
    return (char *)operand->data +
           (row * operand->stride + column) * omma_dtype_bytes(operand->dtype);
}

/* Rows from `row` on, to be written in pieces. */
static inline struct omma_operand omma_operand_rows(const struct omma_operand *operand, size_t row)
{
    struct omma_operand rows = *operand;

    rows.data = operand->data != NULL ? omma_operand_at(operand, row, 0) : NULL;
    rows.pieces = operand->pieces != NULL ? operand->pieces + row * operand->pieces_stride : NULL;
    return rows;
}

/* Row `row` of a matrix of any type, widened to f32: values[n_columns]. */
void omma_matrix_read_row(const struct omma_compute *compute, const struct omma_matrix *matrix,
                          size_t row, float *values);

/* Quantize m rows of n that were written in pieces, split over the team, and end with a barrier;
 * without an int8 form nothing happens, no barrier either.  What was written before must be
 * complete (a barrier before). */
void omma_quantize_rows(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                        size_t n, const struct omma_operand *operand);

/* Store a whole row of n values in all forms that are wanted.  values may be its own place in
 * pieces.
 */
void omma_operand_store_row(const struct omma_compute *compute, const struct omma_operand *operand,
                            size_t row, const float *values, size_t n);

/* Store n values at (row, column): converted or rounded as compute says; for int8 into pieces.
 * values may be the operand's own place when it is f32. */
void omma_operand_store(const struct omma_compute *compute, const struct omma_operand *operand,
                        size_t row, size_t column, const float *values, size_t n);

#endif
