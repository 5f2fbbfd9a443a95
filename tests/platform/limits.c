/* The measurement of limits with probes that are known; no rate is expected, only that it is one.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "platform/known_cpu.h"
#include "platform/limits.h"
#include "support/support.h"

/* What the probe was asked to read, and how often that was no multiple of a page: the threads of a
 * test share it. */
static _Atomic uint64_t n_read, n_uneven;

/* The patterns asked for: bit n_streams, or 16 more with prefetch. */
static _Atomic uint64_t n_patterns;

static uint64_t sum_bytes(const void *bytes, size_t n_bytes, size_t n_streams,
                          size_t prefetch_bytes)
{
    const unsigned char *byte = bytes;
    uint64_t sum = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        sum += byte[i];
    }
    n_read += n_bytes;
    n_uneven += n_bytes % 4096 != 0;
    n_patterns |= UINT64_C(1) << (n_streams + (prefetch_bytes != 0 ? 16 : 0));
    return sum;
}

enum { STEPS = 24 };

static uint64_t multiply(uint64_t n_rounds)
{
    volatile float x = 1;

    for (uint64_t i = 0; i < STEPS * n_rounds; i++) {
        x = x * 0.5f + 1;
    }
    return 8 * STEPS * n_rounds; /* as if a step were 8 elements wide */
}

static uint64_t do_nothing(uint64_t n_rounds)
{
    (void)multiply(n_rounds);
    return 0;
}

/* Additions that depend on each other: `a cycle each` if the chain that tells the clock is one. */
static uint64_t add_in_chain(uint64_t n_rounds, uint64_t n_claimed)
{
    uint64_t sum = 1, addend = 1;

    for (uint64_t i = 0; i < n_rounds * STEPS; i++) {
        sum += addend;
        __asm__ volatile("" : "+r"(sum), "+r"(addend));
    }
    return n_claimed;
}

static uint64_t one_a_cycle(uint64_t n_rounds)
{
    return add_in_chain(n_rounds, 4 * STEPS * n_rounds);
}

/* So much more than it does that no disturbed pass makes up for it. */
static uint64_t hundredfold(uint64_t n_rounds)
{
    return n_rounds == 1 ? 4 * STEPS : add_in_chain(n_rounds, 400 * STEPS * n_rounds);
}

static void measure_known(size_t n_threads, const struct omma_limits_probes *probes,
                          size_t read_bytes, const struct omma_known_peaks *known_peaks,
                          struct omma_limits *limits)
{
    struct omma_team_options options = {.n_threads = n_threads};
    struct omma_limits_options memory = {
        .isa = "none", .read_bytes = read_bytes, .known_peaks = known_peaks};
    struct omma_team *team;
    struct omma_error error;

    assert_ok(omma_team_create(&options, &team, &error));
    assert_ok(omma_limits_of_team(team, probes, &memory, limits, &error));
    omma_team_destroy(&team);
    assert_int_equal(limits->n_threads, n_threads);
}

static void measure(size_t n_threads, const struct omma_limits_probes *probes, size_t read_bytes,
                    struct omma_limits *limits)
{
    measure_known(n_threads, probes, read_bytes, NULL, limits);
}

static void assert_rate(double rate)
{
    assert_true(isfinite(rate) && rate > 0);
}

static void test_rates(void **state)
{
    const struct omma_limits_probes probes = {multiply, multiply, multiply, STEPS, sum_bytes};
    struct omma_limits limits;

    (void)state;
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        n_read = n_patterns = 0;
        measure(n_threads, &probes, 100001, &limits); /* rounded up to whole pages */
        assert_rate(limits.read_bytes_per_s);
        assert_rate(limits.f32.per_s);
        assert_rate(limits.bf16.per_s);
        assert_rate(limits.i8.per_s);
        assert_true(limits.f32.per_step == 8);
        assert_rate(limits.clock_hz);
        assert_true(n_read > 0);
        assert_int_equal(n_read % 102400, 0); /* whole passes, all parts of them */
        assert_int_equal(n_uneven, 0);
        assert_int_equal(limits.read_bytes, 102400);
        assert_true(n_patterns == (0x112 | 0x112 << 16)); /* 1, 4 and 8 streams, with and without */
        assert_false(limits.read_counts);                 /* nothing beside the caches */
    }
}

