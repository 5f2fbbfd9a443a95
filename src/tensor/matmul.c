/*
 * A product is computed in strips of scratch [m][rows of W], which go through the output's epilogue
 * while they are in cache.
 *
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
#include "tensor/matmul.h"

#include <assert.h>
#include <string.h>

#include "base/checked.h"
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
    I8_STEP = 128,   /* columns of an int8 block are a multiple */
    LONG_K = 8192,   /* columns from which two panels are multiplied at a time */
    ROWS_AHEAD = 16, /* that the rows of a residual are asked for */
    /* of weights while others are waited for: they stay in L2 */
    MOST_AHEAD_BYTES = 256 * 1024,
    MOST_AHEAD_M = 4,
};

static_assert(OMMA_GEMV_MAX_M * WIDE_STRIDE * 4 <= STRIP_BYTES, "a strip holds those of a GEMV");

struct scratch {
    char *panel;
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

/* Rows of a weight that lie together; n 0: none. */
struct rows {
    const struct omma_matrix *w;
    size_t first, n;
};

/* Those from first on, below end, at most n. */
static struct rows rows_from(const struct omma_matrix *w, size_t first, size_t end, size_t n)
{
    return (struct rows){w, first, first < end ? omma_min(n, omma_matrix_run(w, first, end)) : 0};
}

/* What a thread computes at a time: rows of W, and how far rows of the strip lie apart. */
struct shape {
    size_t n, stride;
};

static struct shape strip_shape(const struct omma_compute *compute, size_t m)
{
    return !omma_goes_as_many(compute, m, OMMA_GEMV_MAX_M) && !compute->use_blas
               ? (struct shape){WIDE, WIDE_STRIDE}
               : (struct shape){COLUMNS, COLUMNS};
}

/* Rows of x that are multiplied together. */
static size_t most_rows(const struct omma_compute *compute)
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
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          size_t column, size_t k, void *y, size_t y_stride)
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
                      size_t first, const struct rows *rows, size_t column,
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
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          float *strip, size_t stride)
{
    const struct omma_kernels *kernels = &compute->kernels;
    const struct omma_matrix *w = rows->w;
    union partial partial;

    if (!omma_matrix_is_grouped(w)) {
        multiply_rows(kernels, m, x, first, rows, 0, w->n_columns, strip, stride);
        return;
    }
    for (size_t i = 0; i < rows->n; i += COLUMNS) {
        struct rows some = {w, rows->first + i, omma_min(COLUMNS, rows->n - i)};

        for (size_t column = 0; column < w->n_columns; column += w->group) {
            multiply_rows(kernels, m, x, first, &some, column, w->group, &partial, COLUMNS);
            add_group(kernels, m, x, first, &some, column, &partial, strip + i, stride);
        }
    }
}

/* A block of weights that is packed at a time: rows, and k columns from column on. */
struct block {
    struct rows rows;
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
static struct block block_after(const struct block *block, const struct rows *next, size_t columns)
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
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          const struct rows *next, void *panel, float *strip)
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

/* Two lots of rows of W that meet the same rows of x; the second may be none. */
struct pair {
    struct rows rows[2];
};

/* Products with long rows go by pairs: their x is read from L3 otherwise, for every panel. */
static bool goes_by_pairs(const struct omma_compute *compute, size_t m, const struct omma_matrix *w)
{
    return m > OMMA_GEMV_MAX_M && w->n_columns > LONG_K && !compute->use_blas &&
           !omma_matrix_is_grouped(w);
}

/* strips[i][m][32] = rows of x from first on, times pair->rows[i]; next: those that come after. */
static void compute_pair(const struct omma_compute *compute, size_t m, const struct omma_operand *x,
                         size_t first, const struct pair *pair, const struct pair *next,
                         char *panels, float *const strips[2])
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
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          float *panel, float *strip)
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

/* strip[m][32] = rows of x from first on, times rows of W; next: those that come after.  Of int8
 * weights the products of int8 values, to be multiplied by scales, if these have no groups. */
