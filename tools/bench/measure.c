/*
 * Requests of random ids through the public sessions, timed by the engine's own clock where it has
 * one.  Every repetition has a session and ids of its own, so that nothing comes out of a cache.
 *
 * The values of weights and inputs do not change the work; a tile is cut from a picture of one
 * pixel.
 */
#include "tools/bench/measure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(const struct bench_samples *samples)
{
    struct bench_samples sorted = *samples;
    size_t n = sorted.n_values;

    if (n == 0) {
        return 0;
    }
    qsort(sorted.values, n, sizeof *sorted.values, compare_doubles);
    return (sorted.values[(n - 1) / 2] + sorted.values[n / 2]) / 2;
}

double bench_minimum(const struct bench_samples *samples)
{
    double minimum = samples->n_values > 0 ? samples->values[0] : 0;

    for (size_t i = 1; i < samples->n_values; i++) {
        minimum = samples->values[i] < minimum ? samples->values[i] : minimum;
    }
    return minimum;
}

double bench_maximum(const struct bench_samples *samples)
{
    double maximum = 0;

    for (size_t i = 0; i < samples->n_values; i++) {
        maximum = samples->values[i] > maximum ? samples->values[i] : maximum;
    }
    return maximum;
}

static void add(struct bench_samples *samples, double value)
{
    if (samples->n_values < BENCH_MAX_REPEATS) {
        samples->values[samples->n_values++] = value;
    }
}

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Ids of the vocabulary at random, none of them the place of a picture. */
static void draw_ids(int32_t *ids, size_t n_ids, const struct omma_model_info *model,
                     uint64_t *state)
{
    for (size_t i = 0; i < n_ids; i++) {
        do {
            ids[i] = (int32_t)(next_random(state) % model->vocab);
        } while (ids[i] == model->context_id);
    }
}

/* What a request took. */
struct outcome {
    struct omma_usage usage;
    struct omma_timings timings;
    double step_s; /* mean between the first token and the last; 0 with fewer than 2 */
};

static enum omma_status follow(struct omma_session *session, struct outcome *outcome,
                               struct omma_error *error)
{
    struct omma_event event = {0};
    double first = 0, last = 0;
    size_t n_tokens = 0;

    while (event.type != OMMA_EVENT_DONE) {
        TRY(omma_session_poll(session, -1, &event, error));
        if (event.type == OMMA_EVENT_TOKEN) {
            last = now_s();
            first = n_tokens++ == 0 ? last : first;
        }
    }
    *outcome = (struct outcome){.usage = event.usage, .timings = event.timings};
    if (n_tokens > 1) {
        outcome->step_s = (last - first) / (double)(n_tokens - 1);
    }
    return OMMA_OK;
}

/* One request in a session of its own. */
static enum omma_status answer(struct omma_engine *engine, const struct omma_request *request,
                               struct outcome *outcome, struct omma_error *error)
{
    struct omma_session_options options = {.n_context =
                                               request->n_prompt_ids + request->max_new_tokens};
    struct omma_session *session = NULL;
    enum omma_status status;

    TRY(omma_session_create(engine, &options, &session, error));
    TRY_OR(status, done, omma_session_submit(session, request, error));
    status = follow(session, outcome, error);
done:
    omma_session_destroy(&session);
    return status;
}

enum omma_status bench_language(struct omma_engine *engine, const struct omma_model_info *model,
                                const struct bench_plan *plan, struct bench_language *language,
                                struct omma_error *error)
{
    uint64_t state = plan->seed;
    int32_t *ids = calloc(plan->n_prompt_tokens, sizeof *ids);
    struct omma_request request = {
        .prompt_ids = ids,
        .n_prompt_ids = plan->n_prompt_tokens,
        .max_new_tokens = plan->n_new_tokens,
        .ignore_stop_ids = true,
    };
    enum omma_status status = OMMA_OK;

    if (ids == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i <= plan->n_repeats; i++) {
        struct outcome outcome;

        draw_ids(ids, plan->n_prompt_tokens, model, &state);
        TRY_OR(status, done, answer(engine, &request, &outcome, error));
        if (i > 0) { /* the first warms up */
            add(&language->prefill_s, outcome.timings.prefill_s);
            add(&language->step_s, outcome.step_s);
        }
    }
done:
    free(ids);
    return status;
}

/* A PNG of one gray pixel. */
static const uint8_t PIXEL_PNG[] = {
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3A, 0x7E, 0x9B, 0x55, 0x00, 0x00, 0x00, 0x0A, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xDA, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0xDA, 0x45, 0x08, 0x3B, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82};

enum omma_status bench_tile(struct omma_engine *engine, const struct omma_model_info *model,
                            const struct bench_plan *plan, struct bench_samples *tile_s,
                            struct omma_error *error)
{
    struct omma_image_options options = {.min_tiles = 1, .max_tiles = 1};
    size_t n_ids = model->tokens_per_tile;
    int32_t *ids = calloc(n_ids, sizeof *ids);
    struct omma_image *image = NULL;
    struct omma_request request = {
        .conversation = {.images = (const struct omma_image *const *)&image, .n_images = 1},
        .prompt_ids = ids,
        .n_prompt_ids = n_ids,
        .max_new_tokens = 1,
        .ignore_stop_ids = true,
    };
    enum omma_status status;

    if (ids == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n_ids; i++) {
        ids[i] = model->context_id;
    }
    TRY_OR(status, done,
           omma_image_open_memory("a pixel", PIXEL_PNG, sizeof PIXEL_PNG, &options, &image, error));
    for (size_t i = 0; i <= plan->n_repeats; i++) {
        struct outcome outcome;

        TRY_OR(status, done, answer(engine, &request, &outcome, error));
        if (i > 0) {
            add(tile_s, outcome.timings.encode_s / (double)outcome.usage.n_tiles);
        }
    }
done:
    omma_image_close(&image);
    free(ids);
    return status;
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

/* Seconds from nothing to the first step of a prompt of a few tokens. */
static enum omma_status start_once(const char *path, const struct omma_engine_options *options,
                                   uint64_t seed, double *seconds, struct omma_error *error)
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
    struct outcome outcome;
    enum omma_status status;

    TRY(omma_model_open(path, NULL, &model, error));
    draw_ids(ids, request.n_prompt_ids, omma_model_info(model), &seed);
    TRY_OR(status, done, omma_engine_create(model, options, &engine, error));
    TRY_OR(status, done, answer(engine, &request, &outcome, error));
    *seconds = first_step - begin;
done:
    omma_engine_destroy(&engine);
    omma_model_close(&model);
    return status;
}

enum omma_status bench_start(const char *path, const struct omma_engine_options *options,
                             const struct bench_plan *plan, struct bench_samples *start_s,
                             struct omma_error *error)
{
    for (size_t i = 0; i <= plan->n_repeats; i++) {
        double seconds = 0;

        TRY(start_once(path, options, plan->seed + i, &seconds, error));
        if (i > 0) {
            add(start_s, seconds);
        }
    }
    return OMMA_OK;
}
