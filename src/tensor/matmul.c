/*
 * A product is computed in strips of scratch [m][rows of W] (matmul_strip.h), which go through the
 * output's epilogue while they are in cache.
 */
#include "tensor/matmul.h"

#include <string.h>

#include "tensor/matmul_strip.h"

enum {
    COLUMNS = OMMA_PANEL_COLUMNS,
    CACHE_LINE = 64,
    ROWS_AHEAD = 16, /* that the rows of a residual are asked for */
    /* of weights while others are waited for: they stay in L2 */
    MOST_AHEAD_BYTES = 256 * 1024,
    MOST_AHEAD_M = 4,
};

/* scaled = a row y of a strip, of row `row` of x, times the scales of int8 weights that have one a
 * row; scaled may be y. */
static void scale_row(const struct omma_compute *compute, const struct omma_operand *x, size_t row,
                      const struct omma_weight_rows *rows, const float *y, float *scaled)
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
                         size_t first, const struct omma_weight_rows *rows, const float *bias,
                         float *strip, size_t stride, const struct omma_output *output)
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
static struct omma_weight_pair pair_from(const struct omma_matrix *w, size_t first, size_t end)
{
    struct omma_weight_pair pair = {.rows = {omma_weight_rows_from(w, first, end, COLUMNS)}};

    pair.rows[1] = omma_weight_rows_from(w, first + pair.rows[0].n, end, COLUMNS);
    return pair;
}

/* The rows own of one product, by pairs; behind: the rows of the product that follows. */
static void multiply_pairs(const struct omma_compute *compute, size_t m,
                           const struct omma_operand *x, size_t first,
                           const struct omma_product *product, struct omma_range own,
                           const struct omma_weight_rows *behind,
                           const struct omma_strip_scratch *scratch)
{
    const struct omma_linear *linear = product->linear;
    struct omma_weight_pair pair = pair_from(&linear->weight, own.begin, own.end), next;

    for (; pair.rows[0].n > 0; pair = next) {
        size_t end = pair.rows[0].first + pair.rows[0].n + pair.rows[1].n;
        struct omma_weight_pair after = {.rows = {*behind}};

        next = pair_from(&linear->weight, end, own.end);
        omma_strip_compute_pair(compute, m, x, first, &pair, next.rows[0].n > 0 ? &next : &after,
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
    struct omma_strip_scratch scratch = omma_strip_scratch_of(self);
    struct omma_range range;
    size_t n_panels = 0;

    for (size_t i = 0; i < n; i++) {
        n_panels += count_panels(&products[i].linear->weight);
    }
    range = omma_team_range(self, n_panels);
    for (size_t first = 0; first < m; first += omma_strip_most_rows(compute)) {
        size_t m_here = omma_min(omma_strip_most_rows(compute), m - first), before = 0;
        struct omma_strip_shape shape = omma_strip_shape_of(compute, m_here);

        for (size_t i = 0; i < n; i++) {
            const struct omma_linear *linear = products[i].linear;
            const struct omma_matrix *w = &linear->weight;
            struct omma_range own = omma_range_within(range, before, count_panels(w));
            struct omma_weight_rows behind = {0}, next;

            before += count_panels(w);
            if (i + 1 < n && range.end > before) {
                behind =
                    omma_weight_rows_from(&products[i + 1].linear->weight, 0, COLUMNS, shape.n);
            }
            own = rows_of_panels(w, own);
            if (omma_strip_goes_by_pairs(compute, m_here, w)) {
                multiply_pairs(compute, m_here, x, first, &products[i], own, &behind, &scratch);
                continue;
            }
            for (struct omma_weight_rows rows =
                     omma_weight_rows_from(w, own.begin, own.end, shape.n);
                 rows.n > 0; rows = next) {
                next = omma_weight_rows_from(w, rows.first + rows.n, own.end, shape.n);
                omma_strip_compute(compute, m_here, x, first, &rows, next.n > 0 ? &next : &behind,
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
    struct omma_strip_scratch scratch = omma_strip_scratch_of(self);
    struct omma_range own =
        rows_of_panels(&gate->weight, omma_team_range(self, count_panels(&gate->weight)));

    for (size_t first = 0; first < m; first += omma_strip_most_rows(compute)) {
        size_t m_here = omma_min(omma_strip_most_rows(compute), m - first);
        struct omma_strip_shape shape = omma_strip_shape_of(compute, m_here);
        struct omma_weight_rows rows = omma_weight_rows_from(&gate->weight, own.begin, own.end,
                                                             shape.n),
                                next;

        for (; rows.n > 0; rows = next) {
            struct omma_weight_rows up_rows =
                omma_weight_rows_from(&up->weight, rows.first, rows.first + rows.n, rows.n);

            rows.n = up_rows.n;
            next = omma_weight_rows_from(&gate->weight, rows.first + rows.n, own.end, shape.n);
            if (omma_strip_goes_by_pairs(compute, m_here, rows.w)) {
                struct omma_weight_pair pair = {.rows = {rows, up_rows}};
                struct omma_weight_pair after = {.rows = {next, next}};

                after.rows[1].w = &up->weight;
                omma_strip_compute_pair(compute, m_here, x, first, &pair, &after, scratch.panel,
                                        scratch.strips);
            } else {
                omma_strip_compute(compute, m_here, x, first, &rows, &up_rows, scratch.panel,
                                   scratch.strips[0], shape.stride);
                omma_strip_compute(compute, m_here, x, first, &up_rows, &next, scratch.panel,
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
static struct omma_weight_rows first_rows(struct omma_thread *self,
                                          const struct omma_linear *const *linears, size_t n,
                                          size_t most)
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
            return omma_weight_rows_from(w, own.begin, own.end, most);
        }
    }
    return (struct omma_weight_rows){0};
}

void omma_matmul_barrier(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                         const struct omma_linear *const *linears, size_t n)
{
    struct omma_weight_rows rows = first_rows(self, linears, n, omma_strip_shape_of(compute, m).n);
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
