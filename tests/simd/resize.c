/*
 * resize.c - resampling of 8-bit pictures: all bytes, against sums of 64 bits.
 */
#include "config.h"

#include <string.h>

#include "simd/check.h"

enum {
    MAX_SUM = (1 << 23) - 1, /* of the magnitudes of one target's weights */
    MAX_TAPS = 700,
    STEP = OMMA_RESIZE_STEP,
};

/* How weights are drawn. */
enum weights {
    WEIGHTS_ANY,       /* of either sign, the sum of their magnitudes at its limit */
    WEIGHTS_ONE_LARGE, /* the first as large as can be, or its negative */
    WEIGHTS_SIGNS,     /* of one magnitude and either sign: the sums jump from end to end */
    WEIGHTS_HALVES,    /* small ones, about where the halves of a split weight change */
    WEIGHTS_N
};

enum samples { SAMPLES_ANY, SAMPLES_ENDS, SAMPLES_FULL, SAMPLES_N };

static void fill_weights(enum weights kind, size_t n, int32_t *weights, uint64_t *random)
{
    int32_t share = MAX_SUM / (int32_t)n;

    for (size_t t = 0; t < n; t++) {
        uint64_t bits = omma_test_random(random);
        int32_t magnitude = share;

        if (kind == WEIGHTS_ANY) {
            magnitude = (int32_t)(bits >> 8) % (share + 1);
            magnitude = magnitude < 0 ? -magnitude : magnitude;
        } else if (kind == WEIGHTS_ONE_LARGE) {
            magnitude = t == 0 ? MAX_SUM : 0;
        } else if (kind == WEIGHTS_HALVES) {
            magnitude = (int32_t)((bits >> 8) % 3) - 1 + (1 << 15) * (int32_t)((bits >> 16) % 2);
            magnitude = magnitude > share ? share : magnitude;
        }
        weights[t] = (bits & 1) != 0 ? -magnitude : magnitude;
    }
}

static void fill_samples(enum samples kind, size_t n, uint8_t *samples, uint64_t *random)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = omma_test_random(random);

        samples[i] = kind == SAMPLES_FULL || (kind == SAMPLES_ENDS && bits % 2 == 0) ? 255
                     : kind == SAMPLES_ANY                                           ? (uint8_t)bits
                                                                                     : 0;
    }
}

