/*
 * The work that omma bench counts, against the table of the specification (section 11: parameters,
 * operations and bytes of the released shapes), and its order statistics.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/project.h" /* before cmocka and its macro fail() */
#include "tools/bench/work.h"

#include "support/support.h"

/* cmocka's own works in float. */
#define assert_close(found, expected, tolerance)                                                   \
    do {                                                                                           \
        double found_ = (found), expected_ = (expected);                                           \
        if (!(fabs(found_ - expected_) <= (tolerance))) {                                          \
            fail_msg("%s: %.15g, expected %.15g", #found, found_, expected_);                      \
        }                                                                                          \
    } while (0)

static const struct omma_model_info SHAPE_1B = {
    .weight_dtype = "bf16",
    .n_language_parameters = 629697920,
    .step_bytes = 2 * (629697920ull - 151673ull * 896),
    .kv_bytes_per_token = 12288,
    .n_vision_layers = 24,
    .vision_hidden = 1024,
    .vision_ffn = 4096,
    .n_layers = 24,
    .hidden = 896,
    .n_heads = 14,
    .n_kv_heads = 2,
    .head_dim = 64,
    .ffn = 4864,
    .vocab = 151674,
    .tile_size = 448,
    .tokens_per_tile = 256,
};

static const struct omma_model_info SHAPE_78B = {
    .weight_dtype = "bf16",
    .n_language_parameters = 72699813888,
    .step_bytes = 2 * (72699813888ull - 151673ull * 8192),
    .kv_bytes_per_token = 327680,
    .n_vision_layers = 45,
    .vision_hidden = 3200,
    .vision_ffn = 12800,
    .n_layers = 80,
    .hidden = 8192,
    .n_heads = 64,
    .n_kv_heads = 8,
    .head_dim = 128,
    .ffn = 29568,
    .vocab = 151674,
    .tile_size = 448,
    .tokens_per_tile = 256,
};

static void prefill_of_one_token_and_more(void **state)
{
    (void)state;
    /* 0.716 GFLOP of linear layers a token, 86,016 FLOP a token and position, 0.272 of the head */
    assert_close(2 * bench_prefill_work(&SHAPE_1B, 1), 0.716e9 + 0.272e9, 0.001e9);
    assert_close(2 * bench_prefill_work(&SHAPE_1B, 1000),
                 716e9 + 86016.0 * 1000 * 1000 / 2 + 0.272e9, 0.5e9);
    assert_close(2 * bench_prefill_work(&SHAPE_78B, 1), 140.4e9 + 2.485e9, 0.1e9);
}

static void tile_with_projector(void **state)
{
    (void)state;
    assert_close(2 * bench_tile_work(&SHAPE_1B), 723.6e9 + 2.3e9, 0.2e9);
    assert_close(2 * bench_tile_work(&SHAPE_78B), 11945e9 + 88.1e9, 1e9);
}

static void decode_reads_weights_once(void **state)
{
    double empty = bench_decode_bytes(&SHAPE_1B, 0, 1, "bf16");

    (void)state;
    /* 1.259 GB less an embedding of 0.272 GB */
    assert_close(empty, 1.2594e9 - 0.2718e9, 0.001e9);
    assert_close(bench_decode_bytes(&SHAPE_1B, 1000, 1, "bf16") - empty, 12288000, 1);
    assert_close(bench_decode_bytes(&SHAPE_1B, 1000, 1, "f32") - empty, 2 * 12288000, 1);
    assert_close(bench_decode_bytes(&SHAPE_1B, 1000, 4, "bf16") - empty, 4 * 12288000, 1);
    assert_close(bench_decode_bytes(&SHAPE_1B, 0, 8, "bf16"), empty, 1);
    assert_close(bench_decode_bytes(&SHAPE_78B, 0, 1, "bf16"), 145.400e9 - 2.485e9, 0.01e9);
}

static void median_of_odd_and_even(void **state)
{
    struct bench_samples samples = {.values = {3, 1, 2}, .n_values = 3};

    (void)state;
    assert_true(bench_median(&samples) == 2);
    assert_true(bench_minimum(&samples) == 1);
    assert_true(bench_maximum(&samples) == 3);
    samples.values[samples.n_values++] = 10;
    assert_true(bench_median(&samples) == 2.5);
}

static void deviation_of_the_sample(void **state)
{
    struct bench_samples samples = {.values = {2, 4, 4, 4, 5, 5, 7, 9}, .n_values = 8};

    (void)state;
    assert_close(bench_deviation(&samples), sqrt(32.0 / 7), 1e-12);
    samples.n_values = 1;
    assert_true(bench_deviation(&samples) == 0);
}

static void lists_of_numbers(void **state)
{
    static const char *const bad[] = {
        ",",    "1,",  ",1", "1,,2",       "x",
        "1;2",  "0",   "11", "-1",         " 1",
        "1, 2", "1e1", "+1", "4294967297", "1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7"};
    struct bench_list list;
    struct omma_error error;

    (void)state;
    assert_ok(bench_list_parse("p", "3", 1, 10, &list, &error));
    assert_int_equal(list.n_values, 1);
    assert_ok(bench_list_parse("p", "1,10,2", 1, 10, &list, &error));
    assert_int_equal(list.n_values, 3);
    assert_int_equal(list.values[1], 10);
    assert_ok(bench_list_parse("p", "none", 1, 10, &list, &error));
    assert_int_equal(list.n_values, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(OMMA_STATUS_USAGE, "--p: expected at most 16 numbers from 1 to 10",
                     bench_list_parse("p", bad[i], 1, 10, &list, &error));
    }
}

static void plan_multiplied_out(void **state)
{
    struct bench_plan plan = {.prompts = {{512, 2048}, 2},
                              .new_tokens = {{128}, 1},
                              .depths = {{0, 4096}, 2},
                              .batches = {{1, 4}, 2},
                              .tiles = {{13}, 1},
                              .first_tiles = {{1}, 1},
                              .load = true};
    static const char *const names[] = {"load",           "pp512",    "pp2048",
                                        "tg128",          "tg128@b4", "tg128@d4096",
                                        "tg128@d4096@b4", "vit13",    "ttft1"};
    struct bench_tests tests;
    struct omma_error error;

    (void)state;
    assert_ok(bench_tests_create(&plan, &SHAPE_1B, "bf16", &tests, &error));
    assert_int_equal(tests.n_tests, sizeof names / sizeof *names);
    for (size_t i = 0; i < tests.n_tests; i++) {
        assert_string_equal(tests.tests[i].name, names[i]);
    }
    /* the cache holds 4097 to 4224 tokens and the one that is fed */
    assert_close(tests.tests[5].work, bench_decode_bytes(&SHAPE_1B, 4161.5, 1, "bf16"), 1);
    assert_close(tests.tests[7].work, 13 * bench_tile_work(&SHAPE_1B), 1);
    assert_true(tests.tests[6].rate_per_sample == 4);
    bench_tests_destroy(&tests);
}

/* ---- projections ------------------------------------------------------------------------------
 */

/* Two layers of each kind, as measured on a machine of two threads. */
static const struct omma_limits HERE = {
    .cpu = "this one",
    .isa = "avx512bf16",
    .n_threads = 2,
    .read_bytes_per_s = 40e9,
    .clock_hz = 4e9,
    .f32 = {.per_s = 128e9},
    .bf16 = {.per_s = 256e9},
};

static const struct bench_layers LAYERS = {
    .n_prompt = 512,
    .depth = 0,
    .prefill = {0.040, 0.007},
    .decode = {0.0008, 0.0070},
    .tile = {0.070, 0.100},
    .read_bytes_per_s = 40e9,
};

static const struct omma_engine_info ENGINE = {.precision = "bf16", .kv_dtype = "bf16"};

static void project(const struct bench_machine *machine, struct bench_forecast *forecast)
{
    const struct bench_projection projection = {.size = "1B",
                                                .n_layers = 24,
                                                .n_vision_layers = 20,
                                                .model = &SHAPE_1B,
                                                .engine = &ENGINE,
                                                .limits = &HERE,
                                                .layers = &LAYERS,
                                                .machine = machine};
    struct omma_error error;

    assert_ok(bench_project(&projection, forecast, &error));
}

/* On the machine that was measured the parts add up to what they were. */
static void projection_here(void **state)
{
    struct bench_machine machine;
    struct bench_forecast forecast;

    (void)state;
    bench_machine_here(&HERE, &machine);
    project(&machine, &forecast);
    assert_close(forecast.step_s[0], 24 * 0.0008 + 0.0070, 1e-9);
    assert_close(forecast.prefill_s, 24 * 0.040 + 0.007, 1e-9);
    assert_close(forecast.tile_s, 20 * 0.070 + 0.100, 1e-9);
    assert_true(forecast.step_s[2] > forecast.step_s[1]);
    assert_true(forecast.step_s[1] > forecast.step_s[0]);
    assert_close(forecast.weight_bytes, (double)SHAPE_1B.step_bytes, 1);
    assert_true(forecast.first_token_s > 13 * forecast.tile_s);
}

/* Reading bounds decode, multiplying the rest; a second node halves both, less what it costs. */
static void projection_elsewhere(void **state)
{
    struct bench_machine machine;
    struct bench_forecast here, fast, two;

    (void)state;
    bench_machine_here(&HERE, &machine);
    project(&machine, &here);
    machine.read_bytes_per_s *= 2;
    project(&machine, &fast);
    assert_close(fast.step_s[0], here.step_s[0] / 2, 1e-9);
    assert_close(fast.tile_s, here.tile_s, 1e-9);
    machine.read_bytes_per_s /= 2;
    machine.n_nodes = 2;
    machine.between_bytes_per_s = 1e12;
    machine.barrier_s = 1e-5;
    project(&machine, &two);
    assert_close(two.step_s[0], here.step_s[0] / 2 + 24 * 5 * 1e-5, 1e-6);
    assert_true(two.tile_s > here.tile_s / 2);
    assert_true(two.tile_s < 0.6 * here.tile_s);
    assert_true(two.prefill_idle >= 0 && two.prefill_idle < 0.05);
    machine.cores_per_node = 96; /* more than panels of most of its matrices */
    project(&machine, &two);
    assert_true(two.prefill_idle > 0.3 && two.prefill_idle < 1);
}

static void refuse_machine(const char *text, const char *message)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "machine.json");
    struct bench_machine machine;
    struct omma_error error;

    omma_test_write(path, text, strlen(text));
    assert_fails(OMMA_STATUS_USAGE, message, bench_machine_read(path, &machine, &error));
    free(path);
    free(folder);
}

