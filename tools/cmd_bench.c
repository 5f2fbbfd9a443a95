/*
 * omma bench: prefill, decode, tiles, pictures and the start, beside the limits of the machine that
 * were measured in the same run; or a folder of random weights to measure with other means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/memory.h"
#include "tools/bench/project.h"
#include "tools/bench/report.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/engine_options.h"
#include "tools/model_path.h"
#include "tools/placement.h"
#include "tools/signals.h"

struct bench_values {
    const char *model, *shape, *write, *image, *project;
    const char *prompts, *new_tokens, *depths, *batches, *tiles, *first_tiles;
    struct engine_values engine;
    size_t n_layers, n_vision_layers, seed, n_repeats;
    int format;  /* enum bench_format */
    int weights; /* an index into weight_words */
    bool all, verbose;
};

static const struct bench_values defaults = {.seed = 1, .n_repeats = 5};

#define LIST_ROW(option, character, field, text)                                                   \
    {                                                                                              \
        .name = (option), .letter = (character), .kind = OPTION_TEXT, .argument = "LIST",          \
        .offset = offsetof(struct bench_values, field), .help = (text)                             \
    }

static const char *const weight_words[] = {"bf16", "int8", NULL};

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
    {.name = "weights",
     .kind = OPTION_CHOICE,
     .choices = weight_words,
     .offset = offsetof(struct bench_values, weights),
     .help = "of the shape's language layers (bf16)"},
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
    LIST_ROW("prompt-tokens", 'p', prompts, "lengths of the prefills (512)"),
    LIST_ROW("new-tokens", 'n', new_tokens, "tokens to decode (128)"),
    LIST_ROW("depth", 'd', depths, "tokens in the cache before decoding (0)"),
    LIST_ROW("batch", 'b', batches, "sequences that decode side by side (1)"),
    LIST_ROW("tiles", 0, tiles, "tiles to encode (1)"),
    LIST_ROW("ttft", 0, first_tiles, "tiles of a picture before the first token (none)"),
    {.name = "image",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .offset = offsetof(struct bench_values, image),
     .help = "time the preprocessing of this picture; --ttft needs it"},
    {.name = "all",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct bench_values, all),
     .help = "-p 512,2048 -d 0,4096,32768 -b 1,2,4,8 --tiles 1,4,13, --ttft 1,4,13 with --image"},
    {.name = "project",
     .kind = OPTION_TEXT,
     .argument = "MACHINE",
     .offset = offsetof(struct bench_values, project),
     .help = "tell what the whole model does on the machine that this file describes, or here"},
    {.name = "repeat",
     .letter = 'r',
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct bench_values, n_repeats),
     .minimum = 1,
     .maximum = BENCH_MAX_REPEATS,
     .help = "repetitions of each measurement, after one that warms up (5)"},
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_CHOICE,
     .choices = bench_format_words,
     .offset = offsetof(struct bench_values, format),
     .help = "form of the result (md)"},
    ENGINE_OPTIONS(struct bench_values, engine),
    VERBOSE_OPTION(struct bench_values, verbose),
    {0},
};

/* The lists, or those that --all or nothing stands for. */
static enum omma_status make_plan(const struct bench_values *values, struct bench_plan *plan,
                                  struct omma_error *error)
{
    enum { MOST_TOKENS = 1 << 20, MOST_SEQUENCES = 512, MOST_TILES = 256 };
    bool all = values->all;
    const struct {
        const char *option, *given, *usual;
        size_t minimum, maximum;
        struct bench_list *list;
    } lists[] = {
        {"prompt-tokens", values->prompts, all ? "512,2048" : "512", 1, MOST_TOKENS,
         &plan->prompts},
        {"new-tokens", values->new_tokens, "128", 1, MOST_TOKENS, &plan->new_tokens},
        {"depth", values->depths, all ? "0,4096,32768" : "0", 0, MOST_TOKENS, &plan->depths},
        {"batch", values->batches, all ? "1,2,4,8" : "1", 1, MOST_SEQUENCES, &plan->batches},
        {"tiles", values->tiles, all ? "1,4,13" : "1", 1, MOST_TILES, &plan->tiles},
        {"ttft", values->first_tiles, all && values->image != NULL ? "1,4,13" : "none", 1,
         MOST_TILES, &plan->first_tiles},
    };

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *text = lists[i].given != NULL ? lists[i].given : lists[i].usual;

        TRY(bench_list_parse(lists[i].option, text, lists[i].minimum, lists[i].maximum,
                             lists[i].list, error));
    }
    if (plan->first_tiles.n_values > 0 && values->image == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "--ttft needs --image");
    }
    plan->load = values->shape == NULL;
    plan->preprocess = values->image != NULL;
    plan->n_repeats = values->n_repeats;
    plan->seed = values->seed;
    return OMMA_OK;
}

/* A model or a shape, and what belongs to a shape only with it. */
static enum omma_status check(const struct invocation *invocation, struct omma_error *error)
{
    static const char *const OF_SHAPE[] = {"layers", "vit-layers", "weights", "write", "project"};
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
    if (values->project != NULL && values->format != BENCH_MD && values->format != BENCH_JSON) {
        return fail(error, OMMA_STATUS_USAGE, "--project: expected --output md or json");
    }
    return OMMA_OK;
}