static void compute_strip(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          const struct rows *next, void *panel, float *strip, size_t stride)
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

/* scaled = a row y of a strip, of row `row` of x, times the scales of int8 weights that have one a
 * row; scaled may be y. */
static void scale_row(const struct omma_compute *compute, const struct omma_operand *x, size_t row,
                      const struct rows *rows, const float *y, float *scaled)
{
    const struct omma_matrix *w = rows->w;

    if (w->scales == NULL || omma_matrix_is_grouped(w)) {
        if (scaled != y) {
            memcpy(scaled, y, rows->n * sizeof *y);
        }
        return;
    }
    if (omma_takes_i8(compute, w)) {
        compute->kernels.dequantize_i32(rows->n, (const int32_t *)(const void *)y,
                                        x->i8.scales[row], w->scales + rows->first, scaled, false);
        return;
    }
    for (size_t j = 0; j < rows->n; j++) {
        scaled[j] = y[j] * w->scales[rows->first + j];
    }
}

/* Add m rows of a strip [m][n] to what an output points at, from (row, column) on.  Those rows lie
 * far apart, and mostly in no cache, so they are asked for ahead; what the loop needs is held in
 * registers, as a load at the place in its page of a store before it waits for that. */
static void add_strip(const struct omma_kernels *kernels, size_t m, size_t n, size_t row,
                      size_t column, const float *strip, size_t strip_stride,
                      const struct omma_output *output)
{
    const float *scale = output->scale != NULL ? output->scale + column : NULL;
    size_t stride = output->f32_stride;
    float *residual = output->f32 + row * stride + column;
    omma_scale_add_fn scale_add = kernels->scale_add;
    omma_add_fn add = kernels->add;

    for (size_t i = 0; i < m; i++, strip += strip_stride, residual += stride) {
        if (i + ROWS_AHEAD < m) {
            __builtin_prefetch(residual + ROWS_AHEAD * stride, 1, 3);
            __builtin_prefetch(residual + ROWS_AHEAD * stride + n - 1, 1, 3);
        }
        if (scale != NULL) {
            scale_add(n, scale, strip, residual);
        } else {
            add(n, strip, residual);
        }
    }
}

/* Hand a strip [m][n] of y, rows from first on, columns those of rows, to its output.  The strip is
 * used as a workspace. */
static void finish_strip(const struct omma_compute *compute, size_t m, const struct omma_operand *x,
                         size_t first, const struct rows *rows, const float *bias, float *strip,
                         size_t stride, const struct omma_output *output)
{
    const struct omma_kernels *kernels = &compute->kernels;
    size_t n = rows->n, column = rows->first;
    bool is_raw = bias != NULL || rows->w->scales != NULL; /* not y yet */

    for (size_t i = 0; i < m && (is_raw || output->kind != OMMA_OUTPUT_RESIDUAL); i++) {
        float *y = strip + i * stride;

        if (output->kind == OMMA_OUTPUT_STORE) { /* y itself is there */
            y = output->f32 + (first + i) * output->f32_stride + column;
        }
        scale_row(compute, x, first + i, rows, strip + i * stride, y);
        if (bias != NULL) {
            kernels->add(n, bias + column, y);
        }
        if (output->kind == OMMA_OUTPUT_GELU) {
            kernels->gelu(n, y, y);
        }
        if (output->kind == OMMA_OUTPUT_OPERAND || output->kind == OMMA_OUTPUT_GELU) {
            omma_operand_store(compute, &output->operand, first + i, column, y, n);
        }
    }
    if (output->kind == OMMA_OUTPUT_RESIDUAL) {
        add_strip(kernels, m, n, first, column, strip, stride, output);
    }
}

/* Panels of a weight, the last one not always full. */
static size_t count_panels(const struct omma_matrix *w)
{
    return (w->n_rows + COLUMNS - 1) / COLUMNS;
}

