/*
 * A product is computed panel by panel: 32 columns of y for all rows of x, into a strip of scratch
 * [m][32], which then goes through the output's epilogue while it is in cache.
 *
 *   strip (GEMV)   m <= 8: 32 rows of W as they lie
 *   strip (GEMM)   W's 32 rows x KC packed into a panel that stays in L2; all rows of x swept over
 * it; K in blocks of KC, later ones added to the strip strip (BLAS)   the same blocks widened to
 * f32, multiplied by OpenBLAS
 *
 * Scratch of a thread: a panel (128 KB), two strips (a gated product needs both), one row.
 */
#include "tensor/matmul.h"

#include <string.h>

#include "base/checked.h"
#include "tensor/matmul_blas.h"

enum {
    COLUMNS = OMMA_PANEL_COLUMNS,
    MAX_M = 1056, /* rows of x a strip holds: one tile of 1025, rounded up */
    PANEL_BYTES = 128 * 1024,
    STRIP_BYTES = MAX_M * COLUMNS * 4,
};

struct scratch {
    void *panel;
    float *strips[2];
};

size_t omma_matmul_scratch_bytes(void)
{
    return PANEL_BYTES + 2 * (size_t)STRIP_BYTES;
}

static struct scratch carve(const struct omma_thread *self)
{
    return (struct scratch){
        .panel = self->scratch,
        .strips = {(float *)(void *)(self->scratch + PANEL_BYTES),
                   (float *)(void *)(self->scratch + PANEL_BYTES + STRIP_BYTES)},
    };
}

/* Widen or copy n rows x k columns of W from (row, column) into an f32 panel. */
static void pack_f32(const struct omma_kernels *kernels, const struct omma_matrix *w, size_t row,
                     size_t n, size_t column, size_t k, float *panel)
{
    switch (w->dtype) {
    case OMMA_DTYPE_F32:
        kernels->pack_rows_f32_f32(n, k, (const float *)omma_matrix_row(w, row) + column,
                                   w->n_columns, panel);
        break;
    case OMMA_DTYPE_BF16:
        kernels->pack_rows_f32_bf16(n, k, (const uint16_t *)omma_matrix_row(w, row) + column,
                                    w->n_columns, panel);
        break;
    case OMMA_DTYPE_F16:
        kernels->pack_rows_f32_f16(n, k, (const uint16_t *)omma_matrix_row(w, row) + column,
                                   w->n_columns, panel);
        break;
    }
}

/* Widen n rows x k columns of W to f32 rows of k. */
static void widen(const struct omma_kernels *kernels, const struct omma_matrix *w, size_t row,
                  size_t n, size_t column, size_t k, float *rows)
{
    for (size_t i = 0; i < n; i++) {
        const uint16_t *source = (const uint16_t *)omma_matrix_row(w, row + i) + column;

        if (w->dtype == OMMA_DTYPE_BF16) {
            kernels->bf16_to_f32(k, source, rows + i * k);
        } else {
            kernels->f16_to_f32(k, source, rows + i * k);
        }
    }
}

static void strip_by_gemv(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, const struct omma_matrix *w, size_t row,
                          size_t n, float *strip)
{
    const struct omma_kernels *kernels = &compute->kernels;
    const void *rows = omma_matrix_row(w, row);
    size_t k = w->n_columns;

    if (x->dtype == OMMA_DTYPE_BF16) {
        kernels->gemv_bf16_bf16w(m, n, k, x->data, x->stride, rows, k, strip, COLUMNS);
        return;
    }
    switch (w->dtype) {
    case OMMA_DTYPE_F32:
        kernels->gemv_f32_f32w(m, n, k, x->data, x->stride, rows, k, strip, COLUMNS);
        break;
    case OMMA_DTYPE_BF16:
        kernels->gemv_f32_bf16w(m, n, k, x->data, x->stride, rows, k, strip, COLUMNS);
        break;
    case OMMA_DTYPE_F16:
        kernels->gemv_f32_f16w(m, n, k, x->data, x->stride, rows, k, strip, COLUMNS);
        break;
    }
}

static void strip_by_gemm(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct omma_matrix *w,
                          size_t row, size_t n, void *panel, float *strip)
{
    const struct omma_kernels *kernels = &compute->kernels;
    size_t block = PANEL_BYTES / (COLUMNS * omma_dtype_bytes(x->dtype));

    for (size_t column = 0; column < w->n_columns; column += block) {
        size_t k = omma_min(block, w->n_columns - column);
        const void *a = omma_operand_at(x, first, column);

        if (x->dtype == OMMA_DTYPE_BF16) {
            kernels->pack_rows_bf16(n, k, (const uint16_t *)omma_matrix_row(w, row) + column,
                                    w->n_columns, panel);
            kernels->gemm_bf16(m, n, k, a, x->stride, panel, strip, COLUMNS, column > 0);
        } else {
            pack_f32(kernels, w, row, n, column, k, panel);
            kernels->gemm_f32(m, n, k, a, x->stride, panel, strip, COLUMNS, column > 0);
        }
    }
}

