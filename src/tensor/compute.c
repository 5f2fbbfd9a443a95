/* Operands: f32 values to what a product reads. */
#include "tensor/compute.h"

#include <string.h>

#include "base/checked.h"

enum { CACHE_LINE = 64 };

/* Bytes between rows of n_bytes: whole cache lines, and one more, as the header says. */
static size_t padded(size_t n_bytes)
{
    return omma_round_up(n_bytes, CACHE_LINE) + CACHE_LINE;
}

size_t omma_operand_stride(const struct omma_compute *compute, size_t n_columns)
{
    size_t element = omma_dtype_bytes(compute->operand);

    return padded(n_columns * element) / element;
}

size_t omma_operand_bytes(const struct omma_compute *compute, size_t n_rows, size_t n_columns)
{
    return n_rows * omma_operand_stride(compute, n_columns) * omma_dtype_bytes(compute->operand);
}

/* ---- int8 -------------------------------------------------------------------------------------
 */

size_t omma_pieces_stride(size_t n_columns)
{
    return padded(n_columns * sizeof(float)) / sizeof(float);
}

size_t omma_i8_rows_bytes(size_t n_rows, size_t n_columns, size_t group)
{
    size_t n_numbers = n_rows * (2 + (group > 0 ? n_columns / group : 0));

    return n_rows * padded(n_columns) + n_numbers * sizeof(int32_t);
}

struct omma_i8_rows omma_i8_rows_carve(void *memory, size_t n_rows, size_t n_columns, size_t group)
{
    struct omma_i8_rows rows = {
        .data = memory, .stride = padded(n_columns), .n_rows = n_rows, .group = group};

    rows.scales = (float *)(void *)(rows.data + n_rows * rows.stride);
    rows.sums = (int32_t *)(void *)(rows.scales + n_rows);
    rows.group_sums = group > 0 ? rows.sums + n_rows : NULL;
    return rows;
}

static void quantize_row(const struct omma_compute *compute, const struct omma_i8_rows *rows,
                         size_t row, const float *values, size_t n)
{
    int8_t *q = rows->data + row * rows->stride;

    rows->scales[row] = compute->kernels.quantize_i8(n, values, q, &rows->sums[row]);
    for (size_t g = 0; rows->group > 0 && (g + 1) * rows->group <= n; g++) {
        int32_t sum = 0;

        for (size_t i = g * rows->group; i < (g + 1) * rows->group; i++) {
            sum += q[i];
        }
        rows->group_sums[g * rows->n_rows + row] = sum;
    }
}

void omma_quantize_rows(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                        size_t n, const struct omma_operand *operand)
{
    struct omma_range rows = omma_team_range(self, m);

    if (operand->i8.data == NULL) {
        return;
    }
    for (size_t i = rows.begin; i < rows.end; i++) {
        quantize_row(compute, &operand->i8, i, operand->pieces + i * operand->pieces_stride, n);
    }
    omma_team_barrier(self);
}

/* ---- stores -----------------------------------------------------------------------------------
 */

struct omma_operand omma_operand_for(const struct omma_compute *compute,
                                     const struct omma_operand *operand,
                                     const struct omma_matrix *const *weights, size_t n)
{
    struct omma_operand wanted = *operand;
    size_t n_i8 = 0;

    for (size_t i = 0; i < n; i++) {
        n_i8 += omma_takes_i8(compute, weights[i]);
    }
    if (n_i8 == 0) {
        wanted.i8.data = NULL;
        wanted.pieces = NULL;
    } else if (n_i8 == n) {
        wanted.data = NULL;
    }
    return wanted;
}

static void store_elements(const struct omma_compute *compute, const struct omma_operand *operand,
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

void omma_operand_store_row(const struct omma_compute *compute, const struct omma_operand *operand,
                            size_t row, const float *values, size_t n)
{
    if (operand->i8.data != NULL) {
        quantize_row(compute, &operand->i8, row, values, n);
    }
    if (operand->data != NULL) {
        store_elements(compute, operand, row, 0, values, n);
    }
}

void omma_operand_store(const struct omma_compute *compute, const struct omma_operand *operand,
                        size_t row, size_t column, const float *values, size_t n)
{
    if (operand->i8.data != NULL) {
        memcpy(operand->pieces + row * operand->pieces_stride + column, values, n * sizeof *values);
    }
    if (operand->data != NULL) {
        store_elements(compute, operand, row, column, values, n);
    }
}

/* ---- weights ----------------------------------------------------------------------------------
 */

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
    case OMMA_DTYPE_I8: /* nothing that is read by rows */
        break;
    }
}
