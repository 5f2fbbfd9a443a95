/*
 * softmax.c - maximum of a row; exponentials and their sum, against libm in double precision.
 *
 * exp is held to 2^-23 of the exact value for the argument as f32 gives it (0.84 ulp was seen);
 * where the result is not a normal number it may be 0.
 */
#include "config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "simd/rows.h"

static void check_row_max_row(const struct omma_kernels *kernels,
                              const struct omma_kernels *definition, size_t n,
                              enum omma_check_values values, enum omma_check_edge edge,
                              uint64_t *random)
{
    const float *x = omma_check_row(n, values, edge, random);
    float expected = -INFINITY, got = kernels->row_max(n, x);

    (void)definition;
    for (size_t i = 0; i < n; i++) {
        expected = fmaxf(expected, x[i]);
    }
    if (got != expected) {
        omma_check_fail("expected %g, found %g", (double)expected, (double)got);
    }
}

/* The largest element wherever it stands, the others being as small as can be. */
static void check_row_max(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_row_max_row);
    for (size_t n = 1; n <= 130; n++) {
        float *x = omma_check_room(n, OMMA_CHECK_END);

        for (size_t i = 0; i < n; i++) {
            x[i] = -INFINITY;
        }
        omma_check_case("n %zu, all -infinity", n);
        assert_true(kernels->row_max(n, x) == -INFINITY);
        for (size_t i = 0; i < n; i++) {
            omma_check_case("n %zu, largest at %zu", n, i);
            x[i] = -FLT_MAX;
            assert_true(kernels->row_max(n, x) == -FLT_MAX);
            x[i] = -INFINITY;
        }
        omma_check_release();
    }
}

/* y and the sum returned, for x. */
static void compare_exp_sum(size_t n, const float *x, float shift, float scale, const float *y,
                            float sum)
{
    double exact_sum = 0;

    for (size_t i = 0; i < n; i++) {
        float argument = (x[i] - shift) * scale;
        double expected = exp((double)argument);

        if (argument > -87) {
            omma_check_near("y", i, expected, y[i], 0x1p-23 * expected);
        } else if (!(y[i] >= 0 && (double)y[i] <= 1.01 * expected + 0x1p-149)) {
            omma_check_fail("y[%zu]: expected %g or 0, found %g", i, expected, (double)y[i]);
        }
        exact_sum += y[i];
    }
    omma_check_near("sum", 0, exact_sum, sum, omma_check_sum_bound(n) * exact_sum);
}

static void check_exp_sum_of(const struct omma_kernels *kernels, size_t n, const float *x,
                             float shift, float scale, enum omma_check_edge edge)
{
    float *y = omma_check_room(n, edge), *again = omma_check_copy(n, x, !edge);
    float sum = kernels->exp_sum(n, x, shift, scale, y);
    float sum_again = kernels->exp_sum(n, again, shift, scale, again);

    compare_exp_sum(n, x, shift, scale, y, sum);
    omma_check_same_f32("in place, elsewhere", n, y, again);
    omma_check_same_f32("sum in place, elsewhere", 1, &sum, &sum_again);
}

static void check_exp_sum_row(const struct omma_kernels *kernels,
                              const struct omma_kernels *definition, size_t n,
                              enum omma_check_values values, enum omma_check_edge edge,
                              uint64_t *random)
{
    const float *x = omma_check_row(n, values, edge, random);
    float shift = n > 0 ? definition->row_max(n, x) : 0;

    check_exp_sum_of(kernels, n, x, shift, 0.125f, edge);
}

/* Rows that attention's mask cut: -infinity behind the last key that is seen. */
static void check_masked_rows(const struct omma_kernels *kernels)
{
    uint64_t random = 6;

    for (size_t n = 1; n <= 130; n++) {
        for (size_t n_seen = 1; n_seen <= n; n_seen += 1 + n / 7) {
            float *x = omma_check_room(n, OMMA_CHECK_END);

            omma_check_case("n %zu, -infinity from %zu", n, n_seen);
            omma_check_fill_f32(OMMA_CHECK_UNIFORM, n_seen, x, &random);
            for (size_t i = n_seen; i < n; i++) {
                x[i] = -INFINITY;
            }
            check_exp_sum_of(kernels, n, x, 1, 3, OMMA_CHECK_END);
            omma_check_release();
        }
    }
}

static void check_exp_sum(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    enum { N_ARGUMENTS = 1 << 16 };
    uint64_t random = 7;
    float *x;

    omma_check_lengths(kernels, definition, check_exp_sum_row);
    check_masked_rows(kernels);
    x = omma_check_room(N_ARGUMENTS, OMMA_CHECK_END);
    for (size_t i = 0; i < N_ARGUMENTS; i++) {
        x[i] = (float)omma_test_uniform(&random, -110, 0);
    }
    omma_check_case("-110 to 0");
    check_exp_sum_of(kernels, N_ARGUMENTS, x, 0, 1, OMMA_CHECK_END);
    for (size_t i = 0; i < N_ARGUMENTS; i++) {
        x[i] = -ldexpf(1 + (float)(omma_test_random(&random) & 0xFFFF) * 0x1p-17f,
                       (int)(i % 277) - 149);
    }
    omma_check_case("all exponents");
    check_exp_sum_of(kernels, N_ARGUMENTS, x, 0, 1, OMMA_CHECK_END);
}

void omma_check_row_max(void **state)
{
    (void)state;
    omma_check_tiers(check_row_max);
}

void omma_check_exp_sum(void **state)
{
    (void)state;
    omma_check_tiers(check_exp_sum);
}
