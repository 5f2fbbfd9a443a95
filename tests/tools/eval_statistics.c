/* Intervals and p-values against scipy's (tests/data/eval/statistics.jsonl). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tools/eval/statistics.h"

#include "support/support.h"

static size_t member(const json_t *line, const char *name)
{
    return (size_t)json_integer_value(json_object_get(line, name));
}

static void expect_near(double found, const json_t *line, const char *name)
{
    double expected = json_real_value(json_object_get(line, name));

    if (!(fabs(found - expected) <= 1e-11 * fabs(expected) + 1e-16)) {
        fail_msg("%s of %zu, %zu: %.17g, expected %.17g", name, member(line, "hits"),
                 member(line, "n"), found, expected);
    }
}

static void test_against_scipy(void **state)
{
    char *path = omma_test_source("tests/data/eval/statistics.jsonl"), *rest;
    char *text = omma_test_read(path, NULL);
    size_t n_intervals = 0, n_p = 0;

    (void)state;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *expected = json_loads(line, 0, NULL);

        assert_non_null(expected);
        if (json_object_get(expected, "p") != NULL) {
            size_t first = member(expected, "first"), second = member(expected, "second");
            double p = statistics_mcnemar(first, second);

            if (fabs(p - json_real_value(json_object_get(expected, "p"))) > 1e-11 * p) {
                fail_msg("p of %zu and %zu: %.17g; expected %s", first, second, p, line);
            }
            n_p++;
        } else {
            struct interval interval =
                statistics_wilson(member(expected, "hits"), member(expected, "n"));

            expect_near(interval.low, expected, "low");
            expect_near(interval.high, expected, "high");
            n_intervals++;
        }
        json_decref(expected);
    }
    assert_int_equal(n_intervals, 23);
    assert_int_equal(n_p, 17);
    free(text);
    free(path);
}

static void test_difference(void **state)
{
    struct interval interval = statistics_paired_difference(60, 110, 1000);

    (void)state;
    /* 0.05 -+ 1.96 sqrt(170 - 2500 / 1000) / 1000 */
    assert_true(fabs(interval.low - (0.05 - 0.025366)) < 1e-6);
    assert_true(fabs(interval.high - (0.05 + 0.025366)) < 1e-6);
    interval = statistics_paired_difference(0, 0, 10);
    assert_true(interval.low == 0 && interval.high == 0);
    interval = statistics_paired_difference(0, 0, 0);
    assert_true(interval.low == 0 && interval.high == 0);
    interval = statistics_wilson(0, 0);
    assert_true(interval.low == 0 && interval.high == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_scipy),
        cmocka_unit_test(test_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