static struct omma_range rows_of_panels(const struct omma_matrix *w, struct omma_range panels)
{
    return (struct omma_range){omma_min(panels.begin * COLUMNS, w->n_rows),
                               omma_min(panels.end * COLUMNS, w->n_rows)};
}

/* Two panels of W from first on, below end. */
static struct pair pair_from(const struct omma_matrix *w, size_t first, size_t end)
{
    struct pair pair = {.rows = {rows_from(w, first, end, COLUMNS)}};

    pair.rows[1] = rows_from(w, first + pair.rows[0].n, end, COLUMNS);
    return pair;
}

/* The rows own of one product, by pairs; behind: the rows of the product that follows. */
static void multiply_pairs(const struct omma_compute *compute, size_t m,
                           const struct omma_operand *x, size_t first,
                           const struct omma_product *product, struct omma_range own,
                           const struct rows *behind, const struct scratch *scratch)
{
    const struct omma_linear *linear = product->linear;
    struct pair pair = pair_from(&linear->weight, own.begin, own.end), next;

    for (; pair.rows[0].n > 0; pair = next) {
        size_t end = pair.rows[0].first + pair.rows[0].n + pair.rows[1].n;
        struct pair after = {.rows = {*behind}};

        next = pair_from(&linear->weight, end, own.end);
        compute_pair(compute, m, x, first, &pair, next.rows[0].n > 0 ? &next : &after,
                     scratch->panel, scratch->strips);
        for (int i = 0; i < 2 && pair.rows[i].n > 0; i++) {
            finish_strip(compute, m, x, first, &pair.rows[i], linear->bias, scratch->strips[i],
                         COLUMNS, &product->output);
        }
    }
}

void omma_matmul_several(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                         const struct omma_operand *x, const struct omma_product *products,
                         size_t n)
{
    struct scratch scratch = carve(self);
    struct omma_range range;
    size_t n_panels = 0;

    for (size_t i = 0; i < n; i++) {
        n_panels += count_panels(&products[i].linear->weight);
    }
    range = omma_team_range(self, n_panels);
    for (size_t first = 0; first < m; first += most_rows(compute)) {
        size_t m_here = omma_min(most_rows(compute), m - first), before = 0;
        struct shape shape = strip_shape(compute, m_here);

        for (size_t i = 0; i < n; i++) {
            const struct omma_linear *linear = products[i].linear;
            const struct omma_matrix *w = &linear->weight;
            struct omma_range own = omma_range_within(range, before, count_panels(w));
            struct rows behind = {0}, next;

            before += count_panels(w);
            if (i + 1 < n && range.end > before) {
                behind = rows_from(&products[i + 1].linear->weight, 0, COLUMNS, shape.n);
            }
            own = rows_of_panels(w, own);
            if (goes_by_pairs(compute, m_here, w)) {
                multiply_pairs(compute, m_here, x, first, &products[i], own, &behind, &scratch);
                continue;
            }
            for (struct rows rows = rows_from(w, own.begin, own.end, shape.n); rows.n > 0;
                 rows = next) {
                next = rows_from(w, rows.first + rows.n, own.end, shape.n);
                compute_strip(compute, m_here, x, first, &rows, next.n > 0 ? &next : &behind,
                              scratch.panel, scratch.strips[0], shape.stride);
                finish_strip(compute, m_here, x, first, &rows, linear->bias, scratch.strips[0],
                             shape.stride, &products[i].output);
            }
        }
    }
}

void omma_matmul(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                 const struct omma_operand *x, const struct omma_linear *linear,
                 const struct omma_output *output)
{
    struct omma_product product = {linear, *output};

    omma_matmul_several(self, compute, m, x, &product, 1);
}