#define MACHINE                                                                                    \
    "\"name\": \"a\", \"tier\": \"amx\", \"nodes\": 2, \"cores_per_node\": 8, \"clock_ghz\": 2,"   \
    "\"bf16_per_cycle\": 512, \"read_gb_per_s\": 300"

static void described_machines(void **state)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "machine.json");
    const char *good = "{" MACHINE ", \"between_gb_per_s\": 100}";
    struct bench_machine machine;
    struct omma_error error;

    (void)state;
    omma_test_write(path, good, strlen(good));
    assert_ok(bench_machine_read(path, &machine, &error));
    assert_int_equal(machine.n_nodes, 2);
    assert_true(machine.clock_hz == 2e9 && machine.bf16_per_cycle == 512);
    assert_true(machine.read_bytes_per_s == 300e9 && machine.between_bytes_per_s == 100e9);
    free(path);
    free(folder);

    refuse_machine("{" MACHINE "}", "between_gb_per_s: expected a number, as there are 2 nodes");
    refuse_machine("{" MACHINE ", \"between_gb_per_s\": 1, \"clock\": 3}", "clock: no field");
    refuse_machine("{" MACHINE ", \"barrier_us\": \"x\"}", "from 0 to 1000, found \"x\"");
    refuse_machine("{\"name\": \"a\", \"tier\": \"b\", \"nodes\": 1.5}",
                   "nodes: expected a whole number from 1 to 64, found 1.5");
    refuse_machine("{\"name\": \"a\"}", "tier: expected a text");
    refuse_machine("{\"name\": \"a\", \"tier\": \"b\", \"nodes\": 1}",
                   "cores_per_node: expected a number, found nothing");
    refuse_machine("[]", "expected a JSON object");
    refuse_machine("{", "expected a JSON object");
}

/* The multiply-add that was measured must be described. */
static void machine_without_the_product(void **state)
{
    struct bench_machine machine = {.name = "a",
                                    .n_nodes = 1,
                                    .cores_per_node = 1,
                                    .clock_hz = 1e9,
                                    .f32_per_cycle = 16,
                                    .read_bytes_per_s = 1e9};
    const struct bench_projection projection = {.model = &SHAPE_1B,
                                                .engine = &ENGINE,
                                                .limits = &HERE,
                                                .layers = &LAYERS,
                                                .machine = &machine};
    struct bench_forecast forecast;
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "multiply-adds a cycle of the bf16 dot product",
                 bench_project(&projection, &forecast, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefill_of_one_token_and_more), cmocka_unit_test(tile_with_projector),
        cmocka_unit_test(decode_reads_weights_once),     cmocka_unit_test(median_of_odd_and_even),
        cmocka_unit_test(deviation_of_the_sample),       cmocka_unit_test(lists_of_numbers),
        cmocka_unit_test(plan_multiplied_out),           cmocka_unit_test(projection_here),
        cmocka_unit_test(projection_elsewhere),          cmocka_unit_test(described_machines),
        cmocka_unit_test(machine_without_the_product),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
