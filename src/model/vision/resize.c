/*
 * Pillow's two-pass resampling of 8-bit RGB.
 *
 * Along an axis of n source and m target pixels, target pixel x weighs the source pixels around
 * (x + 0.5) n / m; the filter is stretched by max(n / m, 1).  Weights are computed in double,
 * divided by their sum, and rounded to 22 fractional bits; what the kernels resize_rows and
 * resize_columns make of them is exact.  Their sums fit: the absolute weights of either filter add
 * up to less than 2.
 *
 * Each pass is rounded, so their order shows in the pixels.  Pillow 13.0 goes down the columns
 * first where that saves work, by the rule in columns_first(); versions before it had other rules.
 *
 * A part of the target is made strip by strip: columns whose weights are held at a time, so that a
 * row of 10^8 pixels takes no more memory for them than any other.  Within a strip both passes go
 * down together: between them lies a ring of rows, or a few rows, that stay in cache.
 */
#include "model/vision/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum {
    WEIGHTS_OF_STRIP = 1 << 17, /* weights held at a time, unless one output needs more */
    BATCH = 8,                  /* rows that go through resize_rows together */
};

static double bicubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0) {
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    }
    if (x < 2.0) {
        return (((x - 5) * x + 8) * x - 4) * a;
    }
    return 0.0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* One axis: how targets weigh sources. */
struct axis {
    size_t n_sources, n_targets;
    double (*filter)(double x);
    double scale;        /* sources a target */
    double filter_scale; /* max(scale, 1) */
    double support;      /* sources on either side of a target's centre that may weigh */
    size_t max_taps;     /* most sources that one target weighs, to a multiple of a step */
    double *exact;       /* [max_taps], of the target at hand */
};

static enum omma_status axis_init(struct axis *axis, size_t n_sources, size_t n_targets,
                                  enum omma_resize_filter filter, struct omma_error *error)
{
    axis->n_sources = n_sources;
    axis->n_targets = n_targets;
    axis->filter = filter == OMMA_RESIZE_BICUBIC ? bicubic : bilinear;
    axis->scale =
        (double)(float)n_sources / (double)n_targets; /* Pillow hands sizes on as floats */
    axis->filter_scale = axis->scale < 1.0 ? 1.0 : axis->scale;
    axis->support = (filter == OMMA_RESIZE_BICUBIC ? 2.0 : 1.0) * axis->filter_scale;
    axis->max_taps = omma_round_up((size_t)ceil(axis->support) * 2 + 1, OMMA_RESIZE_STEP);
    axis->exact = malloc(axis->max_taps * sizeof *axis->exact);
    if (axis->exact == NULL) {
        return omma_fail_memory(error, axis->max_taps * sizeof *axis->exact, "weights of resizing");
    }
    return OMMA_OK;
}

/* The taps of a target, and their fixed-point weights, filled up with zeros to a multiple of
 * OMMA_RESIZE_STEP. */
static struct omma_taps axis_weigh(struct axis *axis, size_t target, int32_t *weights)
{
    double centre = ((double)target + 0.5) * axis->scale, sum = 0.0;
    double inverse = 1.0 / axis->filter_scale;
    int64_t first = (int64_t)(centre - axis->support + 0.5);
    int64_t end = (int64_t)(centre + axis->support + 0.5);
    struct omma_taps taps;