/* The target of n taps, step bytes apart. */
static uint8_t expected(size_t n, const uint8_t *samples, size_t step, const int32_t *weights)
{
    int64_t sum = 1 << 21;

    for (size_t t = 0; t < n; t++) {
        sum += (int64_t)weights[t] * samples[t * step];
    }
    sum = sum >= 0 ? sum / (1 << 22) : -1;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void check_sample(size_t row, size_t index, uint8_t want, uint8_t got)
{
    if (want != got) {
        omma_check_fail("row %zu, sample %zu: expected %d, found %d", row, index, want, got);
    }
}

/* ---- along rows -------------------------------------------------------------------------------
 */

struct shape {
    size_t m, n, width, max_taps;
};

static void draw_taps(struct shape shape, enum weights kind, size_t stride, struct omma_taps *taps,
                      int32_t *weights, uint64_t *random)
{
    for (size_t i = 0; i < shape.n; i++) {
        size_t n = 1 + omma_test_random(random) % shape.max_taps;
        size_t room = shape.width - n;

        /* the row's ends are where a kernel may read too far */
        taps[i].n = (uint32_t)n;
        taps[i].first = (uint32_t)(i % 3 == 0   ? 0
                                   : i % 3 == 1 ? room
                                                : omma_test_random(random) % (room + 1));
        fill_weights(kind, n, weights + i * stride, random);
        memset(weights + i * stride + n, 0, ((n + STEP - 1) / STEP * STEP - n) * sizeof *weights);
    }
}

static void check_rows_case(const struct omma_kernels *kernels, struct shape shape,
                            enum weights weights_kind, enum samples samples_kind, unsigned variant)
{
    uint64_t random = variant;
    enum omma_check_edge edge = variant % OMMA_CHECK_N_EDGES;
    size_t row = shape.width * 3, stride = row + variant % 5;
    size_t target_row = shape.n * 3, target_stride = target_row + variant % 4;
    size_t w_stride = (shape.max_taps + STEP - 1) / STEP * STEP;
    uint8_t *source = omma_check_rows(shape.m, row, stride, edge);
    uint8_t *target = omma_check_rows(shape.m, target_row, target_stride, edge);
    int32_t *weights = omma_check_rows(shape.n, w_stride * 4, w_stride * 4, edge);
    struct omma_taps *taps = omma_check_rows(shape.n, sizeof *taps, sizeof *taps, edge);

    omma_check_case("m %zu n %zu width %zu taps up to %zu, weights %d, samples %d", shape.m,
                    shape.n, shape.width, shape.max_taps, (int)weights_kind, (int)samples_kind);
    draw_taps(shape, weights_kind, w_stride, taps, weights, &random);
    for (size_t y = 0; y < shape.m; y++) {
        fill_samples(samples_kind, row, source + y * stride, &random);
    }
    omma_check_seal(source);
    omma_check_seal(weights);
    omma_check_seal(taps);
    kernels->resize_rows(shape.m, shape.n, shape.width, source, stride, taps, weights, w_stride,
                         target, target_stride);
    for (size_t y = 0; y < shape.m; y++) {
        for (size_t i = 0; i < target_row; i++) {
            const uint8_t *first = source + y * stride + (size_t)taps[i / 3].first * 3 + i % 3;

            check_sample(y, i, expected(taps[i / 3].n, first, 3, weights + i / 3 * w_stride),
                         target[y * target_stride + i]);
        }
    }
    omma_check_gaps(target, shape.m, target_row, target_stride);
    omma_check_release();
}

static void check_rows(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    static const size_t sizes_m[] = {1, 2, 3, 4, 5, 8, 9}, sizes_n[] = {0, 1, 2, 3, 5, 16, 31};
    static const size_t widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 17, 33, MAX_TAPS};
    unsigned variant = 1;

    (void)definition;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        for (size_t j = 0; j < sizeof sizes_n / sizeof *sizes_n; j++) {
            for (enum weights weights = 0; weights < WEIGHTS_N; weights++) {
                for (enum samples samples = 0; samples < SAMPLES_N; samples++) {
                    size_t m = sizes_m[variant % (sizeof sizes_m / sizeof *sizes_m)];
                    struct shape shape = {m, sizes_n[j], widths[i], widths[i]};

                    check_rows_case(kernels, shape, weights, samples, variant++);
                }
            }
        }
    }
}

/* ---- across rows ------------------------------------------------------------------------------
 */

static void check_columns_case(const struct omma_kernels *kernels, size_t n, size_t n_taps,
                               enum weights weights_kind, enum samples samples_kind,
                               unsigned variant)
{
    uint64_t random = variant;
    enum omma_check_edge edge = variant % OMMA_CHECK_N_EDGES;
    size_t stride = n + variant % 7;
    uint8_t *source = omma_check_rows(n_taps, n, stride, edge);
    uint8_t *target = omma_check_rows(1, n, n, edge);
    int32_t *weights = omma_check_rows(1, n_taps * 4, n_taps * 4, edge);
    const uint8_t **rows = omma_check_rows(n_taps, sizeof *rows, sizeof *rows, edge);

    omma_check_case("n %zu taps %zu, weights %d, samples %d", n, n_taps, (int)weights_kind,
                    (int)samples_kind);
    fill_weights(weights_kind, n_taps, weights, &random);
    for (size_t t = 0; t < n_taps; t++) {
        fill_samples(samples_kind, n, source + t * stride, &random);
        rows[t] = source + t * stride;
    }
    omma_check_seal(source);
    omma_check_seal(weights);
    kernels->resize_columns(n, n_taps, rows, weights, target);
    for (size_t i = 0; i < n; i++) {
        check_sample(0, i, expected(n_taps, source + i, stride, weights), target[i]);
    }
    omma_check_release();
}

static void check_columns(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    static const size_t sizes_taps[] = {1, 2, 3, 4, 5, 9, 10, MAX_TAPS};
    unsigned variant = 1;

    (void)definition;
    for (size_t n = 0; n <= 300; n += n < 132 ? 1 : 41) {
        for (size_t i = 0; i < sizeof sizes_taps / sizeof *sizes_taps; i++) {
            enum weights weights = variant / 3 % WEIGHTS_N;

            check_columns_case(kernels, n, sizes_taps[i], weights, variant % SAMPLES_N, variant);
            variant++;
        }
    }
}

void omma_check_resize_rows(void **state)
{
    (void)state;
    omma_check_tiers(check_rows);
}

void omma_check_resize_columns(void **state)
{
    (void)state;
    omma_check_tiers(check_columns);
}
