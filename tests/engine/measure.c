/* What the engine measures: steps of several sequences, limits.  No time is judged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "support/asking.h"
#include "support/support.h"

enum { N_STEPS = 5 };

static struct omma_model *model;

static int open_demo(void **state)
{
    (void)state;
    model = omma_test_open_demo();
    return 0;
}

static int close_demo(void **state)
{
    (void)state;
    omma_model_close(&model);
    return 0;
}

static struct omma_engine *start(void)
{
    return omma_test_make_engine(model, &(struct omma_engine_options){.n_threads = 2});
}

static void assert_times(const double *steps_s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(steps_s[i]) && steps_s[i] > 0);
    }
    assert_true(steps_s[n] == -1); /* untouched */
}

static void test_steps(void **state)
{
    struct omma_engine *engine = start();
    double steps_s[N_STEPS + 1] = {[N_STEPS] = -1};
    struct omma_error error;

    (void)state;
    for (size_t n = 1; n <= 12; n += 11) { /* through the GEMV and the GEMM */
        const struct omma_decode_plan plans[] = {{n, 0, N_STEPS, 1}, {n, 70, N_STEPS, 2}};

        for (size_t i = 0; i < 2; i++) {
            memset(steps_s, 0, N_STEPS * sizeof *steps_s);
            assert_ok(omma_decode_measure(engine, &plans[i], steps_s, &error));
            assert_times(steps_s, N_STEPS);
        }
    }
    omma_engine_destroy(&engine);
}

static void test_bad_plans(void **state)
{
    struct omma_engine *engine = start();
    const struct omma_decode_plan none = {.n_steps = 1}, many = {.n_sequences = 513},
                                  long_one = {1, SIZE_MAX, 2, 0}, deep = {1, 1 << 24, 1, 0};
    double steps_s[1];
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "1 to 512, found 0",
                 omma_decode_measure(engine, &none, steps_s, &error));
    assert_fails(OMMA_STATUS_USAGE, "found 513",
                 omma_decode_measure(engine, &many, steps_s, &error));
    assert_fails(OMMA_STATUS_USAGE, "at most 16777216 together",
                 omma_decode_measure(engine, &long_one, steps_s, &error));
    assert_fails(OMMA_STATUS_USAGE, "found 513",
                 omma_decode_measure(engine, &many, steps_s, &error));
    assert_fails(OMMA_STATUS_USAGE, "depth 16777216",
                 omma_decode_measure(engine, &deep, steps_s, &error));
    omma_engine_destroy(&engine);
}

/* Memory of the machine's first node; there is no node 999. */
static void read_from_nodes(const struct omma_engine_options *options, struct omma_limits *limits)
{
    struct omma_machine *machine = NULL;
    struct omma_error error;

    assert_ok(omma_machine_open(NULL, &machine, &error));
    limits->read_bytes_per_s = 0;
    assert_ok(omma_limits_from_node(options, machine->nodes[0].number, limits, &error));
    assert_true(limits->read_bytes_per_s > 0);
    assert_string_equal(limits->read_memory, "huge");
    assert_fails(OMMA_STATUS_USAGE,
                 "node 999: ", omma_limits_from_node(options, 999, limits, &error));
    omma_machine_close(&machine);
}

/* The demo is too small to be read itself. */
static void test_limits(void **state)
{
    struct omma_engine *engine = start();
    struct omma_limits limits, of_machine;
    const struct omma_engine_options options = {.n_threads = 1, .isa = "scalar"};
    struct omma_error error;
    size_t n_streams;

    (void)state;
    assert_ok(omma_limits_measure(engine, &limits, &error));
    assert_true(limits.read_bytes_per_s > 0 && limits.f32.per_s > 0 && limits.clock_hz > 0);
    assert_string_equal(limits.isa, omma_engine_info(engine)->isa);
    assert_string_not_equal(limits.read_memory, "model");
    n_streams = limits.read_streams;
    limits.read_bytes_per_s = 0;
    assert_ok(omma_limits_read_again(engine, &limits, &error));
    assert_true(limits.read_bytes_per_s > 0);
    assert_int_equal(limits.read_streams, n_streams);
    omma_engine_destroy(&engine);

    assert_ok(omma_limits_of_machine(&options, &of_machine, &error));
    assert_string_equal(of_machine.isa, "scalar");
    assert_int_equal(of_machine.n_threads, 1);
    assert_true(of_machine.bf16.per_s == 0);
    assert_string_equal(of_machine.cpu, limits.cpu);
    read_from_nodes(&options, &of_machine);
}

/* All of the language model, but one row of the embedding, which is not the head too. */
static void test_bytes_of_a_step(void **state)
{
    const struct omma_model_info *info = omma_model_info(model);

    (void)state;
    assert_true(info->step_bytes ==
                2 * (info->n_language_parameters - (info->vocab - 1) * info->hidden));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_bad_plans),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bytes_of_a_step),
    };

    return cmocka_run_group_tests(tests, open_demo, close_demo);
}