    first = first < 0 ? 0 : first;
    end = end > (int64_t)axis->n_sources ? (int64_t)axis->n_sources : end;
    taps.first = (uint32_t)first;
    taps.n = (uint32_t)(end - first);
    for (size_t k = 0; k < taps.n; k++) {
        axis->exact[k] = axis->filter(((double)(k + taps.first) - centre + 0.5) * inverse);
        sum += axis->exact[k];
    }
    for (size_t k = 0; k < taps.n; k++) {
        double weight = sum != 0.0 ? axis->exact[k] / sum : axis->exact[k];

        weight *= 1 << OMMA_RESIZE_WEIGHT_BITS;
        weights[k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    for (size_t k = taps.n; k % OMMA_RESIZE_STEP != 0; k++) {
        weights[k] = 0;
    }
    return taps;
}

/* ---- a strip ----------------------------------------------------------------------------------
 */

/* What all strips share, and the memory of one. */
struct job {
    const struct omma_kernels *kernels;
    const struct omma_raster *source;
    struct axis rows, columns; /* along the rows, down the columns */
    size_t top, height;        /* of the part */
    size_t max_strip;          /* columns of a strip */
    struct omma_taps *taps;    /* [max_strip], relative to first_source */
    int32_t *weights;          /* [max_strip][rows.max_taps] */
    int32_t *column_weights;   /* [columns.max_taps] */
    const uint8_t **pointers;  /* [columns.max_taps]: the rows that a target row weighs */
};

/* Columns of the part, and of the source those that weigh in them. */
struct strip {
    size_t first, n;
    size_t first_source, n_sources;
    uint8_t *target; /* [job.height][n][3], target_stride bytes apart */
    size_t target_stride;
};

static enum omma_status job_init(struct job *job, const struct omma_kernels *kernels,
                                 const struct omma_raster *source, enum omma_resize_filter filter,
                                 const struct omma_resize_part *part,
                                 const struct omma_raster *target, struct omma_error *error)
{
    struct axis *rows = &job->rows, *columns = &job->columns;
    size_t n_weights;

    OMMA_TRY(axis_init(rows, source->width, part->width, filter, error));
    OMMA_TRY(axis_init(columns, source->height, part->height, filter, error));
    job->kernels = kernels;
    job->source = source;
    job->top = part->top;
    job->height = target->height;
    job->max_strip = omma_max(1, omma_min(target->width, WEIGHTS_OF_STRIP / rows->max_taps));
    n_weights = job->max_strip * rows->max_taps;
    job->taps = malloc(job->max_strip * sizeof *job->taps);
    job->weights = malloc(n_weights * sizeof *job->weights);
    job->column_weights = malloc(columns->max_taps * sizeof *job->column_weights);
    job->pointers = malloc(columns->max_taps * sizeof *job->pointers);
    if (job->taps == NULL || job->weights == NULL || job->column_weights == NULL ||
        job->pointers == NULL) {
        return omma_fail_memory(error, (n_weights + columns->max_taps) * sizeof *job->weights,
                                "weights of resizing");
    }
    return OMMA_OK;
}

static void job_fini(struct job *job)
{
    free(job->pointers);
    free(job->column_weights);
    free(job->weights);
    free(job->taps);
    free(job->columns.exact);
    free(job->rows.exact);
}

/* Weights of the strip's columns, and what of the source they weigh. */
static void weigh_strip(struct job *job, struct strip *strip)
{
    size_t first = SIZE_MAX, end = 0;

    for (size_t i = 0; i < strip->n; i++) {
        struct omma_taps *taps = &job->taps[i];

        *taps = axis_weigh(&job->rows, strip->first + i, job->weights + i * job->rows.max_taps);
        first = omma_min(first, taps->first);
        end = omma_max(end, (size_t)taps->first + taps->n);
    }
    for (size_t i = 0; i < strip->n; i++) {
        job->taps[i].first -= (uint32_t)first;
    }
    strip->first_source = first;
    strip->n_sources = end - first;
}

/* m rows of the strip's source columns to its columns. */
static void along_rows(const struct job *job, const struct strip *strip, size_t m,
                       const uint8_t *source, size_t source_stride, uint8_t *target,
                       size_t target_stride)
{
    job->kernels->resize_rows(m, strip->n, strip->n_sources, source, source_stride, job->taps,
                              job->weights, job->rows.max_taps, target, target_stride);
}

/* The strip's first source column in row y. */
static const uint8_t *source_at(const struct job *job, const struct strip *strip, size_t y)
{
    return job->source->rgb + (y * job->source->width + strip->first_source) * 3;
}

/* One row of the part from n samples of source rows, as they lie. */
static void across_source(struct job *job, const struct strip *strip, size_t y, size_t n,
                          uint8_t *target)
{
    struct omma_taps taps = axis_weigh(&job->columns, job->top + y, job->column_weights);

    for (size_t t = 0; t < taps.n; t++) {
        job->pointers[t] = source_at(job, strip, taps.first + t);
    }
    job->kernels->resize_columns(n, taps.n, job->pointers, job->column_weights, target);
}

/* Down the columns, then along the rows, by a few rows of source columns. */
static enum omma_status columns_then_rows(struct job *job, const struct strip *strip,
                                          struct omma_error *error)
{
    size_t stride = strip->n_sources * 3;
    uint8_t *between = malloc(BATCH * stride);

    if (between == NULL) {
        return omma_fail_memory(error, BATCH * stride, "rows between two passes");
    }
    for (size_t y = 0; y < job->height; y += BATCH) {
        size_t m = omma_min(BATCH, job->height - y);

        for (size_t i = 0; i < m; i++) {
            across_source(job, strip, y + i, stride, between + i * stride);
        }
        along_rows(job, strip, m, between, stride, strip->target + y * strip->target_stride,
                   strip->target_stride);
    }
    free(between);
    return OMMA_OK;
}

/* Along the rows, then down the columns, by a ring of rows: row y of the source lies at
 * (y - first) % n_ring.  A batch never runs over the ring's end, nor into rows still needed. */
static enum omma_status rows_then_columns(struct job *job, const struct strip *strip,
                                          struct omma_error *error)
{
    size_t n_ring = omma_round_up(job->columns.max_taps, BATCH) + BATCH, stride = strip->n * 3;
    struct omma_taps taps =
        axis_weigh(&job->columns, job->top + job->height - 1, job->column_weights);
    size_t end = (size_t)taps.first + taps.n, first, n_done = 0;
    uint8_t *ring = malloc(n_ring * stride);

    if (ring == NULL) {
        return omma_fail_memory(error, n_ring * stride, "rows between two passes");
    }
    first = axis_weigh(&job->columns, job->top, job->column_weights).first;
    for (size_t y = 0; y < job->height; y++) {
        taps = axis_weigh(&job->columns, job->top + y, job->column_weights);
        while (first + n_done < (size_t)taps.first + taps.n) {
            size_t m = omma_min(BATCH, end - first - n_done);

            along_rows(job, strip, m, source_at(job, strip, first + n_done), job->source->width * 3,
                       ring + n_done % n_ring * stride, stride);
            n_done += m;
        }
        for (size_t t = 0; t < taps.n; t++) {
            job->pointers[t] = ring + (taps.first + t - first) % n_ring * stride;
        }
        job->kernels->resize_columns(stride, taps.n, job->pointers, job->column_weights,
                                     strip->target + y * strip->target_stride);
    }
    free(ring);
    return OMMA_OK;
}

/* Pillow's rule: the height shrinks, and by more than twice what the width does. */
static bool columns_first(const struct axis *rows, const struct axis *columns)
{
    int64_t fewer_rows = (int64_t)columns->n_sources - (int64_t)columns->n_targets;
    int64_t fewer_columns = (int64_t)rows->n_sources - (int64_t)rows->n_targets;

    return fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
}

/* An axis whose length stays is not gone along. */
static enum omma_status resize_strip(struct job *job, struct strip *strip, struct omma_error *error)
{
    bool wide_stays = job->rows.n_sources == job->rows.n_targets;
    bool high_stays = job->columns.n_sources == job->columns.n_targets;

    if (wide_stays) {
        strip->first_source = strip->first;
        for (size_t y = 0; y < job->height; y++) {
            uint8_t *target = strip->target + y * strip->target_stride;

            if (high_stays) {
                memcpy(target, source_at(job, strip, job->top + y), strip->n * 3);
            } else {
                across_source(job, strip, y, strip->n * 3, target);
            }
        }
        return OMMA_OK;
    }
    weigh_strip(job, strip);
    if (high_stays) {
        along_rows(job, strip, job->height, source_at(job, strip, job->top), job->source->width * 3,
                   strip->target, strip->target_stride);
        return OMMA_OK;
    }
    return columns_first(&job->rows, &job->columns) ? columns_then_rows(job, strip, error)
                                                    : rows_then_columns(job, strip, error);
}

enum omma_status omma_resize(const struct omma_kernels *kernels, const struct omma_raster *source,
                             enum omma_resize_filter filter, const struct omma_resize_part *part,
                             struct omma_raster *target, struct omma_error *error)
{
    struct job job = {0};
    enum omma_status status;

    OMMA_TRY_OR(status, done, job_init(&job, kernels, source, filter, part, target, error));
    for (size_t x = 0; x < target->width; x += job.max_strip) {
        struct strip strip = {
            .first = part->left + x,
            .n = omma_min(job.max_strip, target->width - x),
            .target = target->rgb + x * 3,
            .target_stride = target->width * 3,
        };

        OMMA_TRY_OR(status, done, resize_strip(&job, &strip, error));
    }
done:
    job_fini(&job);
    return status;
}
