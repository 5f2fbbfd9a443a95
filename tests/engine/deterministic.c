/*
 * The deterministic mode: what a request gives has the same bits alone and beside others, for any
 * chunk and number of threads, and whether its beginning was computed before or not.  The logits of
 * every step are compared, and what is cached by way of them.
 */
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "support/asking.h"
#include "support/quantized.h"
#include "support/support.h"

enum { N = 10, N_NEW = 12, LONGEST = 400 };

struct trace {
    uint64_t hash; /* of the logits of all steps, FNV-1a over 32-bit words */
    size_t n_steps;
    int32_t ids[N_NEW];
    float margins[N_NEW];
    size_t n_ids, n_cached;
};

static void observe(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                    const float *values)
{
    struct trace *trace = user;

    (void)first_row;
    if (strcmp(stage, "logits") != 0) {
        return;
    }
    for (size_t i = 0; i < n_rows * width; i++) {
        uint32_t word;

        memcpy(&word, &values[i], sizeof word);
        trace->hash = (trace->hash ^ word) * UINT64_C(0x100000001B3);
    }
    trace->n_steps += n_rows;
}

/* What is asked: prompts of several lengths, the first ones about a picture. */
struct questions {
    const struct omma_image *image;
    int32_t context_id, ids[N][LONGEST];
    size_t n_ids[N];
};

static void make_questions(const struct omma_model *model, const struct omma_image *image,
                           struct questions *questions)
{
    static const size_t LENGTHS[N] = {300, 263, 1, 5, 9, 33, 200, 400, 2, 8};
    const struct omma_model_info *info = omma_model_info(model);
    uint64_t random = 1;

    questions->image = image;
    questions->context_id = info->context_id;
    for (size_t i = 0; i < N; i++) {
        bool has_picture = i < 2;

        questions->n_ids[i] = LENGTHS[i];
        for (size_t k = 0; k < LENGTHS[i]; k++) {
            int32_t id = (int32_t)(omma_test_random(&random) % 256);

            questions->ids[i][k] =
                has_picture && k >= 4 && k < 4 + info->tokens_per_tile ? info->context_id : id;
        }
    }
}

static struct omma_request question(const struct questions *questions, size_t i,
                                    struct trace *trace)
{
    *trace = (struct trace){.hash = UINT64_C(0xCBF29CE484222325)};
    return (struct omma_request){
        .conversation = {.images = &questions->image, .n_images = i < 2},
        .prompt_ids = questions->ids[i],
        .n_prompt_ids = questions->n_ids[i],
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true,
        .observer = {observe, trace},
    };
}

static void collect(struct omma_session *session, struct trace *trace)
{
    struct omma_event event = {0};
    struct omma_error error = {0};

    while (event.type != OMMA_EVENT_DONE) {
        assert_ok(omma_session_poll(session, -1, &event, &error));
        if (event.type == OMMA_EVENT_TOKEN && trace->n_ids < N_NEW) {
            trace->ids[trace->n_ids] = event.id;
            trace->margins[trace->n_ids++] = event.margin;
        }
    }
    trace->n_cached = event.usage.cached_tokens;
    assert_int_equal(trace->n_ids, N_NEW);
    assert_int_equal(trace->n_steps, N_NEW);
}

static struct omma_engine *make_engine(struct omma_model *model,
                                       const struct omma_engine_options *options)
{
    struct omma_engine *engine = omma_test_make_engine(model, options);

    assert_true(omma_engine_info(engine)->deterministic);
    return engine;
}

/* All questions in the engine, one by one or together. */
static void ask_all(struct omma_engine *engine, const struct questions *questions, bool together,
                    struct trace *traces)
{
    struct omma_session *sessions[N];
    struct omma_error error;

    for (size_t i = 0; i < N; i++) {
        struct omma_request request = question(questions, i, &traces[i]);

        sessions[i] = omma_test_make_session(engine, NULL);
        assert_ok(omma_session_submit(sessions[i], &request, &error));
        if (!together) {
            collect(sessions[i], &traces[i]);
        }
    }
    for (size_t i = 0; i < N; i++) {
        if (together) {
            collect(sessions[i], &traces[i]);
        }
        omma_session_destroy(&sessions[i]);
    }
}

static void expect_same(const struct trace *a, const struct trace *b, const char *what, size_t i)
{
    if (a->hash != b->hash) {
        fail_msg("%s: question %zu: other bits", what, i);
    }
    assert_memory_equal(a->ids, b->ids, sizeof a->ids);
    assert_memory_equal(a->margins, b->margins, sizeof a->margins);
}

