/*
 * GEMV, m <= 8: up to WIDE rows of W as they lie.
 *
 * GEMM: 32 rows of W x KC packed into a panel that stays in L2, all rows of x swept over it; K in
 * blocks of KC, later ones added to the strip.  Where K is so long that x comes from L3, two panels
 * of half the columns are multiplied at a time, and x is read once for both.
 *
 * BLAS: the same blocks widened to f32, multiplied by OpenBLAS.
 *
 * Scratch of a thread: a panel (128 KB), two strips (a gated product needs both).
 */
#include "tensor/matmul_strip.h"

#include <assert.h>
#include <string.h>

#include "tensor/matmul_blas.h"

enum {
    COLUMNS = OMMA_PANEL_COLUMNS,
    MAX_M = 1056, /* rows of x a strip holds: one tile of 1025, rounded up */
    PANEL_BYTES = 128 * 1024,
    STRIP_BYTES = MAX_M * COLUMNS * 4,
    /* rows of W in a GEMV, so many that its streams are long; a line more between rows of the
       strip, lest all fall into one set of L1 */
    WIDE = 4096,
    WIDE_STRIDE = WIDE + 16,
    CACHE_LINE = 64,
    /* rows of x between two prefetches of weights: few lines are asked for at a time, as those
       beyond what the core keeps in flight are lost */
    SLICE = 12,
    I8_STEP = 128, /* columns of an int8 block are a multiple */
    LONG_K = 8192, /* columns from which two panels are multiplied at a time */
};

static_assert(OMMA_GEMV_MAX_M * WIDE_STRIDE * 4 <= STRIP_BYTES, "a strip holds those of a GEMV");

size_t omma_matmul_scratch_bytes(void)
{
    return PANEL_BYTES + 2 * (size_t)STRIP_BYTES;
}