void omma_matmul_gated(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                       const struct omma_operand *x, const struct omma_linear *gate,
                       const struct omma_linear *up, const struct omma_operand *output)
{
    struct scratch scratch = carve(self);
    struct omma_range own =
        rows_of_panels(&gate->weight, omma_team_range(self, count_panels(&gate->weight)));

    for (size_t first = 0; first < m; first += most_rows(compute)) {
        size_t m_here = omma_min(most_rows(compute), m - first);
        struct shape shape = strip_shape(compute, m_here);
        struct rows rows = rows_from(&gate->weight, own.begin, own.end, shape.n), next;

        for (; rows.n > 0; rows = next) {
            struct rows up_rows = rows_from(&up->weight, rows.first, rows.first + rows.n, rows.n);

            rows.n = up_rows.n;
            next = rows_from(&gate->weight, rows.first + rows.n, own.end, shape.n);
            if (goes_by_pairs(compute, m_here, rows.w)) {
                struct pair pair = {.rows = {rows, up_rows}};
                struct pair after = {.rows = {next, next}};

                after.rows[1].w = &up->weight;
                compute_pair(compute, m_here, x, first, &pair, &after, scratch.panel,
                             scratch.strips);
            } else {
                compute_strip(compute, m_here, x, first, &rows, &up_rows, scratch.panel,
                              scratch.strips[0], shape.stride);
                compute_strip(compute, m_here, x, first, &up_rows, &next, scratch.panel,
                              scratch.strips[1], shape.stride);
            }
            for (size_t i = 0; i < m_here; i++) {
                float *y = scratch.strips[0] + i * shape.stride;
                float *up_y = scratch.strips[1] + i * shape.stride;

                scale_row(compute, x, first + i, &rows, y, y);
                scale_row(compute, x, first + i, &up_rows, up_y, up_y);
                compute->kernels.silu_mul(rows.n, y, up_y, y);
                omma_operand_store(compute, output, first + i, rows.first, y, rows.n);
            }
        }
    }
}

/* The beginnings of rows of W that a GEMV reads in streams, and how much of them was asked for. */
struct ahead {
    const char *rows;
    size_t stream_bytes; /* from one to the next */
    size_t offset, n_bytes;
};

static bool ask_ahead(void *argument)
{
    struct ahead *ahead = argument;

    if (ahead->offset >= ahead->n_bytes) {
        return false;
    }
    for (size_t i = 0; i < OMMA_GEMV_STREAMS; i++) {
        __builtin_prefetch(ahead->rows + i * ahead->stream_bytes + ahead->offset, 0, 2);
    }
    ahead->offset += CACHE_LINE;
    return true;
}

/* The rows of n linears that this thread multiplies first. */
static struct rows first_rows(struct omma_thread *self, const struct omma_linear *const *linears,
                              size_t n, size_t most)
{
    struct omma_range range, own;
    size_t n_panels = 0, before = 0;

    for (size_t i = 0; i < n; i++) {
        n_panels += count_panels(&linears[i]->weight);
    }
    range = omma_team_range(self, n_panels);
    for (size_t i = 0; i < n; i++) {
        const struct omma_matrix *w = &linears[i]->weight;

        own = rows_of_panels(w, omma_range_within(range, before, count_panels(w)));
        before += count_panels(w);
        if (own.end > own.begin) {
            return rows_from(w, own.begin, own.end, most);
        }
    }
    return (struct rows){0};
}

void omma_matmul_barrier(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                         const struct omma_linear *const *linears, size_t n)
{
    struct rows rows = first_rows(self, linears, n, strip_shape(compute, m).n);
    size_t row_bytes, apart = rows.n / OMMA_GEMV_STREAMS;
    struct ahead ahead = {0};

    if (m <= MOST_AHEAD_M && apart > 0) {
        row_bytes = rows.w->n_columns * omma_dtype_bytes(rows.w->dtype);
        ahead.rows = omma_matrix_row(rows.w, rows.first);
        ahead.stream_bytes = apart * row_bytes;
        ahead.n_bytes = omma_min(MOST_AHEAD_BYTES, rows.n * row_bytes) / OMMA_GEMV_STREAMS;
    }
    omma_team_barrier_idle(self, ask_ahead, &ahead);
}
