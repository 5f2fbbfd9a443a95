/*
 * Pillow's two-pass resampling of 8-bit RGB.
 *
 * Along an axis of n source and m target pixels, target pixel x weighs the source pixels around
 * (x + 0.5) n / m; the filter is stretched by max(n / m, 1).  Weights are computed in double,
 * divided by their sum, and rounded to 22 fractional bits; a pixel is the int32 sum of weight *
 * sample plus one half, shifted down and clamped to 0..255.  The sum fits: the absolute weights of
 * either filter add up to less than 2, hence |sum| < 2 * 255 * 2^22 < 2^31.
 *
 * Each pass is rounded, so their order shows in the pixels.  Pillow 13.0 goes down the columns
 * first where that saves work, by the rule in columns_first(); versions before it had other rules.
 *
 * Weights are made for a block of outputs at a time, so that a row of 10^8 pixels takes no more
 * memory for them than any other.
 */
#include "model/vision/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum {
    WEIGHT_BITS = 22,           /* 32 - 8 bits of sample - 2 for sums below 0 and above 1 */
    WEIGHTS_OF_BLOCK = 1 << 17, /* weights held at a time, unless one output needs more */
    LANES = 128,                /* samples of a row that are summed together */
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
    size_t max_taps;     /* most sources that one target weighs */
    double *exact;       /* [max_taps], of the target at hand */
};

/* The sources of one target: n_taps from first on. */
struct span {
    size_t first, n_taps;
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
    axis->max_taps = (size_t)ceil(axis->support) * 2 + 1;
    axis->exact = malloc(axis->max_taps * sizeof *axis->exact);
    if (axis->exact == NULL) {
        return omma_fail_memory(error, axis->max_taps * sizeof *axis->exact, "weights of resizing");
    }
    return OMMA_OK;
}

/* The span and the fixed-point weights [n_taps] of a target. */
static struct span axis_weigh(struct axis *axis, size_t target, int32_t *weights)
{
    double centre = ((double)target + 0.5) * axis->scale, sum = 0.0;
    double inverse = 1.0 / axis->filter_scale;
    int64_t first = (int64_t)(centre - axis->support + 0.5);
    int64_t end = (int64_t)(centre + axis->support + 0.5);
    struct span span;

