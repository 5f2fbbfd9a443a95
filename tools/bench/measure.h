/*
 * measure.h - the measurements: each is repeated, the first time that only warms up left out.
 */
#ifndef OMMA_BENCH_MEASURE_H
#define OMMA_BENCH_MEASURE_H

#include "tools/status.h"

enum { BENCH_MAX_REPEATS = 1000 };

/* Times or rates of the repetitions. */
struct bench_samples {
    double values[BENCH_MAX_REPEATS];
    size_t n_values;
};

double bench_median(const struct bench_samples *samples);
double bench_minimum(const struct bench_samples *samples);
double bench_maximum(const struct bench_samples *samples);

struct bench_plan {
    size_t n_prompt_tokens; /* of the prefill, and the depth at which decoding starts */
    size_t n_new_tokens;    /* at least 2: decoding is timed from the first to the last */
    size_t n_repeats;
    uint64_t seed; /* of the prompts' ids */
};

/* Seconds a prompt, and seconds a decoding step. */
struct bench_language {
    struct bench_samples prefill_s, step_s;
};

enum omma_status bench_language(struct omma_engine *engine, const struct omma_model_info *model,
                                const struct bench_plan *plan, struct bench_language *language,
                                struct omma_error *error);

/* Seconds a tile. */
enum omma_status bench_tile(struct omma_engine *engine, const struct omma_model_info *model,
                            const struct bench_plan *plan, struct bench_samples *tile_s,
                            struct omma_error *error);

/* Seconds from omma_model_open() until the language model begins with the first chunk of a prompt.
 * The model is opened and closed each time. */
enum omma_status bench_start(const char *path, const struct omma_engine_options *options,
                             const struct bench_plan *plan, struct bench_samples *start_s,
                             struct omma_error *error);

#endif
