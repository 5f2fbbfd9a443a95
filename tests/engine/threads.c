/*
 * The same bits for 1, 2, 3, 4 and 8 threads, and wherever the weights lie: every row of every
 * stage, the logits of every step among them, and the tokens chosen, on every tier and in both
 * precisions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "support/asking.h"
#include "support/quantized.h"
#include "support/support.h"

static const size_t N_THREADS[] = {1, 2, 3, 4, 8};
enum { N_COUNTS = sizeof N_THREADS / sizeof *N_THREADS, N_NEW = 8 };

/* A hash a stage, in the order in which stages come first; rows of a stage come in order. */
struct trace {
    struct {
        char stage[48];
        uint64_t hash;
        size_t n_rows;
    } stages[64];
    size_t n_stages;
    int32_t ids[N_NEW];
    float margins[N_NEW];
    size_t n_ids;
};

/* FNV-1a over 32-bit words */
static uint64_t hash_words(uint64_t hash, const float *values, size_t n_values)
{
    for (size_t i = 0; i < n_values; i++) {
        uint32_t word;

        memcpy(&word, &values[i], sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001B3);
    }
    return hash;
}

static void observe(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                    const float *values)
{
    struct trace *trace = user;
    size_t i = 0;

    (void)first_row;
    while (i < trace->n_stages && strcmp(trace->stages[i].stage, stage) != 0) {
        i++;
    }
    if (i == sizeof trace->stages / sizeof *trace->stages) {
        return; /* n_stages tells: the test fails */
    }
    if (i == trace->n_stages) {
        snprintf(trace->stages[i].stage, sizeof trace->stages[i].stage, "%s", stage);
        trace->stages[i].hash = UINT64_C(0xCBF29CE484222325);
        trace->n_stages++;
    }
    trace->stages[i].hash = hash_words(trace->stages[i].hash, values, n_rows * width);
    trace->stages[i].n_rows += n_rows;
}

