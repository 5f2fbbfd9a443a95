/*
 * A product is computed in strips of scratch [m][rows of W], which go through the output's epilogue
 * while they are in cache.
 *
 *   GEMV   m <= 8: up to WIDE rows of W as they lie
 *   GEMM   32 rows of W x KC packed into a panel that stays in L2; all rows of x swept over it; K
 * in blocks of KC, later ones added to the strip BLAS   the same blocks widened to f32, multiplied
 * by OpenBLAS
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
};

static_assert(OMMA_GEMV_MAX_M * WIDE_STRIDE * 4 <= STRIP_BYTES, "a strip holds those of a GEMV");

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
    return m <= OMMA_GEMV_MAX_M && !compute->use_blas ? (struct shape){WIDE, WIDE_STRIDE}
                                                      : (struct shape){COLUMNS, COLUMNS};
}

static void strip_by_gemv(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          float *strip)
{
    const struct omma_kernels *kernels = &compute->kernels;
    const void *values = omma_operand_at(x, first, 0);
    const void *w = omma_matrix_row(rows->w, rows->first);
    size_t n = rows->n, k = rows->w->n_columns;

    if (x->dtype == OMMA_DTYPE_BF16) {
        kernels->gemv_bf16_bf16w(m, n, k, values, x->stride, w, k, strip, WIDE_STRIDE);
        return;
    }
    switch (rows->w->dtype) {
    case OMMA_DTYPE_F32:
        kernels->gemv_f32_f32w(m, n, k, values, x->stride, w, k, strip, WIDE_STRIDE);
        break;
    case OMMA_DTYPE_BF16:
        kernels->gemv_f32_bf16w(m, n, k, values, x->stride, w, k, strip, WIDE_STRIDE);
        break;
    case OMMA_DTYPE_F16:
        kernels->gemv_f32_f16w(m, n, k, values, x->stride, w, k, strip, WIDE_STRIDE);
        break;
    }
}

/* A block of weights that is packed at a time: rows, and k columns from column on. */
struct block {
    struct rows rows;
    size_t column, k;
};

/* Columns of a block, so that its panel takes PANEL_BYTES. */
static size_t block_columns(const struct omma_operand *x)
{
    return PANEL_BYTES / (COLUMNS * omma_dtype_bytes(x->dtype));
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
    size_t n = block->rows.n;

    for (size_t i = n * part / n_parts; i < n * (part + 1) / n_parts; i++) {
        size_t element = omma_dtype_bytes(block->rows.w->dtype);
        const char *row = omma_matrix_row(block->rows.w, block->rows.first + i);

        row += block->column * element;
        for (size_t byte = 0; byte < block->k * element; byte += CACHE_LINE) {
            __builtin_prefetch(row + byte, 0, 3);
        }
    }
}

/* Pack a block into a panel of the operands' type; bf16 operands go with bf16 weights alone. */
static void pack(const struct omma_kernels *kernels, enum omma_dtype dtype,
                 const struct block *block, void *panel)
{
    const struct omma_matrix *w = block->rows.w;
    const void *rows = omma_matrix_row(w, block->rows.first);
    size_t n = block->rows.n, k = block->k, stride = w->n_columns;

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
    }
}

static void strip_by_gemm(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          const struct rows *next, void *panel, float *strip)
{
    const struct omma_kernels *kernels = &compute->kernels;
    size_t columns = block_columns(x), n_slices = (m + SLICE - 1) / SLICE;
    struct block block = {*rows, 0, omma_min(columns, rows->w->n_columns)};
    bool is_last;

    do {
        struct block after = block_after(&block, next, columns);
        bool accumulate = block.column > 0;

        pack(kernels, x->dtype, &block, panel);
        for (size_t slice = 0; slice < n_slices; slice++) {
            size_t i = slice * SLICE, n = omma_min(SLICE, m - i);
            const void *a = omma_operand_at(x, first + i, block.column);
            float *c = strip + i * COLUMNS;

            prefetch_part(&after, slice, n_slices);
            if (x->dtype == OMMA_DTYPE_BF16) {
                kernels->gemm_bf16(n, rows->n, block.k, a, x->stride, panel, c, COLUMNS,
                                   accumulate);
            } else {
                kernels->gemm_f32(n, rows->n, block.k, a, x->stride, panel, c, COLUMNS, accumulate);
            }
        }
        is_last = after.column == 0;
        block = after;
    } while (!is_last);
}

static void strip_by_blas(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          float *panel, float *strip)
{
    const struct omma_matrix *w = rows->w;
    size_t columns = block_columns(x);

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

/* strip[m][32] = rows of x from first on, times rows of W; next: those that come after. */
static void compute_strip(const struct omma_compute *compute, size_t m,
                          const struct omma_operand *x, size_t first, const struct rows *rows,
                          const struct rows *next, void *panel, float *strip)
{
    if (compute->use_blas) {
        strip_by_blas(compute, m, x, first, rows, panel, strip);
    } else if (m <= OMMA_GEMV_MAX_M) {
        strip_by_gemv(compute, m, x, first, rows, strip);
    } else {
        strip_by_gemm(compute, m, x, first, rows, next, panel, strip);
    }
}

/* Hand a strip [m][n] of y, rows from first on, columns those of rows, to its output.  The strip is
 * used as a workspace. */
static void finish_strip(const struct omma_compute *compute, size_t m, size_t first,
                         const struct rows *rows, const float *bias, float *strip, size_t stride,
                         const struct omma_output *output)
{
    const struct omma_kernels *kernels = &compute->kernels;
    size_t n = rows->n, column = rows->first;

    for (size_t i = 0; i < m; i++) {
        float *y = strip + i * stride;

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
    for (size_t first = 0; first < m; first += MAX_M) {
        size_t m_here = omma_min(MAX_M, m - first), before = 0;
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
            for (struct rows rows = rows_from(w, own.begin, own.end, shape.n); rows.n > 0;
                 rows = next) {
                next = rows_from(w, rows.first + rows.n, own.end, shape.n);
                compute_strip(compute, m_here, x, first, &rows, next.n > 0 ? &next : &behind,
                              scratch.panel, scratch.strips[0]);
                finish_strip(compute, m_here, first, &rows, linear->bias, scratch.strips[0],
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

    for (size_t first = 0; first < m; first += MAX_M) {
        size_t m_here = omma_min(MAX_M, m - first);
        struct shape shape = strip_shape(compute, m_here);
        struct rows rows = rows_from(&gate->weight, own.begin, own.end, shape.n), next;

        for (; rows.n > 0; rows = next) {
            struct rows up_rows = rows_from(&up->weight, rows.first, rows.first + rows.n, rows.n);

            rows.n = up_rows.n;
            next = rows_from(&gate->weight, rows.first + rows.n, own.end, shape.n);
            compute_strip(compute, m_here, x, first, &rows, &up_rows, scratch.panel,
                          scratch.strips[0]);
            compute_strip(compute, m_here, x, first, &up_rows, &next, scratch.panel,
                          scratch.strips[1]);
            for (size_t i = 0; i < m_here; i++) {
                float *y = scratch.strips[0] + i * shape.stride;

                compute->kernels.silu_mul(rows.n, y, scratch.strips[1] + i * shape.stride, y);
                omma_operand_store(compute, output, first + i, rows.first, y, rows.n);
            }
        }
    }
}