/* A second turn after the first one's answer, and the same in a fresh session. */
static void reuse(struct omma_engine *engine, const struct questions *questions, const char *isa)
{
    struct omma_session *session = omma_test_make_session(engine, NULL),
                        *fresh = omma_test_make_session(engine, NULL);
    struct trace first, again, alone;
    struct omma_request request = question(questions, 0, &first);
    int32_t ids[LONGEST];
    struct omma_error error;

    assert_ok(omma_session_submit(session, &request, &error));
    collect(session, &first);
    request = question(questions, 0, &again);
    memcpy(ids, questions->ids[0], questions->n_ids[0] * sizeof *ids);
    memcpy(ids + questions->n_ids[0], first.ids, sizeof first.ids);
    request.prompt_ids = ids;
    request.n_prompt_ids = questions->n_ids[0] + N_NEW;
    assert_ok(omma_session_submit(session, &request, &error));
    collect(session, &again);
    assert_int_equal(again.n_cached, questions->n_ids[0]); /* the prompt, and not the answer */
    request.observer.user = &alone;
    alone = (struct trace){.hash = UINT64_C(0xCBF29CE484222325)};
    assert_ok(omma_session_submit(fresh, &request, &error));
    collect(fresh, &alone);
    assert_int_equal(alone.n_cached, 0);
    expect_same(&again, &alone, isa, 0);
    omma_session_destroy(&session);
    omma_session_destroy(&fresh);
}

static void same_bits_of(struct omma_model *model, struct omma_engine_options options)
{
    static const struct {
        size_t n_threads, chunk, max_batch;
        bool together;
    } ways[] = {{1, 0, N, true}, {2, 7, 0, true}, {3, 64, 5, true}, {2, 130, 0, false}};
    char *picture = omma_test_source("share/omma/demo/pictures/number.png");
    struct questions *questions = calloc(1, sizeof *questions);
    struct omma_image *image = NULL;
    struct omma_engine *engine;
    struct trace alone[N], other[N];
    struct omma_error error;
    bool is_usable;

    assert_ok(
        omma_image_open(picture, &(struct omma_image_options){.max_tiles = 1}, &image, &error));
    make_questions(model, image, questions);
    options.deterministic = true;
    for (size_t i = 0; (options.isa = omma_isa_tier(i, &is_usable)) != NULL; i++) {
        if (!is_usable) {
            continue;
        }
        options.n_threads = 1;
        options.prefill_chunk = options.max_batch = 0;
        engine = make_engine(model, &options);
        ask_all(engine, questions, false, alone);
        reuse(engine, questions, options.isa);
        omma_engine_destroy(&engine);
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            options.n_threads = ways[k].n_threads;
            options.prefill_chunk = ways[k].chunk;
            options.max_batch = ways[k].max_batch;
            engine = make_engine(model, &options);
            ask_all(engine, questions, ways[k].together, other);
            for (size_t n = 0; n < N; n++) {
                expect_same(&alone[n], &other[n], options.isa, n);
            }
            omma_engine_destroy(&engine);
        }
    }
    omma_image_close(&image);
    free(questions);
    free(picture);
}

static void demo_has_same_bits(enum omma_precision precision)
{
    char *path = omma_test_source("share/omma/demo");
    struct omma_model *model = NULL;
    struct omma_error error = {0};

    assert_ok(omma_model_open(path, NULL, &model, &error));
    same_bits_of(model, (struct omma_engine_options){.precision = precision});
    omma_model_close(&model);
    free(path);
}

static void test_f32(void **state)
{
    (void)state;
    demo_has_same_bits(OMMA_PRECISION_F32);
}

static void test_bf16(void **state)
{
    (void)state;
    demo_has_same_bits(OMMA_PRECISION_BF16);
}

/* Scales a row, and of groups. */
static void test_int8(void **state)
{
    static const struct omma_test_quantization kinds[] = {{.vision = true, .head = true},
                                                          {.group = 64}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct omma_test_checkpoint checkpoint;
        struct omma_model *model = NULL;
        char *folder = omma_test_folder();
        struct omma_error error = {0};

        omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
        omma_test_checkpoint_widen(&checkpoint, 320);
        omma_test_checkpoint_quantize(&checkpoint, &kinds[i]);
        omma_test_checkpoint_write(&checkpoint, folder, 1);
        assert_ok(omma_model_open(folder, NULL, &model, &error));
        omma_test_checkpoint_free(&checkpoint);
        free(folder);
        same_bits_of(model, (struct omma_engine_options){0});
        omma_model_close(&model);
    }
}

static void test_openblas_is_refused(void **state)
{
    char *path = omma_test_source("share/omma/demo");
    struct omma_engine_options options = {.deterministic = true, .gemm = OMMA_GEMM_OPENBLAS};
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_error error = {0};

    (void)state;
    assert_ok(omma_model_open(path, NULL, &model, &error));
    assert_fails(OMMA_STATUS_USAGE, "OpenBLAS",
                 omma_engine_create(model, &options, &engine, &error));
    omma_model_close(&model);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_openblas_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
