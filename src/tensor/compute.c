/* Operands: f32 values to what a product reads. */
#include "tensor/compute.h"

#include <string.h>

#include "base/checked.h"

enum { CACHE_LINE = 64 };

size_t omma_operand_stride(const struct omma_compute *compute, size_t n_columns)
{
    size_t element = omma_dtype_bytes(compute->operand);

    return (omma_round_up(n_columns * element, CACHE_LINE) + CACHE_LINE) / element;
}

size_t omma_operand_bytes(const struct omma_compute *compute, size_t n_rows, size_t n_columns)
{
    return n_rows * omma_operand_stride(compute, n_columns) * omma_dtype_bytes(compute->operand);
}

void omma_operand_store(const struct omma_compute *compute, const struct omma_operand *operand,
                        size_t row, size_t column, const float *values, size_t n)
{
    void *at = omma_operand_at(operand, row, column);

    if (operand->dtype == OMMA_DTYPE_BF16) {
        compute->kernels.f32_to_bf16(n, values, at);
    } else if (compute->round) {
        compute->kernels.round_bf16(n, values, at);
    } else if (at != (const void *)values) {
        memcpy(at, values, n * sizeof *values);
    }
}

void omma_matrix_read_row(const struct omma_compute *compute, const struct omma_matrix *matrix,
                          size_t row, float *values)
{
    const void *source = omma_matrix_row(matrix, row);

    switch (matrix->dtype) {
    case OMMA_DTYPE_F32:
        memcpy(values, source, matrix->n_columns * sizeof *values);
        break;
    case OMMA_DTYPE_BF16:
        compute->kernels.bf16_to_f32(matrix->n_columns, source, values);
        break;
    case OMMA_DTYPE_F16:
        compute->kernels.f16_to_f32(matrix->n_columns, source, values);
        break;
    }
}
