/*
 * norm.c - RMSNorm and LayerNorm against double precision.
 *
 * A sum of squares is relatively exact to omma_check_sum_bound(n), and so, but for the root, is the
 * factor.  The mean is exact to that bound times the mean magnitude, which moves every element of a
 * LayerNorm alike.  Roundings of results below 2^-126 are absolute.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "simd/rows.h"

static const float eps = 1e-6f;

static void check_rms_norm_row(const struct omma_kernels *kernels,
                               const struct omma_kernels *definition, size_t n,
                               enum omma_check_values values, enum omma_check_edge edge,
                               uint64_t *random)
{
    const float *x = omma_check_row(n, values, edge, random);
    const float *weight = omma_check_row(n, OMMA_CHECK_UNIFORM, edge, random);
    float *y = omma_check_room(n, edge), *again = omma_check_copy(n, x, !edge);
    double square_sum = 0;

    (void)definition;
    for (size_t i = 0; i < n; i++) {
        square_sum += (double)x[i] * (double)x[i];
    }
    kernels->rms_norm(n, x, weight, eps, y);
    for (size_t i = 0; i < n; i++) {
        double expected = x[i] / sqrt(square_sum / (double)n + (double)eps) * (double)weight[i];

        omma_check_near("y", i, expected, y[i],
                        omma_check_sum_bound(n) * fabs(expected) + 0x1p-126);
    }
    kernels->rms_norm(n, again, weight, eps, again);
    omma_check_same_f32("in place, elsewhere", n, y, again);
}

static void check_layer_norm_of(const struct omma_kernels *kernels, size_t n, const float *x,
                                enum omma_check_edge edge, uint64_t *random)
{
    const float *weight = omma_check_row(n, OMMA_CHECK_UNIFORM, edge, random);
    const float *bias = omma_check_row(n, OMMA_CHECK_UNIFORM, edge, random);
    float *y = omma_check_room(n, edge), *again = omma_check_copy(n, x, !edge);
    double mean = 0, magnitude = 0, variance = 0, factor;

    for (size_t i = 0; i < n; i++) {
        mean += x[i] / (double)n;
        magnitude += fabs((double)x[i]) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        variance += (x[i] - mean) * (x[i] - mean) / (double)n;
    }
    factor = 1 / sqrt(variance + (double)eps);
    kernels->layer_norm(n, x, weight, bias, eps, y);
    for (size_t i = 0; i < n; i++) {
        double normal = (x[i] - mean) * factor, w = fabs((double)weight[i]);
        double moved =
            (magnitude + fabs((double)x[i])) * factor; /* of a mean that is off by 1 bound */
        double bound =
            omma_check_sum_bound(n) * (w * (moved + fabs(normal)) + fabs((double)bias[i]));

        omma_check_near("y", i, normal * (double)weight[i] + (double)bias[i], y[i],
                        bound + 0x1p-126);
    }
    kernels->layer_norm(n, again, weight, bias, eps, again);
    omma_check_same_f32("in place, elsewhere", n, y, again);
}

static void check_layer_norm_row(const struct omma_kernels *kernels,
                                 const struct omma_kernels *definition, size_t n,
                                 enum omma_check_values values, enum omma_check_edge edge,
                                 uint64_t *random)
{
    (void)definition;
    check_layer_norm_of(kernels, n, omma_check_row(n, values, edge, random), edge, random);
}

/* A mean a thousand times the deviation: E[x^2] - mean^2 would be off by 10 %. */
static void check_large_mean(const struct omma_kernels *kernels)
{
    uint64_t random = 9;

    for (size_t n = 2; n < 3000; n = 2 * n + 1) {
        float *x = omma_check_room(n, OMMA_CHECK_END);

        omma_check_case("n %zu, mean 1000", n);
        omma_check_fill_f32(OMMA_CHECK_UNIFORM, n, x, &random);
        for (size_t i = 0; i < n; i++) {
            x[i] += 1000;
        }
        check_layer_norm_of(kernels, n, x, OMMA_CHECK_END, &random);
        omma_check_release();
    }
}

static void check_rms_norm(const struct omma_kernels *kernels,
                           const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_rms_norm_row);
}

static void check_layer_norm(const struct omma_kernels *kernels,
                             const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_layer_norm_row);
    check_large_mean(kernels);
}

void omma_check_rms_norm(void **state)
{
    (void)state;
    omma_check_tiers(check_rms_norm);
}

void omma_check_layer_norm(void **state)
{
    (void)state;
    omma_check_tiers(check_layer_norm);
}
