/*
 * Requests with an observer, which notes when a layer's rows come.  The observer sees the pass at
 * its barriers, so it costs a few microseconds a layer.
 */
#include "tools/bench/layers.h"

#include <stdlib.h>
#include <string.h>

#include "tools/bench/request.h"
#include "tools/clock.h"

enum { N_PROMPT = 512, N_STEPS = 32 };

/* The times of one request's passes. */
struct watch {
    const char *prefix; /* "language.layer." */
    size_t n_layers;
    double first;                 /* when the first layer of a pass was done */
    struct bench_samples *layers; /* seconds a layer, a sample a pass */
};

/* An omma_observe_fn; user: struct watch. */
static void note_layer(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                       const float *values)
{
    struct watch *watch = user;
    size_t length = strlen(watch->prefix), layer;

    (void)first_row;
    (void)n_rows;
    (void)width;
    (void)values;
    if (strncmp(stage, watch->prefix, length) != 0) {
        return;
    }
    layer = strtoul(stage + length, NULL, 10);
    if (layer == 0) {
        watch->first = now_s();
    } else if (layer + 1 == watch->n_layers) {
        bench_samples_add(watch->layers, (now_s() - watch->first) / (double)(watch->n_layers - 1));
    }
}

/* A prefill of N_PROMPT tokens, or with n_steps one of a token and steps behind it. */
static enum omma_status run_language(const struct bench_subject *subject, size_t n_prompt,
                                     size_t n_steps, uint64_t *state, struct watch *watch,
                                     struct bench_outcome *outcome, struct omma_error *error)
{
    int32_t ids[N_PROMPT];
    struct omma_request request = {.prompt_ids = ids,
                                   .n_prompt_ids = n_prompt,
                                   .max_new_tokens = n_steps + 1,
                                   .ignore_stop_ids = true};

    if (watch != NULL) {
        request.observer = (struct omma_observer){note_layer, watch};
    }
    bench_draw_ids(ids, n_prompt, subject->model, state);
    return bench_answer(subject->engine, &request, outcome, error);
}

static struct bench_split split(double pass_s, double layer_s, size_t n_layers)
{
    double rest_s = pass_s - (double)n_layers * layer_s;

    return (struct bench_split){layer_s, rest_s > 0 ? rest_s : 0};
}

static enum omma_status measure_prefill(const struct bench_subject *subject, size_t n_repeats,
                                        uint64_t *state, struct bench_layers *layers,
                                        struct omma_error *error)
{
    struct bench_samples passes = {.n_values = 0}, each = {.n_values = 0};
    struct watch watch = {"language.layer.", subject->model->n_layers, 0, &each};
    struct bench_outcome outcome;

    layers->n_prompt = N_PROMPT;
    for (size_t i = 0; i <= n_repeats; i++) {
        TRY(run_language(subject, N_PROMPT, 0, state, &watch, &outcome, error));
        TRY(run_language(subject, N_PROMPT, 0, state, NULL, &outcome, error));
        if (i > 0) { /* the first warms up */
            bench_samples_add(&passes, outcome.timings.prefill_s);
        }
    }
    layers->prefill = split(bench_median(&passes), bench_median(&each), subject->model->n_layers);
    return OMMA_OK;
}

/* Steps and readings of the memory in turns; each step's times are scaled to the median reading. */
static enum omma_status measure_decode(const struct bench_subject *subject, size_t n_repeats,
                                       uint64_t *state, const struct omma_limits *limits,
                                       struct bench_layers *layers, struct omma_error *error)
{
    struct bench_samples passes = {.n_values = 0}, each = {.n_values = 0}, reads = {.n_values = 0};
    struct omma_limits now = *limits;

    for (size_t i = 0; i <= n_repeats; i++) {
        struct bench_samples seen = {.n_values = 0};
        struct watch watch = {"language.layer.", subject->model->n_layers, 0, &seen};
        struct bench_outcome outcome;
        double before, mean;

        TRY(omma_limits_read_again(subject->engine, &now, error));
        before = now.read_bytes_per_s;
        TRY(run_language(subject, 1, N_STEPS, state, &watch, &outcome, error));
        TRY(run_language(subject, 1, N_STEPS, state, NULL, &outcome, error));
        TRY(omma_limits_read_again(subject->engine, &now, error));
        mean = (before + now.read_bytes_per_s) / 2;
        if (i > 0) {
            bench_samples_add(&reads, mean);
            bench_samples_add(&each, bench_median(&seen) * mean); /* bytes' worth */
            bench_samples_add(&passes, outcome.timings.decode_s / N_STEPS * mean);
        }
    }
    layers->depth = 1 + N_STEPS / 2.0;
    layers->read_bytes_per_s = bench_median(&reads);
    layers->decode =
        split(bench_median(&passes) / layers->read_bytes_per_s,
              bench_median(&each) / layers->read_bytes_per_s, subject->model->n_layers);
    return OMMA_OK;
}

static enum omma_status measure_tile(const struct bench_subject *subject, size_t n_repeats,
                                     uint64_t *state, struct bench_layers *layers,
                                     struct omma_error *error)
{
    struct bench_samples passes = {.n_values = 0}, each = {.n_values = 0};
    struct watch watch = {"vision.layer.", subject->model->n_vision_layers, 0, &each};
    const struct omma_observer observer = {note_layer, &watch};
    struct omma_image *image = NULL;
    struct bench_outcome outcome;
    enum omma_status status;

    TRY(bench_pixel_tiles(1, &image, error));
    for (size_t i = 0; i <= n_repeats; i++) {
        TRY_OR(status, done,
               bench_answer_picture(subject, image, 1, &observer, state, &outcome, error));
        TRY_OR(status, done, bench_answer_picture(subject, image, 1, NULL, state, &outcome, error));
        if (i > 0) {
            bench_samples_add(&passes, outcome.timings.encode_s);
        }
    }
    layers->tile =
        split(bench_median(&passes), bench_median(&each), subject->model->n_vision_layers);
done:
    omma_image_close(&image);
    return status;
}

enum omma_status bench_layers_measure(const struct bench_subject *subject, size_t n_repeats,
                                      uint64_t seed, const struct omma_limits *limits,
                                      struct bench_layers *layers, struct omma_error *error)
{
    uint64_t state = seed;

    if (subject->model->n_layers < 2 || subject->model->n_vision_layers < 2) {
        return fail(error, OMMA_STATUS_USAGE,
                    "a projection needs 2 layers of each kind: --layers and --vit-layers");
    }
    TRY(measure_prefill(subject, n_repeats, &state, layers, error));
    TRY(measure_decode(subject, n_repeats, &state, limits, layers, error));
    return measure_tile(subject, n_repeats, &state, layers, error);
}