struct omma_strip_scratch omma_strip_scratch_of(const struct omma_thread *self)
{
    return (struct omma_strip_scratch){
        .panel = self->scratch,
        .strips = {(float *)(void *)(self->scratch + PANEL_BYTES),
                   (float *)(void *)(self->scratch + PANEL_BYTES + STRIP_BYTES)},
    };
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

struct omma_strip_shape omma_strip_shape_of(const struct omma_compute *compute, size_t m)
{
    return !omma_goes_as_many(compute, m, OMMA_GEMV_MAX_M) && !compute->use_blas
               ? (struct omma_strip_shape){WIDE, WIDE_STRIDE}
               : (struct omma_strip_shape){COLUMNS, COLUMNS};
}

size_t omma_strip_most_rows(const struct omma_compute *compute)
{
    return compute->rows == OMMA_ROWS_FEW ? OMMA_GEMV_MAX_M : MAX_M;
}

/* What one group of columns gives, before its scales. */
union partial {
    float f32[SLICE][COLUMNS];
    int32_t i32[SLICE][COLUMNS];
};

/* Sums of rows of x, from first on, that go with k columns: over a group of them, or over the whole
 * rows with the last columns; NULL: none. */
static const int32_t *sums_of(const struct omma_operand *x, size_t first,
                              const struct omma_matrix *w, size_t column, size_t k)
{
    if (x->dtype != OMMA_DTYPE_I8) {
        return NULL;
    }
    if (omma_matrix_is_grouped(w)) {
        return x->i8.group_sums + column / w->group * x->i8.n_rows + first;
    }
    return column + k == w->n_columns ? x->i8.sums + first : NULL;
}

/* n rows of W as they lie, K k from `column` on, times m <= 8 rows of x from first on; sums:
 * theirs, where they are int8. */
static void multiply_rows(const struct omma_kernels *kernels, size_t m,
                          const struct omma_operand *x, size_t first,
                          const struct omma_weight_rows *rows, size_t column, size_t k, void *y,
                          size_t y_stride)
{
    const void *values = omma_operand_at(x, first, column);
    size_t n = rows->n, stride = rows->w->n_columns;
    const char *w = omma_matrix_row(rows->w, rows->first);

    w += column * omma_dtype_bytes(rows->w->dtype);
    if (x->dtype == OMMA_DTYPE_I8) {
        kernels->gemv_i8(m, n, k, values, x->stride, sums_of(x, first, rows->w, column, k),
                         (const int8_t *)w, stride, y, y_stride);
        return;
    }
    if (x->dtype == OMMA_DTYPE_BF16) {
        if (rows->w->dtype == OMMA_DTYPE_I8) {
            kernels->gemv_bf16_i8w(m, n, k, values, x->stride, (const int8_t *)w, stride, y,
                                   y_stride);
        } else {
            kernels->gemv_bf16_bf16w(m, n, k, values, x->stride, (const void *)w, stride, y,
                                     y_stride);
        }
        return;
    }
    switch (rows->w->dtype) {
    case OMMA_DTYPE_F32:
        kernels->gemv_f32_f32w(m, n, k, values, x->stride, (const void *)w, stride, y, y_stride);
        break;
    case OMMA_DTYPE_BF16:
        kernels->gemv_f32_bf16w(m, n, k, values, x->stride, (const void *)w, stride, y, y_stride);
        break;
    case OMMA_DTYPE_F16:
        kernels->gemv_f32_f16w(m, n, k, values, x->stride, (const void *)w, stride, y, y_stride);
        break;
    case OMMA_DTYPE_I8:
        kernels->gemv_f32_i8w(m, n, k, values, x->stride, (const int8_t *)w, stride, y, y_stride);
        break;
    }
}

/* Add the product of one group of columns, `partial`, to m rows of a strip, by the group's scales.
 */
static void add_group(const struct omma_kernels *kernels, size_t m, const struct omma_operand *x,
                      size_t first, const struct omma_weight_rows *rows, size_t column,
                      const union partial *partial, float *strip, size_t stride)
{
    const struct omma_matrix *w = rows->w;
    const float *scales = w->scales + column / w->group * w->scales_stride + rows->first;

    for (size_t i = 0; i < m; i++, strip += stride) {
        if (x->dtype == OMMA_DTYPE_I8) {
            kernels->dequantize_i32(rows->n, partial->i32[i], x->i8.scales[first + i], scales,
                                    strip, column > 0);
            continue;
        }
        if (column == 0) {
            memset(strip, 0, rows->n * sizeof *strip);
        }
        kernels->scale_add(rows->n, scales, partial->f32[i], strip);
    }
}

static void strip_by_gemv(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first,
                          const struct omma_weight_rows *rows, float *strip, size_t stride)
{
    const struct omma_kernels *kernels = &compute->kernels;
    const struct omma_matrix *w = rows->w;
    union partial partial;

    if (!omma_matrix_is_grouped(w)) {
        multiply_rows(kernels, m, x, first, rows, 0, w->n_columns, strip, stride);
        return;
    }
    for (size_t i = 0; i < rows->n; i += COLUMNS) {
        struct omma_weight_rows some = {w, rows->first + i, omma_min(COLUMNS, rows->n - i)};

        for (size_t column = 0; column < w->n_columns; column += w->group) {
            multiply_rows(kernels, m, x, first, &some, column, w->group, &partial, COLUMNS);
            add_group(kernels, m, x, first, &some, column, &partial, strip + i, stride);
        }
    }
}

/* A block of weights that is packed at a time: rows, and k columns from column on. */
struct block {
    struct omma_weight_rows rows;
    size_t column, k;
};

/* Columns of a block: a group of scales, or as many as a panel of PANEL_BYTES holds. */
static size_t block_columns(const struct omma_kernels *kernels, const struct omma_operand *x,
                            const struct omma_matrix *w)
{
    size_t columns = PANEL_BYTES / (COLUMNS * omma_dtype_bytes(x->dtype));

    if (omma_matrix_is_grouped(w)) {
        return w->group;
    }
    while (x->dtype == OMMA_DTYPE_I8 && kernels->panel_i8_bytes(columns) > PANEL_BYTES) {
        columns -= I8_STEP;
    }
    return columns;
}

/* The block that is packed after `block`: further on in K, or the first of the next rows. */
static struct block block_after(const struct block *block, const struct omma_weight_rows *next,
                                size_t columns)
{
    size_t column = block->column + block->k;

    if (column < block->rows.w->n_columns) {
        return (struct block){block->rows, column,
                              omma_min(columns, block->rows.w->n_columns - column)};
    }
    return (struct block){*next, 0, next->n > 0 ? omma_min(columns, next->w->n_columns) : 0};
}

/* Ask for one of n_parts parts of a block: it comes from memory while another is multiplied. */
static void prefetch_part(const struct block *block, size_t part, size_t n_parts)
{
    size_t element, row_lines, n_lines, line, end;

    if (block->rows.n == 0) {
        return;
    }
    element = omma_dtype_bytes(block->rows.w->dtype);
    row_lines = (block->k * element + CACHE_LINE - 1) / CACHE_LINE;
    n_lines = block->rows.n * row_lines;
    line = n_lines * part / n_parts;
    end = n_lines * (part + 1) / n_parts;
    while (line < end) {
        size_t row = line / row_lines, in_row = line % row_lines;
        size_t n = omma_min(row_lines - in_row, end - line);
        const char *at = omma_matrix_row(block->rows.w, block->rows.first + row);

        at += block->column * element + in_row * CACHE_LINE;
        for (size_t i = 0; i < n; i++) {
            __builtin_prefetch(at + i * CACHE_LINE, 0, 3);
        }
        line += n;
    }
}

/* Pack a block into a panel of the operands' type; bf16 operands go with bf16 weights alone. */
static void pack(const struct omma_kernels *kernels, enum omma_dtype dtype,
                 const struct block *block, void *panel)
{
    const struct omma_matrix *w = block->rows.w;
    const void *rows = omma_matrix_row(w, block->rows.first);
    size_t n = block->rows.n, k = block->k, stride = w->n_columns;

    if (w->dtype == OMMA_DTYPE_I8) {
        const int8_t *bytes = (const int8_t *)rows + block->column;

        if (dtype == OMMA_DTYPE_I8) {
            kernels->pack_rows_i8(n, k, bytes, stride, panel);
        } else if (dtype == OMMA_DTYPE_BF16) {
            kernels->pack_rows_bf16_i8(n, k, bytes, stride, panel);
        } else {
            kernels->pack_rows_f32_i8(n, k, bytes, stride, panel);
        }
        return;
    }
    if (dtype == OMMA_DTYPE_BF16) {
        kernels->pack_rows_bf16(n, k, (const uint16_t *)rows + block->column, stride, panel);
        return;
    }
    switch (w->dtype) {
    case OMMA_DTYPE_F32:
        kernels->pack_rows_f32_f32(n, k, (const float *)rows + block->column, stride, panel);
        break;
    case OMMA_DTYPE_BF16:
        kernels->pack_rows_f32_bf16(n, k, (const uint16_t *)rows + block->column, stride, panel);
        break;
    case OMMA_DTYPE_F16:
        kernels->pack_rows_f32_f16(n, k, (const uint16_t *)rows + block->column, stride, panel);
        break;
    case OMMA_DTYPE_I8: /* above */
        break;
    }
}

/* A panel times m rows of x from first on: y[m][32] = or +=. */
static void multiply_panel(const struct omma_kernels *kernels, size_t m,
                           const struct omma_operand *x, size_t first, const struct block *block,
                           const void *panel, void *y, bool accumulate)
{
    const void *a = omma_operand_at(x, first, block->column);
    size_t n = block->rows.n, k = block->k;

    if (x->dtype == OMMA_DTYPE_I8) {
        kernels->gemm_i8(m, n, k, a, x->stride, sums_of(x, first, block->rows.w, block->column, k),
                         panel, y, COLUMNS, accumulate);
    } else if (x->dtype == OMMA_DTYPE_BF16) {
        kernels->gemm_bf16(m, n, k, a, x->stride, panel, y, COLUMNS, accumulate);
    } else {
        kernels->gemm_f32(m, n, k, a, x->stride, panel, y, COLUMNS, accumulate);
    }
}

static void strip_by_gemm(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first,
                          const struct omma_weight_rows *rows, const struct omma_weight_rows *next,
                          void *panel, float *strip)
{
    const struct omma_kernels *kernels = &compute->kernels;
    size_t columns = block_columns(kernels, x, rows->w), n_slices = (m + SLICE - 1) / SLICE;
    bool is_grouped = omma_matrix_is_grouped(rows->w);
    struct block block = {*rows, 0, omma_min(columns, rows->w->n_columns)};
    bool is_last;

    do {
        struct block after = block_after(&block, next, columns);
        bool accumulate = block.column > 0;

        pack(kernels, x->dtype, &block, panel);
        for (size_t slice = 0; slice < n_slices; slice++) {
            size_t i = slice * SLICE, n = omma_min(SLICE, m - i);
            float *c = strip + i * COLUMNS;

            prefetch_part(&after, slice, n_slices);
            if (is_grouped) {
                union partial partial;

                multiply_panel(kernels, n, x, first + i, &block, panel, &partial, false);
                add_group(kernels, n, x, first + i, rows, block.column, &partial, c, COLUMNS);
            } else {
                multiply_panel(kernels, n, x, first + i, &block, panel, c, accumulate);
            }
        }
        is_last = after.column == 0;
        block = after;
    } while (!is_last);
}

/* x in the form that a weight reads. */
static struct omma_operand form_of(const struct omma_compute *compute, const struct omma_operand *x,
                                   const struct omma_matrix *w)
{
    struct omma_operand form = *x;

    if (omma_takes_i8(compute, w)) {
        form.data = x->i8.data;
        form.dtype = OMMA_DTYPE_I8;
        form.stride = x->i8.stride;
    }
    return form;
}

bool omma_strip_goes_by_pairs(const struct omma_compute *compute, size_t m,
                              const struct omma_matrix *w)
{
    return m > OMMA_GEMV_MAX_M && w->n_columns > LONG_K && !compute->use_blas &&
           !omma_matrix_is_grouped(w);
}

void omma_strip_compute_pair(const struct omma_compute *compute, size_t m,
                             const struct omma_operand *x, size_t first,
                             const struct omma_weight_pair *pair,
                             const struct omma_weight_pair *next, char *panels,
                             float *const strips[2])
{
    const struct omma_kernels *kernels = &compute->kernels;
    struct omma_operand form = form_of(compute, x, pair->rows[0].w);
    size_t columns = block_columns(kernels, &form, pair->rows[0].w) / 2 / I8_STEP * I8_STEP;
    size_t n_columns = pair->rows[0].w->n_columns, n_slices = (m + SLICE - 1) / SLICE;
    int n = pair->rows[1].n > 0 ? 2 : 1;

    for (size_t column = 0; column < n_columns; column += columns) {
        struct block blocks[2], after[2];

        for (int i = 0; i < n; i++) {
            blocks[i] =
                (struct block){pair->rows[i], column, omma_min(columns, n_columns - column)};
            after[i] = block_after(&blocks[i], &next->rows[i], columns);
            pack(kernels, form.dtype, &blocks[i], panels + i * (PANEL_BYTES / 2));
        }
        for (size_t slice = 0; slice < n_slices; slice++) {
            size_t row = slice * SLICE;

            for (int i = 0; i < n; i++) {
                prefetch_part(&after[i], slice, n_slices);
                multiply_panel(kernels, omma_min(SLICE, m - row), &form, first + row, &blocks[i],
                               panels + i * (PANEL_BYTES / 2), strips[i] + row * COLUMNS,
                               column > 0);
            }
        }
    }
}

static void strip_by_blas(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first,
                          const struct omma_weight_rows *rows, float *panel, float *strip)
{
    const struct omma_matrix *w = rows->w;
    size_t columns = block_columns(&compute->kernels, x, w);

    for (size_t column = 0; column < w->n_columns; column += columns) {
        size_t k = omma_min(columns, w->n_columns - column);
        const float *a = omma_operand_at(x, first, column);

        if (w->dtype == OMMA_DTYPE_F32) {
            const float *values = omma_matrix_row(w, rows->first);

            omma_matmul_blas(m, rows->n, k, a, x->stride, values + column, w->n_columns, strip,
                             COLUMNS, column > 0);
        } else {
            widen(&compute->kernels, w, rows->first, rows->n, column, k, panel);
            omma_matmul_blas(m, rows->n, k, a, x->stride, panel, k, strip, COLUMNS, column > 0);
        }
    }
}

void omma_strip_compute(const struct omma_compute *compute, size_t m, const struct omma_operand *x,
                        size_t first, const struct omma_weight_rows *rows,
                        const struct omma_weight_rows *next, void *panel, float *strip,
                        size_t stride)
{
    struct omma_operand form = form_of(compute, x, rows->w);

    if (compute->use_blas && rows->w->scales == NULL) {
        strip_by_blas(compute, m, &form, first, rows, panel, strip);
    } else if (!omma_goes_as_many(compute, m, OMMA_GEMV_MAX_M)) {
        strip_by_gemv(compute, m, &form, first, rows, strip, stride);
    } else {
        strip_by_gemm(compute, m, &form, first, rows, next, panel, strip);
    }
}
