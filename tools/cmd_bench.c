/*
 * omma bench: prefill, decode, one tile and the start, beside the limits of the machine that were
 * measured in the same run; or a folder of random weights to measure with other means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/report.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/engine_options.h"
#include "tools/model_path.h"
#include "tools/signals.h"

struct bench_values {
    const char *model, *shape, *write;
    struct engine_values engine;
    size_t n_layers, n_vision_layers, seed, n_repeats, n_prompt_tokens, n_new_tokens;
    bool json, verbose;
};

static const struct bench_values defaults = {
    .seed = 1, .n_repeats = 5, .n_prompt_tokens = 512, .n_new_tokens = 32};

static const struct option_row rows[] = {
    MODEL_OPTION(struct bench_values, model),
    {.name = "shape",
     .kind = OPTION_TEXT,
     .argument = "SIZE",
     .offset = offsetof(struct bench_values, shape),
     .help = "instead of a model: random weights in the shape of 1B, 2B, 8B, 14B, 38B or 78B"},
    {.name = "layers",
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct bench_values, n_layers),
     .minimum = 1,
     .maximum = 1000,
     .help = "of the shape's language model (all)"},
    {.name = "vit-layers",
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct bench_values, n_vision_layers),
     .minimum = 1,
     .maximum = 1000,
     .help = "of the shape's vision encoder (all)"},
    {.name = "seed",
     .kind = OPTION_COUNT,
     .argument = "S",
     .offset = offsetof(struct bench_values, seed),
     .minimum = 0,
     .maximum = SIZE_MAX,
     .help = "of the random weights and prompts (1)"},
    {.name = "write",
     .kind = OPTION_TEXT,
     .argument = "DIR",
     .offset = offsetof(struct bench_values, write),
     .help = "write the shape's random weights as a new folder, and measure nothing"},
    {.name = "repeat",
     .letter = 'r',
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct bench_values, n_repeats),
     .minimum = 1,
     .maximum = BENCH_MAX_REPEATS,
     .help = "repetitions of each measurement, after one that warms up (5)"},
    {.name = "prompt-tokens",
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct bench_values, n_prompt_tokens),
     .minimum = 1,
     .maximum = 1 << 20,
     .help = "length of the prefill, and the depth at which decoding starts (512)"},
    {.name = "new-tokens",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct bench_values, n_new_tokens),
     .minimum = 2,
     .maximum = 1 << 20,
     .help = "tokens to decode (32)"},
    ENGINE_OPTIONS(struct bench_values, engine),
    JSON_OPTION(struct bench_values, json),
    VERBOSE_OPTION(struct bench_values, verbose),
    {0},
};

/* A model or a shape, and what belongs to a shape only with it. */
static enum omma_status check(const struct invocation *invocation, struct omma_error *error)
{
    static const char *const OF_SHAPE[] = {"layers", "vit-layers", "write"};
    const struct bench_values *values = invocation->values;

    TRY(command_check_operands(invocation, 0, 0, error));
    if (values->model == NULL && values->shape == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "expected --model or --shape");
    }
    TRY(options_exclude(rows, &invocation->options, "model", "shape", error));
    for (size_t i = 0; i < sizeof OF_SHAPE / sizeof *OF_SHAPE; i++) {
        if (values->shape == NULL && options_given(rows, &invocation->options, OF_SHAPE[i])) {
            return fail(error, OMMA_STATUS_USAGE, "--%s needs --shape", OF_SHAPE[i]);
        }
    }
    return OMMA_OK;
}

/* Measure all, the limits before and after: the machine may have been disturbed at one time. */
static enum omma_status measure(struct omma_engine *engine, const struct bench_plan *plan,
                                struct bench_result *result, struct messages *messages,
                                struct omma_error *error)
{
    struct omma_limits *limits = &result->limits;

    message_progress(messages, "limits of the machine");
    TRY(omma_limits_measure(engine, limits, error));
    message_progress(messages, "prefill and decode");
    TRY(bench_language(engine, result->model, plan, &result->language, error));
    message_progress(messages, "tile");
    TRY(bench_tile(engine, result->model, plan, &result->tile_s, error));
    message_progress_end(messages);
    return OMMA_OK;
}

/* The model of --model or --shape, with the time that starting takes for the former. */
static enum omma_status open_model(const struct bench_values *values, const char *path,
                                   const struct omma_engine_options *options,
                                   const struct bench_plan *plan, struct messages *messages,
                                   struct bench_result *result, struct omma_model **model,
                                   struct omma_error *error)
{
    struct omma_model_shape shape = {
        .size = values->shape,
        .n_layers = values->n_layers,
        .n_vision_layers = values->n_vision_layers,
        .seed = values->seed,
    };

    if (path == NULL) {
        message_progress(messages, "generating weights");
        return omma_model_generate(&shape, model, error);
    }
    message_progress(messages, "start");
    TRY(bench_start(path, options, plan, &result->start_s, error));
    return omma_model_open(path, NULL, model, error);
}

static enum omma_status bench(const struct bench_values *values, struct messages *messages,
                              struct omma_error *error)
{
    struct bench_plan plan = {values->n_prompt_tokens, values->n_new_tokens, values->n_repeats,
                              values->seed};
    struct omma_engine_options options;
    struct bench_result *result = calloc(1, sizeof *result);
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    char *path = NULL;
    enum omma_status status;

    if (result == NULL) {
        return fail_memory(error);
    }
    TRY_OR(status, done, engine_values_options(&values->engine, messages, &options, error));
    if (values->shape == NULL) {
        TRY_OR(status, done, model_path_find(values->model, &path, error));
    }
    TRY_OR(status, done,
           open_model(values, path, &options, &plan, messages, result, &model, error));
    signals_watch_model(model);
    TRY_OR(status, done, omma_engine_create(model, &options, &engine, error));
    result->name = path != NULL ? path : values->shape;
    result->model = omma_model_info(model);
    result->engine = omma_engine_info(engine);
    result->plan = plan;
    TRY_OR(status, done, measure(engine, &plan, result, messages, error));
    status = values->json ? bench_report_json(result, error) : bench_report_text(result, error);
done:
    message_progress_end(messages);
    omma_engine_destroy(&engine);
    signals_watch_model(NULL);
    omma_model_close(&model);
    free(path);
    free(result);
    return status;
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct bench_values *values = invocation->values;

    invocation->messages->verbose = values->verbose;
    TRY(check(invocation, error));
    if (values->write != NULL) {
        struct omma_model_shape shape = {
            .size = values->shape,
            .n_layers = values->n_layers,
            .n_vision_layers = values->n_vision_layers,
            .seed = values->seed,
        };

        return omma_model_generate_folder(&shape, values->write, error);
    }
    return bench(values, invocation->messages, error);
}

const struct command command_bench = {
    .name = "bench",
    .operands = "",
    .summary = "Measure prefill, decode, a tile and the start beside the machine's limits",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
