/*
 * Requests through the public sessions, timed by the engine's own clock where it has one; decoding
 * by omma_decode_measure().  Every repetition has a session and ids of its own, so that nothing
 * comes out of a cache.
 */
#include "tools/bench/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/request.h"
#include "tools/clock.h"

enum { TEXT_TOKENS = 64 }; /* beside the pictures of BENCH_FIRST_TOKEN */

static const double steady =
    0.10; /* two readings farther apart say nothing about what lies between */

static enum omma_status sample_prefill(const struct bench_subject *subject,
                                       const struct bench_test *test, uint64_t *state,
                                       double *seconds, struct omma_error *error)
{
    int32_t *ids = calloc(test->n_tokens, sizeof *ids);
    struct omma_request request = {.prompt_ids = ids,
                                   .n_prompt_ids = test->n_tokens,
                                   .max_new_tokens = 1,
                                   .ignore_stop_ids = true};
    struct bench_outcome outcome;
    enum omma_status status;

    if (ids == NULL) {
        return fail_memory(error);
    }
    bench_draw_ids(ids, test->n_tokens, subject->model, state);
    status = bench_answer(subject->engine, &request, &outcome, error);
    *seconds = outcome.timings.prefill_s;
    free(ids);
    return status;
}

/* The mean of the steps: what a token takes, however they vary. */
static enum omma_status sample_decode(const struct bench_subject *subject,
                                      const struct bench_test *test, uint64_t *state,
                                      double *seconds, struct omma_error *error)
{
    const struct omma_decode_plan plan = {.n_sequences = test->n_sequences,
                                          .depth = test->depth,
                                          .n_steps = test->n_tokens,
                                          .seed = bench_random(state)};
    double *steps_s = calloc(test->n_tokens, sizeof *steps_s);
    enum omma_status status;

    if (steps_s == NULL) {
        return fail_memory(error);
    }
    status = omma_decode_measure(subject->engine, &plan, steps_s, error);
    *seconds = 0;
    for (size_t i = 0; i < test->n_tokens; i++) {
        *seconds += steps_s[i] / (double)test->n_tokens;
    }
    free(steps_s);
    return status;
}

static enum omma_status sample_tiles(const struct bench_subject *subject,
                                     const struct bench_test *test, uint64_t *state,
                                     double *seconds, struct omma_error *error)
{
    struct omma_image *image = NULL;
    struct bench_outcome outcome;
    enum omma_status status;

    TRY(bench_pixel_tiles(test->n_tiles, &image, error));
    status = bench_answer_picture(subject, image, 1, NULL, state, &outcome, error);
    *seconds = outcome.timings.encode_s;
    omma_image_close(&image);
    return status;
}

/* From the picture's file to the first token. */
static enum omma_status sample_first_token(const struct bench_subject *subject,
                                           const struct bench_test *test, uint64_t *state,
                                           double *seconds, struct omma_error *error)
{
    struct omma_image_options options = bench_exactly(test->n_tiles);
    struct omma_image *image = NULL;
    struct bench_outcome outcome;
    double begin = now_s();
    enum omma_status status;

    TRY(omma_image_open(subject->image, &options, &image, error));
    status = bench_answer_picture(subject, image, TEXT_TOKENS, NULL, state, &outcome, error);
    *seconds = outcome.first_token - begin;
    omma_image_close(&image);
    return status;
}

/* A picture's file as the model wants it, on the calling thread. */
static enum omma_status sample_preprocess(const struct bench_subject *subject, double *seconds,
                                          struct omma_error *error)
{
    const struct omma_model_info *model = subject->model;
    struct omma_image_options options = {.min_tiles = model->min_tiles,
                                         .max_tiles = model->max_tiles,
                                         .no_thumbnail = !model->use_thumbnail};
    struct omma_image *image = NULL;
    double begin = now_s();

    TRY(omma_image_open(subject->image, &options, &image, error));
    *seconds = now_s() - begin;
    omma_image_close(&image);
    return OMMA_OK;
}

/* An omma_observe_fn: notes when the first rows enter the language model; user: double. */
static void note_first_embeds(void *user, const char *stage, size_t first_row, size_t n_rows,
                              size_t width, const float *values)
{
    double *time = user;

    (void)first_row;
    (void)n_rows;
    (void)width;
    (void)values;
    if (*time == 0 && strcmp(stage, "inputs_embeds") == 0) {
        *time = now_s();
    }
}

/* From omma_model_open() until the language model begins with the first chunk of a prompt. */
static enum omma_status sample_load(const struct bench_subject *subject, uint64_t *state,
                                    double *seconds, struct omma_error *error)
{
    int32_t ids[16];
    double begin = now_s(), first_step = 0;
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_request request = {
        .prompt_ids = ids,
        .n_prompt_ids = sizeof ids / sizeof *ids,
        .max_new_tokens = 1,
        .ignore_stop_ids = true,
        .observer = {note_first_embeds, &first_step},
    };
    struct bench_outcome outcome;
    enum omma_status status;

    TRY(omma_model_open(subject->path, NULL, &model, error));
    bench_draw_ids(ids, request.n_prompt_ids, omma_model_info(model), state);
    TRY_OR(status, done, omma_engine_create(model, subject->options, &engine, error));
    TRY_OR(status, done, bench_answer(engine, &request, &outcome, error));
    *seconds = first_step - begin;
done:
    omma_engine_destroy(&engine);
    omma_model_close(&model);
    return status;
}

