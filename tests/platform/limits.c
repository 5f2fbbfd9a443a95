/* The measurement of limits with probes that are known; no rate is expected, only that it is one.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "platform/limits.h"
#include "support/support.h"

/* What the probe was asked to read, and how often that was no multiple of a page: the threads of a
 * test share it. */
static _Atomic uint64_t n_read, n_uneven;

static uint64_t sum_bytes(const void *bytes, size_t n_bytes)
{
    const unsigned char *byte = bytes;
    uint64_t sum = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        sum += byte[i];
    }
    n_read += n_bytes;
    n_uneven += n_bytes % 4096 != 0;
    return sum;
}

static uint64_t multiply(uint64_t n_rounds)
{
    volatile float x = 1;

    for (uint64_t i = 0; i < n_rounds; i++) {
        x = x * 0.5f + 1;
    }
    return n_rounds;
}

static uint64_t do_nothing(uint64_t n_rounds)
{
    (void)multiply(n_rounds);
    return 0;
}

static void measure(size_t n_threads, const struct omma_limits_probes *probes, size_t read_bytes,
                    struct omma_limits *limits)
{
    struct omma_team_options options = {.n_threads = n_threads};
    struct omma_team *team;
    struct omma_error error;

    assert_ok(omma_team_create(&options, &team, &error));
    assert_ok(omma_limits_of_team(team, probes, read_bytes, limits, &error));
    omma_team_destroy(&team);
    assert_int_equal(limits->n_threads, n_threads);
}

static void assert_rate(double rate)
{
    assert_true(isfinite(rate) && rate > 0);
}

static void test_rates(void **state)
{
    const struct omma_limits_probes probes = {multiply, multiply, sum_bytes};
    struct omma_limits limits;

    (void)state;
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        n_read = 0;
        measure(n_threads, &probes, 100001, &limits); /* rounded up to whole pages */
        assert_rate(limits.read_bytes_per_s);
        assert_rate(limits.f32_fma_per_s);
        assert_rate(limits.bf16_dot_per_s);
        assert_rate(limits.clock_hz);
        assert_true(n_read > 0);
        assert_int_equal(n_read % 102400, 0); /* whole passes, all parts of them */
        assert_int_equal(n_uneven, 0);
    }
}

static void test_absent_probes(void **state)
{
    const struct omma_limits_probes none = {0}, idle = {.f32_fma = do_nothing};
    struct omma_limits limits;

    (void)state;
    memset(&limits, 0xFF, sizeof limits);
    measure(2, &none, 0, &limits);
    assert_true(limits.read_bytes_per_s == 0);
    assert_true(limits.f32_fma_per_s == 0);
    assert_true(limits.bf16_dot_per_s == 0);
    assert_rate(limits.clock_hz);
    measure(1, &idle, 0, &limits);
    assert_true(limits.f32_fma_per_s == 0);
}

/* More threads than pages: some have nothing to read. */
static void test_one_page(void **state)
{
    const struct omma_limits_probes probes = {.read = sum_bytes};
    struct omma_limits limits;

    (void)state;
    measure(3, &probes, 1, &limits);
    assert_rate(limits.read_bytes_per_s);
}

static void test_memory_that_cannot_be_had(void **state)
{
    const struct omma_limits_probes probes = {.read = sum_bytes};
    struct omma_team_options options = {.n_threads = 1};
    struct omma_limits limits = {.clock_hz = 7};
    struct omma_team *team;
    struct omma_error error;

    (void)state;
    assert_ok(omma_team_create(&options, &team, &error));
    assert_fails(OMMA_STATUS_RESOURCES, "speed of memory",
                 omma_limits_of_team(team, &probes, SIZE_MAX / 4, &limits, &error));
    assert_true(limits.clock_hz == 7); /* untouched */
    omma_team_destroy(&team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_absent_probes),
        cmocka_unit_test(test_one_page),
        cmocka_unit_test(test_memory_that_cannot_be_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