static void strip_by_blas(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct omma_matrix *w,
                          size_t row, size_t n, float *panel, float *strip)
{
    size_t block = PANEL_BYTES / (COLUMNS * sizeof *panel);

    for (size_t column = 0; column < w->n_columns; column += block) {
        size_t k = omma_min(block, w->n_columns - column);
        const float *a = omma_operand_at(x, first, column);

        if (w->dtype == OMMA_DTYPE_F32) {
            const float *rows = omma_matrix_row(w, row);

            omma_matmul_blas(m, n, k, a, x->stride, rows + column, w->n_columns, strip, COLUMNS,
                             column > 0);
        } else {
            widen(&compute->kernels, w, row, n, column, k, panel);
            omma_matmul_blas(m, n, k, a, x->stride, panel, k, strip, COLUMNS, column > 0);
        }
    }
}

/* strip[m][32] = rows first.. of x times n <= 32 rows of W. */
static void compute_strip(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct omma_matrix *w,
                          size_t row, size_t n, void *panel, float *strip)
{
    if (compute->use_blas && x->dtype == OMMA_DTYPE_F32) {
        strip_by_blas(compute, m, x, first, w, row, n, panel, strip);
    } else if (m <= OMMA_GEMV_MAX_M) {
        struct omma_operand rows = {omma_operand_at(x, first, 0), x->dtype, x->stride};

        strip_by_gemv(compute, m, &rows, w, row, n, strip);
    } else {
        strip_by_gemm(compute, m, x, first, w, row, n, panel, strip);
    }
}

/* Hand a strip [m][n] of y, rows from first, columns from column, to its output.  The strip is used
 * as a workspace. */
static void finish_strip(const struct omma_compute *compute, size_t m, size_t first, size_t n,
                         size_t column, const float *bias, float *strip,
                         const struct omma_output *output)
{
    const struct omma_kernels *kernels = &compute->kernels;

    for (size_t i = 0; i < m; i++) {
        float *y = strip + i * COLUMNS;

        if (bias != NULL) {
            kernels->add(n, bias + column, y);
        }
        switch (output->kind) {
        case OMMA_OUTPUT_STORE:
            memcpy(output->f32 + (first + i) * output->f32_stride + column, y, n * sizeof *y);
            break;
        case OMMA_OUTPUT_OPERAND:
            omma_operand_store(compute, &output->operand, first + i, column, y, n);
            break;
        case OMMA_OUTPUT_GELU:
            kernels->gelu(n, y, y);
            omma_operand_store(compute, &output->operand, first + i, column, y, n);
            break;
        case OMMA_OUTPUT_RESIDUAL: {
            float *x = output->f32 + (first + i) * output->f32_stride + column;

            if (output->scale != NULL) {
                kernels->scale_add(n, output->scale + column, y, x);
            } else {
                kernels->add(n, y, x);
            }
            break;
        }
        }
    }
}

void omma_matmul(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                 const struct omma_operand *x, const struct omma_linear *linear,
                 const struct omma_output *output)
{
    const struct omma_matrix *w = &linear->weight;
    struct scratch scratch = carve(self);
    struct omma_range panels = omma_team_range(self, (w->n_rows + COLUMNS - 1) / COLUMNS);

    for (size_t first = 0; first < m; first += MAX_M) {
        size_t rows = omma_min(MAX_M, m - first);

        for (size_t p = panels.begin; p < panels.end; p++) {
            size_t column = p * COLUMNS;
            size_t n = omma_min(COLUMNS, w->n_rows - column);

            compute_strip(compute, rows, x, first, w, column, n, scratch.panel, scratch.strips[0]);
            finish_strip(compute, rows, first, n, column, linear->bias, scratch.strips[0], output);
        }
    }
}

void omma_matmul_gated(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                       const struct omma_operand *x, const struct omma_linear *gate,
                       const struct omma_linear *up, const struct omma_operand *output)
{
    struct scratch scratch = carve(self);
    size_t n_panels = (gate->weight.n_rows + COLUMNS - 1) / COLUMNS;
    struct omma_range panels = omma_team_range(self, n_panels);

    for (size_t first = 0; first < m; first += MAX_M) {
        size_t rows = omma_min(MAX_M, m - first);

        for (size_t p = panels.begin; p < panels.end; p++) {
            size_t column = p * COLUMNS;
            size_t n = omma_min(COLUMNS, gate->weight.n_rows - column);

            compute_strip(compute, rows, x, first, &gate->weight, column, n, scratch.panel,
                          scratch.strips[0]);
            compute_strip(compute, rows, x, first, &up->weight, column, n, scratch.panel,
                          scratch.strips[1]);
            for (size_t i = 0; i < rows; i++) {
                float *y = scratch.strips[0] + i * COLUMNS;

                compute->kernels.silu_mul(n, y, scratch.strips[1] + i * COLUMNS, y);
                omma_operand_store(compute, output, first + i, column, y, n);
            }
        }
    }
}