static enum omma_status take_sample(const struct bench_subject *subject,
                                    const struct bench_test *test, uint64_t *state, double *seconds,
                                    struct omma_error *error)
{
    *seconds = 0;
    switch (test->kind) {
    case BENCH_LOAD:
        return sample_load(subject, state, seconds, error);
    case BENCH_PREPROCESS:
        return sample_preprocess(subject, seconds, error);
    case BENCH_PREFILL:
        return sample_prefill(subject, test, state, seconds, error);
    case BENCH_DECODE:
        return sample_decode(subject, test, state, seconds, error);
    case BENCH_TILES:
        return sample_tiles(subject, test, state, seconds, error);
    case BENCH_FIRST_TOKEN:
        return sample_first_token(subject, test, state, seconds, error);
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Fractions
 * --------------------------------------------------------------------------------------------- */

const struct omma_peak *bench_peak(const struct omma_engine_info *info,
                                   const struct omma_limits *limits, enum bench_bound bound,
                                   const char **name)
{
    if (bound == BENCH_PEAK_LANGUAGE && info->int8_activations) {
        *name = "int8 dot product";
        return &limits->i8;
    }
    if (strcmp(info->precision, "bf16") == 0 && limits->bf16.per_s > 0) {
        *name = "bf16 dot product";
        return &limits->bf16;
    }
    *name = "f32 multiply-add";
    return &limits->f32;
}

/* A peak holds for the whole run, whatever others on the machine do. */
static void divide_by_peak(const struct bench_subject *subject, const struct omma_limits *limits,
                           struct bench_test *test)
{
    const char *name;
    const struct omma_peak *peak = bench_peak(subject->info, limits, test->bound, &name);

    if (!peak->counts) {
        test->no_fraction = peak->known_per_cycle > 0
                                ? "the peak measured is not what this CPU is known to do"
                                : "no peak of this CPU and tier is known";
        return;
    }
    for (size_t i = 0; i < test->samples_s.n_values; i++) {
        bench_samples_add(&test->fractions, test->work / test->samples_s.values[i] / peak->per_s);
    }
}

/* What a repetition reads, over what the machine read before and after it: if these agree with each
 * other and with what is known of the CPU. */
static void divide_by_read(struct bench_test *test, double seconds,
                           const struct omma_limits *before, const struct omma_limits *after)
{
    double mean = (before->read_bytes_per_s + after->read_bytes_per_s) / 2;
    double distance = fabs(before->read_bytes_per_s - after->read_bytes_per_s);

    if (before->read_counts && after->read_counts && distance <= steady * mean) {
        bench_samples_add(&test->fractions, test->work / seconds / mean);
    }
}

static void judge_reads(const struct omma_limits *limits, struct bench_test *test)
{
    if (limits->known_high == 0) {
        test->no_fraction = "this CPU and number of threads have no row in doc/performance.md";
    } else if (2 * test->fractions.n_values < test->samples_s.n_values) {
        test->no_fraction = "the read bandwidth is unsteady or far from what is known of this CPU";
    }
}

static enum omma_status run_test(const struct bench_subject *subject, size_t n_repeats,
                                 uint64_t *state, struct omma_limits *limits,
                                 struct bench_test *test, struct omma_error *error)
{
    double seconds;

    TRY(take_sample(subject, test, state, &seconds, error)); /* warms up */
    if (test->bound == BENCH_READ) {
        TRY(omma_limits_read_again(subject->engine, limits, error));
    }
    for (size_t i = 0; i < n_repeats; i++) {
        struct omma_limits before = *limits;

        TRY(take_sample(subject, test, state, &seconds, error));
        bench_samples_add(&test->samples_s, seconds);
        if (test->bound == BENCH_READ) {
            TRY(omma_limits_read_again(subject->engine, limits, error));
            divide_by_read(test, seconds, &before, limits);
        }
    }
    if (test->bound == BENCH_READ) {
        judge_reads(limits, test);
    } else if (test->bound != BENCH_UNBOUND) {
        divide_by_peak(subject, limits, test);
    }
    return OMMA_OK;
}

enum omma_status bench_run(const struct bench_subject *subject, const struct bench_plan *plan,
                           const struct omma_limits *limits, struct bench_tests *tests,
                           struct messages *messages, struct omma_error *error)
{
    struct omma_limits now = *limits;
    uint64_t state = plan->seed;

    for (size_t i = 0; i < tests->n_tests; i++) {
        message_progress(messages, "%s (%zu of %zu)", tests->tests[i].name, i + 1, tests->n_tests);
        TRY(run_test(subject, plan->n_repeats, &state, &now, &tests->tests[i], error));
    }
    return OMMA_OK;
}