static size_t first_nonzero(size_t a, size_t b)
{
    return a != 0 ? a : b;
}

/* A projection needs two layers of each kind, and gets just them unless more are asked for. */
static struct omma_model_shape shape_of(const struct bench_values *values)
{
    size_t usual = values->project != NULL ? 2 : 0;

    return (struct omma_model_shape){
        .size = values->shape,
        .n_layers = first_nonzero(values->n_layers, usual),
        .n_vision_layers = first_nonzero(values->n_vision_layers, usual),
        .int8 = values->weights == 1,
        .seed = values->seed,
    };
}

static enum omma_status open_model(const struct bench_values *values, const char *path,
                                   struct messages *messages, struct omma_model **model,
                                   struct omma_error *error)
{
    struct omma_model_shape shape = shape_of(values);

    if (path != NULL) {
        return omma_model_open(path, NULL, model, error);
    }
    message_progress(messages, "generating weights");
    return omma_model_generate(&shape, model, error);
}

/* All tests of the plan, and their report. */
static enum omma_status measure(const struct bench_values *values, const struct bench_plan *plan,
                                const struct bench_subject *subject, struct messages *messages,
                                struct omma_error *error)
{
    struct bench_result result = {.name = subject->path != NULL ? subject->path : values->shape,
                                  .model = subject->model,
                                  .engine = subject->info,
                                  .plan = plan};
    enum omma_status status;

    TRY(bench_tests_create(plan, result.model, result.engine->kv_dtype, &result.tests, error));
    message_progress(messages, "limits of the machine");
    TRY_OR(status, done, omma_limits_measure(subject->engine, &result.limits, error));
    bench_memory_forget();
    TRY_OR(status, done, bench_run(subject, plan, &result.limits, &result.tests, messages, error));
    bench_memory(&result.peak_bytes, &result.peak_anonymous_bytes);
    message_progress_end(messages);
    status = bench_report(&result, (enum bench_format)values->format, error);
done:
    bench_tests_destroy(&result.tests);
    return status;
}

/* The layers of a model cut short, and what the whole one does on a machine. */
static enum omma_status project(const struct bench_values *values, const struct bench_plan *plan,
                                const struct bench_subject *subject, struct messages *messages,
                                struct omma_error *error)
{
    struct omma_model_shape whole = {.size = values->shape};
    struct bench_machine machine;
    struct bench_layers layers;
    struct omma_limits limits;
    struct bench_forecast forecast;
    struct bench_projection projection = {.size = values->shape,
                                          .model = subject->model,
                                          .engine = subject->info,
                                          .limits = &limits,
                                          .layers = &layers,
                                          .machine = &machine};
    bool is_here = strcmp(values->project, "here") == 0;

    if (!is_here) {
        TRY(bench_machine_read(values->project, &machine, error));
    }
    TRY(omma_model_shape_complete(&whole, error));
    projection.n_layers = whole.n_layers;
    projection.n_vision_layers = whole.n_vision_layers;
    message_progress(messages, "limits of the machine");
    TRY(omma_limits_measure(subject->engine, &limits, error));
    message_progress(messages, "layers");
    TRY(bench_layers_measure(subject, plan->n_repeats, plan->seed, &limits, &layers, error));
    message_progress_end(messages);
    if (is_here) {
        bench_machine_here(&limits, &machine);
    }
    TRY(bench_project(&projection, &forecast, error));
    return bench_forecast_report(&projection, &forecast, values->format == BENCH_JSON, error);
}

static enum omma_status bench(const struct bench_values *values, const struct bench_plan *plan,
                              struct messages *messages, struct omma_error *error)
{
    struct omma_engine_options options;
    struct bench_subject subject = {.image = values->image, .options = &options};
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    char *path = NULL;
    enum omma_status status;

    TRY_OR(status, done, engine_values_options(&values->engine, messages, &options, error));
    if (values->shape == NULL) {
        TRY_OR(status, done, model_path_find(values->model, &path, error));
        subject.path = path;
    }
    TRY_OR(status, done, open_model(values, path, messages, &model, error));
    signals_watch_model(model);
    TRY_OR(status, done, omma_engine_create(model, &options, &engine, error));
    placement_note(messages, engine);
    subject.engine = engine;
    subject.model = omma_model_info(model);
    subject.info = omma_engine_info(engine);
    status = values->project != NULL ? project(values, plan, &subject, messages, error)
                                     : measure(values, plan, &subject, messages, error);
done:
    message_progress_end(messages);
    omma_engine_destroy(&engine);
    signals_watch_model(NULL);
    omma_model_close(&model);
    free(path);
    return status;
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct bench_values *values = invocation->values;
    struct bench_plan plan;

    invocation->messages->verbose = values->verbose;
    TRY(check(invocation, error));
    TRY(make_plan(values, &plan, error));
    if (values->write != NULL) {
        struct omma_model_shape shape = shape_of(values);

        return omma_model_generate_folder(&shape, values->write, error);
    }
    return bench(values, &plan, invocation->messages, error);
}

const struct command command_bench = {
    .name = "bench",
    .operands = "",
    .summary = "Measure prefill, decode, tiles and the start beside the machine's limits",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
