/*
 * Divergences of distributions written down by hand, and of random ones by the definition; what
 * many are like.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/divergence.h" /* before cmocka and its macro fail() */

#include "support/support.h"

enum { N = 3001 };

static void expect_close(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance)) {
        fail_msg("%.17g, expected %.17g", found, expected);
    }
}

static void test_by_hand(void **state)
{
    const float halves[] = {0, 0}, quarters[] = {logf(1), logf(3)}, far[] = {-1000, 1000};
    bool is_same;

    (void)state;
    expect_close(divergence_of(halves, quarters, 2, &is_same), 0.5 * log(2) + 0.5 * log(2.0 / 3),
                 1e-7);
    assert_false(is_same); /* of equal logits the first one is the top */
    expect_close(divergence_of(quarters, halves, 2, &is_same), 0.25 * log(0.5) + 0.75 * log(1.5),
                 1e-7);
    assert_int_equal(divergence_of(quarters, quarters, 2, &is_same), 0);
    assert_true(is_same);
    expect_close(divergence_of(halves, far, 2, &is_same), 1000 - log(2), 1e-3); /* no overflow */
    expect_close(divergence_of(far, halves, 2, &is_same), log(2), 1e-12);
}

/* sum P log(P / Q) with each probability on its own */
static double definition(const float *p, const float *q)
{
    double p_sum = 0, q_sum = 0, sum = 0;

    for (size_t i = 0; i < N; i++) {
        p_sum += exp((double)p[i]);
        q_sum += exp((double)q[i]);
    }
    for (size_t i = 0; i < N; i++) {
        double p_share = exp((double)p[i]) / p_sum, q_share = exp((double)q[i]) / q_sum;

        sum += p_share * log(p_share / q_share);
    }
    return sum;
}

static void test_random(void **state)
{
    static float p[N], q[N];
    uint64_t random = 5;

    (void)state;
    for (int round = 0; round < 20; round++) {
        double noise = pow(10, -round / 4.0);
        bool is_same;

        for (size_t i = 0; i < N; i++) {
            p[i] = (float)omma_test_uniform(&random, -20, 20);
            q[i] = p[i] + (float)omma_test_uniform(&random, -noise, noise);
        }
        expect_close(divergence_of(p, q, N, &is_same), definition(p, q), 1e-12);
    }
}

static void test_summary(void **state)
{
    /* by numpy: mean, std(ddof=1) / sqrt(n), median, quantile(.99) */
    const double values[] = {0.5, 0.25, 4, 1, 0.125, 2}, one[] = {3};
    struct divergence_summary summary;
    double *many = calloc(1001, sizeof *many);

    (void)state;
    assert_true(divergence_summarize(values, 6, &summary));
    expect_close(summary.mean, 1.3125, 1e-12);
    expect_close(summary.standard_error, 0.6053150006401626, 1e-12);
    expect_close(summary.median, 0.75, 1e-12);
    expect_close(summary.percentile_99, 3.9, 1e-12);
    expect_close(summary.max, 4, 0);
    assert_int_equal(summary.max_at, 2);
    assert_true(divergence_summarize(one, 1, &summary));
    expect_close(summary.mean + summary.median + summary.percentile_99 + summary.max, 12, 0);
    expect_close(summary.standard_error, 0, 0);
    for (size_t i = 0; i < 1001; i++) {
        many[i] = (double)(i * 389 % 1001);
    }
    assert_true(divergence_summarize(many, 1001, &summary));
    expect_close(summary.median, 500, 0);
    expect_close(summary.percentile_99, 990, 1e-9);
    expect_close(divergence_share_error(90, 101), sqrt(90.0 / 101 * 11 / 101 / 100), 1e-15);
    expect_close(divergence_share_error(1, 1), 0, 0);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_summary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