    first = first < 0 ? 0 : first;
    end = end > (int64_t)axis->n_sources ? (int64_t)axis->n_sources : end;
    span.first = (size_t)first;
    span.n_taps = (size_t)(end - first);
    for (size_t k = 0; k < span.n_taps; k++) {
        axis->exact[k] = axis->filter(((double)(k + span.first) - centre + 0.5) * inverse);
        sum += axis->exact[k];
    }
    for (size_t k = 0; k < span.n_taps; k++) {
        double weight = sum != 0.0 ? axis->exact[k] / sum : axis->exact[k];

        weight *= 1 << WEIGHT_BITS;
        weights[k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    return span;
}

static uint8_t to_sample(int32_t sum)
{
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* One pixel of a row: source points at the first pixel of its span. */
static void weigh_pixels(const uint8_t *restrict source, const int32_t *restrict weights,
                         size_t n_taps, uint8_t *restrict target)
{
    int32_t red = 1 << (WEIGHT_BITS - 1), green = red, blue = red;

    for (size_t k = 0; k < n_taps; k++) {
        red += weights[k] * source[3 * k];
        green += weights[k] * source[3 * k + 1];
        blue += weights[k] * source[3 * k + 2];
    }
    target[0] = to_sample(red);
    target[1] = to_sample(green);
    target[2] = to_sample(blue);
}

/* Along the rows: target [height][n_targets], source [height][n_sources]. */
static enum omma_status resize_rows(const struct omma_raster *source, struct axis *axis,
                                    struct omma_raster *target, struct omma_error *error)
{
    size_t n_block = omma_max(1, omma_min(axis->n_targets, WEIGHTS_OF_BLOCK / axis->max_taps));
    int32_t *weights = malloc(n_block * axis->max_taps * sizeof *weights);
    struct span *spans = malloc(n_block * sizeof *spans);
    enum omma_status status = OMMA_OK;

    if (weights == NULL || spans == NULL) {
        status = omma_fail_memory(error, n_block * axis->max_taps * sizeof *weights,
                                  "weights of resizing");
        goto done;
    }
    for (size_t start = 0; start < axis->n_targets; start += n_block) {
        size_t n = omma_min(n_block, axis->n_targets - start);

        for (size_t i = 0; i < n; i++) {
            spans[i] = axis_weigh(axis, start + i, weights + i * axis->max_taps);
        }
        for (size_t y = 0; y < source->height; y++) {
            const uint8_t *row = source->rgb + y * source->width * 3;
            uint8_t *out = target->rgb + (y * target->width + start) * 3;

            for (size_t i = 0; i < n; i++) {
                weigh_pixels(row + spans[i].first * 3, weights + i * axis->max_taps,
                             spans[i].n_taps, out + i * 3);
            }
        }
    }
done:
    free(spans);
    free(weights);
    return status;
}

/* LANES samples of one target row; rows are stride bytes apart. */
static void weigh_rows(const uint8_t *restrict source, size_t stride,
                       const int32_t *restrict weights, size_t n_taps, uint8_t *restrict target)
{
    int32_t sums[LANES];

    for (size_t i = 0; i < LANES; i++) {
        sums[i] = 1 << (WEIGHT_BITS - 1);
    }
    for (size_t k = 0; k < n_taps; k++) {
        const uint8_t *row = source + k * stride;
        int32_t weight = weights[k];

        for (size_t i = 0; i < LANES; i++) {
            sums[i] += weight * row[i];
        }
    }
    for (size_t i = 0; i < LANES; i++) {
        target[i] = to_sample(sums[i]);
    }
}

/* The same for the few samples left over at a row's end. */
static void weigh_rest(const uint8_t *source, size_t stride, const int32_t *weights, size_t n_taps,
                       uint8_t *target, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t sum = 1 << (WEIGHT_BITS - 1);

        for (size_t k = 0; k < n_taps; k++) {
            sum += weights[k] * source[k * stride + i];
        }
        target[i] = to_sample(sum);
    }
}

/* Down the columns: target [n_targets][width], source [n_sources][width]. */
static enum omma_status resize_columns(const struct omma_raster *source, struct axis *axis,
                                       struct omma_raster *target, struct omma_error *error)
{
    size_t stride = source->width * 3;
    int32_t *weights = malloc(axis->max_taps * sizeof *weights);

    if (weights == NULL) {
        return omma_fail_memory(error, axis->max_taps * sizeof *weights, "weights of resizing");
    }
    for (size_t y = 0; y < axis->n_targets; y++) {
        struct span span = axis_weigh(axis, y, weights);
        const uint8_t *rows = source->rgb + span.first * stride;
        uint8_t *out = target->rgb + y * stride;
        size_t i = 0;

        for (; i + LANES <= stride; i += LANES) {
            weigh_rows(rows + i, stride, weights, span.n_taps, out + i);
        }
        weigh_rest(rows + i, stride, weights, span.n_taps, out + i, stride - i);
    }
    free(weights);
    return OMMA_OK;
}

/* Pillow's rule: the height shrinks, and by more than twice what the width does. */
static bool columns_first(const struct omma_raster *source, const struct omma_raster *target)
{
    int64_t fewer_rows = (int64_t)source->height - (int64_t)target->height;
    int64_t fewer_columns = (int64_t)source->width - (int64_t)target->width;

    return fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
}

static enum omma_status raster_create(struct omma_raster *raster, size_t width, size_t height,
                                      struct omma_error *error)
{
    raster->width = width;
    raster->height = height;
    raster->rgb = malloc(width * height * 3);
    return raster->rgb != NULL
               ? OMMA_OK
               : omma_fail_memory(error, width * height * 3, "a picture between two passes");
}

/* Both axes change. */
static enum omma_status resize_both(const struct omma_raster *source, struct axis *rows,
                                    struct axis *columns, struct omma_raster *target,
                                    struct omma_error *error)
{
    struct omma_raster between = {0};
    enum omma_status status;

    if (columns_first(source, target)) {
        OMMA_TRY_OR(status, done, raster_create(&between, source->width, target->height, error));
        OMMA_TRY_OR(status, done, resize_columns(source, columns, &between, error));
        OMMA_TRY_OR(status, done, resize_rows(&between, rows, target, error));
    } else {
        OMMA_TRY_OR(status, done, raster_create(&between, target->width, source->height, error));
        OMMA_TRY_OR(status, done, resize_rows(source, rows, &between, error));
        OMMA_TRY_OR(status, done, resize_columns(&between, columns, target, error));
    }
done:
    free(between.rgb);
    return status;
}

enum omma_status omma_resize(const struct omma_raster *source, enum omma_resize_filter filter,
                             struct omma_raster *target, struct omma_error *error)
{
    struct axis rows = {0}, columns = {0};
    enum omma_status status;

    if (source->width == target->width && source->height == target->height) {
        memcpy(target->rgb, source->rgb, source->width * source->height * 3);
        return OMMA_OK;
    }
    OMMA_TRY_OR(status, done, axis_init(&rows, source->width, target->width, filter, error));
    OMMA_TRY_OR(status, done, axis_init(&columns, source->height, target->height, filter, error));
    if (source->height == target->height) {
        status = resize_rows(source, &rows, target, error);
    } else if (source->width == target->width) {
        status = resize_columns(source, &columns, target, error);
    } else {
        status = resize_both(source, &rows, &columns, target, error);
    }
done:
    free(columns.exact);
    free(rows.exact);
    return status;
}