static void test_absent_probes(void **state)
{
    const struct omma_limits_probes none = {0},
                                    idle = {.f32_fma = do_nothing, .steps_per_round = STEPS};
    struct omma_limits limits;

    (void)state;
    memset(&limits, 0xFF, sizeof limits);
    measure(2, &none, 0, &limits);
    assert_true(limits.read_bytes_per_s == 0);
    assert_true(limits.f32.per_s == 0);
    assert_true(limits.bf16.per_s == 0);
    assert_rate(limits.clock_hz);
    measure(1, &idle, 0, &limits);
    assert_true(limits.f32.per_s == 0);
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
    const struct omma_limits_options memory = {.read_bytes = SIZE_MAX / 4};
    struct omma_team_options options = {.n_threads = 1};
    struct omma_limits limits = {.clock_hz = 7};
    struct omma_team *team;
    struct omma_error error;

    (void)state;
    assert_ok(omma_team_create(&options, &team, &error));
    assert_fails(OMMA_STATUS_RESOURCES, "speed of memory",
                 omma_limits_of_team(team, &probes, &memory, &limits, &error));
    assert_true(limits.clock_hz == 7); /* untouched */
    omma_team_destroy(&team);
}

/* A peak counts if it is what the CPU is known to do a cycle.  No time is judged: both are the same
 * additions, and only one claims what it does. */
static void test_known_peaks(void **state)
{
    const struct omma_limits_probes honest = {.f32_fma = one_a_cycle, .steps_per_round = STEPS};
    const struct omma_limits_probes boasting = {.f32_fma = hundredfold, .steps_per_round = STEPS};
    const struct omma_known_peaks known = {.f32 = 4}, far_more = {.f32 = 400};
    struct omma_limits limits;

    (void)state;
    measure(1, &honest, 4096, &limits);
    assert_true(limits.f32.per_step == 4);
    assert_true(limits.f32.known_per_cycle == 0);
    assert_false(limits.f32.counts); /* no row has that tier */
    measure_known(1, &honest, 4096, &far_more, &limits);
    assert_false(limits.f32.counts); /* a core of which little is there */
    measure_known(1, &honest, 4096, &known, &limits);
    assert_true(limits.f32.known_per_cycle == 4);
    if (!limits.f32.counts) {
        skip(); /* a machine so busy that even the best pass was disturbed */
    }
    assert_true(fabs(limits.f32.per_cycle / 4 - 1) <= 0.03);
    measure_known(1, &boasting, 4096, &known, &limits);
    assert_false(limits.f32.counts);
}

/* Weights are read where they lie if there are enough of them. */
static void test_memory_of_the_model(void **state)
{
    const struct omma_limits_probes probes = {.read = sum_bytes};
    struct omma_limits_options memory = {.weights_bytes = 3 * 4096, .read_bytes = 2 * 4096};
    struct omma_team_options options = {.n_threads = 2};
    struct omma_limits limits;
    struct omma_team *team;
    struct omma_error error;
    void *weights = aligned_alloc(4096, memory.weights_bytes);

    (void)state;
    memset(weights, 0, memory.weights_bytes);
    memory.weights = weights;
    assert_ok(omma_team_create(&options, &team, &error));
    assert_ok(omma_limits_of_team(team, &probes, &memory, &limits, &error));
    assert_string_equal(limits.read_memory, "model");
    memory.read_bytes = 4 * 4096;
    assert_ok(omma_limits_of_team(team, &probes, &memory, &limits, &error));
    assert_string_not_equal(limits.read_memory, "model");
    memory.memory = OMMA_LIMITS_HUGE;
    assert_ok(omma_limits_of_team(team, &probes, &memory, &limits, &error));
    assert_string_equal(limits.read_memory, "huge");

    n_patterns = 0;
    limits.read_bytes_per_s = -1;
    assert_ok(omma_limits_read_of_team(team, &probes, &memory, &limits, &error));
    assert_rate(limits.read_bytes_per_s);
    assert_true(n_patterns == UINT64_C(1)
                                  << (limits.read_streams + (limits.read_prefetch_bytes ? 16 : 0)));
    omma_team_destroy(&team);
    free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_absent_probes),
        cmocka_unit_test(test_one_page),
        cmocka_unit_test(test_memory_that_cannot_be_had),
        cmocka_unit_test(test_memory_of_the_model),
        cmocka_unit_test(test_known_peaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