/* machine NULL: this one */
static void run_on(struct omma_model *model, const struct omma_image *image, const char *machine,
                   const struct omma_engine_options *options, struct trace *trace)
{
    static const char QUESTION[] = "How many shapes are there?";
    const struct omma_turn turn = {OMMA_ROLE_USER, QUESTION, sizeof QUESTION - 1};
    struct omma_topology_options topology = {.synthetic = machine};
    struct omma_request request = {
        .conversation = {.turns = &turn, .n_turns = 1, .images = &image, .n_images = 1},
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true,
        .observer = {observe, trace},
    };
    struct omma_engine *engine = NULL;
    struct omma_session *session = NULL;
    struct omma_event event = {0};
    struct omma_error error = {0};

    *trace = (struct trace){0};
    assert_ok(omma_engine_create_on(model, options, &topology, &engine, &error));
    assert_int_equal(omma_engine_info(engine)->n_threads, options->n_threads);
    assert_ok(omma_session_create(engine, NULL, &session, &error));
    assert_ok(omma_session_submit(session, &request, &error));
    while (event.type != OMMA_EVENT_DONE) {
        assert_ok(omma_session_poll(session, -1, &event, &error));
        if (event.type == OMMA_EVENT_TOKEN && trace->n_ids < N_NEW) {
            trace->ids[trace->n_ids] = event.id;
            trace->margins[trace->n_ids++] = event.margin;
        }
    }
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

static void expect_same(const struct trace *one, const struct trace *many, size_t n_threads,
                        const char *isa)
{
    assert_int_equal(one->n_stages, many->n_stages);
    for (size_t i = 0; i < one->n_stages; i++) {
        assert_string_equal(one->stages[i].stage, many->stages[i].stage);
        assert_int_equal(one->stages[i].n_rows, many->stages[i].n_rows);
        if (one->stages[i].hash != many->stages[i].hash) {
            fail_msg("%s, %zu threads: other bits in %s", isa, n_threads, one->stages[i].stage);
        }
    }
    assert_int_equal(many->n_ids, N_NEW);
    assert_memory_equal(one->ids, many->ids, sizeof one->ids);
    assert_memory_equal(one->margins, many->margins, sizeof one->margins);
}

/* On every tier, with these options but for tier and number of threads. */
static void same_bits_of(struct omma_model *model, struct omma_engine_options options)
{
    struct omma_image *image = omma_test_open_picture("number.png", NULL);
    bool is_usable;
    struct trace one, many;

    options.prefill_chunk = 200;
    for (size_t i = 0; (options.isa = omma_isa_tier(i, &is_usable)) != NULL; i++) {
        for (size_t k = 0; k < N_COUNTS && is_usable; k++) {
            options.n_threads = N_THREADS[k];
            run_on(model, image, NULL, &options, k == 0 ? &one : &many);
            assert_true(one.n_stages > 10);
            if (k > 0) {
                expect_same(&one, &many, N_THREADS[k], options.isa);
            }
        }
    }
    omma_image_close(&image);
}

static void same_bits(enum omma_precision precision)
{
    struct omma_model *model = omma_test_open_demo();

    same_bits_of(model, (struct omma_engine_options){.precision = precision});
    omma_model_close(&model);
}

/* A small checkpoint of int8 weights. */
static struct omma_model *open_int8(const struct omma_test_quantization *quantization)
{
    struct omma_test_checkpoint checkpoint;
    struct omma_model *model = NULL;
    char *folder = omma_test_folder();
    struct omma_error error = {0};

    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_widen(&checkpoint, 320);
    omma_test_checkpoint_quantize(&checkpoint, quantization);
    omma_test_checkpoint_write(&checkpoint, folder, 1);
    assert_ok(omma_model_open(folder, NULL, &model, &error));
    omma_test_checkpoint_free(&checkpoint);
    free(folder);
    return model;
}

/* Int8 activations, and weights alone. */
static void same_bits_in_int8(void **state)
{
    static const struct omma_test_quantization kinds[] = {{.vision = true, .head = true},
                                                          {.group = 64}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct omma_model *model = open_int8(&kinds[i / 2]);

        same_bits_of(model, (struct omma_engine_options){.no_int8_activations = i % 2 == 1});
        omma_model_close(&model);
    }
}

/* On machines that are made up, which this one cannot bind memory to, and on this one, with copies
 * in its one node. */
static void same_bits_wherever_weights_of(struct omma_model *model)
{
    static const char TWO[] = "package:2 [numa(memory=1GB)] core:4 1";
    static const struct {
        const char *machine;
        enum omma_numa numa;
        bool keep_mapped;
        size_t first, last; /* numbers of threads */
    } ways[] = {
        {TWO, OMMA_NUMA_OFF, false, 8, 8},
        {TWO, OMMA_NUMA_SHARD, false, 2, 8},
        {TWO, OMMA_NUMA_SHARD, true, 8, 8},
        {TWO, OMMA_NUMA_MIRROR, false, 5, 8},
        {"package:3 [numa(memory=1GB)] core:3 1", OMMA_NUMA_SHARD, false, 7, 7},
        {"package:4 [numa(memory=1GB)] core:1 1", OMMA_NUMA_SHARD, false, 4, 5},
        {"package:4 [numa(memory=1GB)] core:1 1", OMMA_NUMA_MIRROR, false, 4, 4},
        {NULL, OMMA_NUMA_SHARD, false, 1, 3},
        {NULL, OMMA_NUMA_SHARD, true, 2, 2},
        {NULL, OMMA_NUMA_MIRROR, false, 2, 2},
    };
    const struct omma_engine_options alone = {.n_threads = 1, .prefill_chunk = 200};
    struct omma_image *image = omma_test_open_picture("number.png", NULL);
    struct trace one, other;

    run_on(model, image, NULL, &alone, &one);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (size_t n_threads = ways[i].first; n_threads <= ways[i].last; n_threads++) {
            struct omma_engine_options options = {.n_threads = n_threads,
                                                  .numa = ways[i].numa,
                                                  .keep_mapped = ways[i].keep_mapped,
                                                  .prefill_chunk = 200};

            run_on(model, image, ways[i].machine, &options, &other);
            expect_same(&one, &other, n_threads,
                        ways[i].machine != NULL ? ways[i].machine : "this machine");
        }
    }
    omma_image_close(&image);
}

static void same_bits_wherever_weights_lie(void **state)
{
    static const struct omma_test_quantization int8 = {.group = 64, .vision = true};
    char *path = omma_test_source("share/omma/demo");
    struct omma_model *model = NULL;
    struct omma_error error = {0};

    (void)state;
    assert_ok(omma_model_open(path, NULL, &model, &error));
    same_bits_wherever_weights_of(model);
    omma_model_close(&model);
    model = open_int8(&int8);
    same_bits_wherever_weights_of(model);
    omma_model_close(&model);
    free(path);
}

static void same_bits_in_f32(void **state)
{
    (void)state;
    same_bits(OMMA_PRECISION_F32);
}

static void same_bits_in_bf16(void **state)
{
    (void)state;
    same_bits(OMMA_PRECISION_BF16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_in_f32),
        cmocka_unit_test(same_bits_in_bf16),
        cmocka_unit_test(same_bits_in_int8),
        cmocka_unit_test(same_bits_wherever_weights_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
