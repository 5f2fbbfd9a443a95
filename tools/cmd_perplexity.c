/*
 * omma perplexity: how likely a model finds a text, in windows as llama.cpp counts them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/engine_options.h"
#include "tools/json_out.h"
#include "tools/model_path.h"
#include "tools/perplexity/windows.h"
#include "tools/signals.h"
#include "tools/text_in.h"

enum { MOST_CONTEXT = 1 << 20 };

struct perplexity_values {
    const char *model;
    size_t n_context, stride, n_chunks;
    struct engine_values engine;
    bool json, verbose;
};

static const struct perplexity_values defaults = {.n_context = 512};

/* clang-format off */
static const struct option_row rows[] = {
    MODEL_OPTION(struct perplexity_values, model),
    {.name = "context", .letter = 'c', .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct perplexity_values, n_context),
     .minimum = PERPLEXITY_LEAST_CONTEXT, .maximum = MOST_CONTEXT,
     .help = "tokens of a window, the second half of which is scored; 512 if not given"},
    {.name = "stride", .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct perplexity_values, stride), .minimum = 1, .maximum = MOST_CONTEXT,
     .help = "windows of N/2 tokens more begin every N tokens, the last N of each are scored"},
    {.name = "chunks", .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct perplexity_values, n_chunks), .minimum = 1, .maximum = INT32_MAX,
     .help = "the first N windows alone"},
    ENGINE_OPTIONS(struct perplexity_values, engine),
    JSON_OPTION(struct perplexity_values, json),
    VERBOSE_OPTION(struct perplexity_values, verbose),
    {0},
};
/* clang-format on */

/* What a run has, and what became of its windows. */
struct perplexity {
    const struct perplexity_values *values;
    const char *text_path;
    struct messages *messages;
    struct omma_model *model;
    struct omma_engine *engine;
    struct omma_tokens tokens;
    struct perplexity_plan plan;
    struct perplexity_sum total;
    json_t *chunks; /* NULL: not asked for */
};

/* "-" is standard input.  One newline at the end does not count. */
static enum omma_status read_text(struct perplexity *run, struct omma_error *error)
{
    struct text text = {0};
    enum omma_status status;

    if (strcmp(run->text_path, "-") == 0) {
        TRY(text_read(stdin, "standard input", &text, error));
    } else {
        TRY(text_of_file(run->text_path, &text, error));
    }
    text_chomp(&text);
    status = omma_tokenize(omma_model_tokenizer(run->model), text.bytes, text.n_bytes,
                           OMMA_SPECIAL_LITERAL, &run->tokens, error);
    text_free(&text);
    return status;
}

static enum omma_status open_model(struct perplexity *run, struct omma_error *error)
{
    const struct omma_model_options options = {.log = messages_log(run->messages)};
    enum omma_status status;
    char *path;

    TRY(model_path_find(run->values->model, &path, error));
    status = omma_model_open(path, &options, &run->model, error);
    free(path);
    TRY(status);
    signals_watch_model(run->model);
    return OMMA_OK;
}

/* A perplexity_fn. */
static enum omma_status take_window(void *user, size_t window, const struct perplexity_sum *sum,
                                    struct omma_error *error)
{
    struct perplexity *run = user;
    struct perplexity_sum *total = &run->total;

    total->n += sum->n;
    total->nll += sum->nll;
    total->squares += sum->squares;
    message_progress(run->messages, "window %zu of %zu", window + 1, run->plan.n_windows);
    if (run->chunks != NULL) {
        return json_array_append_new(run->chunks,
                                     json_pack("{sI sI sf sf}", "first_token",
                                               (json_int_t)(window * run->plan.distance), "scored",
                                               (json_int_t)sum->n, "nll", perplexity_mean(sum),
                                               "perplexity_so_far", perplexity_of(total))) == 0
                   ? OMMA_OK
                   : fail_memory(error);
    }
    message_progress_end(run->messages);
    if (window == 0) {
        printf("%8s %10s %12s %14s %12s\n", "window", "token", "nll", "perplexity", "so far");
    }
    printf("%8zu %10zu %12.6f %14.4f %12.4f\n", window + 1, window * run->plan.distance,
           perplexity_mean(sum), perplexity_of(sum), perplexity_of(total));
    fflush(stdout);
    return OMMA_OK;
}

static enum omma_status report_json(const struct perplexity *run, struct omma_error *error)
{
    const struct omma_model_info *model = omma_model_info(run->model);
    const struct omma_engine_info *engine = omma_engine_info(run->engine);
    struct json_out out = json_out_object();

    json_out_set(&out, "model", json_out_string(model->path));
    json_out_set(&out, "identity", json_string(model->identity));
    json_out_set(&out, "text", json_out_string(run->text_path));
    json_out_set(&out, "isa", json_string(engine->isa));
    json_out_set(&out, "precision", json_string(engine->precision));
    json_out_set(&out, "kv_dtype", json_string(engine->kv_dtype));
    json_out_set(&out, "gemm", json_string(engine->gemm));
    json_out_set(&out, "int8_activations", json_boolean(engine->int8_activations));
    json_out_set(&out, "n_tokens", json_integer((json_int_t)run->plan.n_tokens));
    json_out_set(&out, "window", json_integer((json_int_t)run->plan.window));
    json_out_set(&out, "distance", json_integer((json_int_t)run->plan.distance));
    json_out_set(&out, "scored", json_integer((json_int_t)run->total.n));
    json_out_set(&out, "nll", json_real(perplexity_mean(&run->total)));
    json_out_set(&out, "perplexity", json_real(perplexity_of(&run->total)));
    json_out_set(&out, "error", json_real(perplexity_error(&run->total)));
    json_out_set(&out, "chunks", json_incref(run->chunks));
    return json_out_write(&out, stdout, false, error);
}

static enum omma_status report(const struct perplexity *run, struct omma_error *error)
{
    message_progress_end(run->messages);
    if (run->values->json) {
        return report_json(run, error);
    }
    printf("perplexity %.4f +/- %.5f (%zu tokens scored in %zu windows of %zu)\n",
           perplexity_of(&run->total), perplexity_error(&run->total), run->total.n,
           run->plan.n_windows, run->plan.window);
    return OMMA_OK;
}

static enum omma_status compute(struct perplexity *run, struct omma_error *error)
{
    const struct perplexity_values *values = run->values;
    struct omma_engine_options options;

    TRY(engine_values_options(&values->engine, run->messages, &options, error));
    TRY(open_model(run, error));
    TRY(read_text(run, error));
    TRY(perplexity_plan_make(run->tokens.n_tokens, values->n_context, values->stride,
                             values->n_chunks, &run->plan, error));
    options.max_batch = perplexity_side_by_side(&run->plan);
    TRY(omma_engine_create(run->model, &options, &run->engine, error));
    if (values->json && (run->chunks = json_array()) == NULL) {
        return fail_memory(error);
    }
    TRY(perplexity_run(run->engine, run->tokens.ids, &run->plan, take_window, run, error));
    return report(run, error);
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    struct perplexity run = {.values = invocation->values, .messages = invocation->messages};
    enum omma_status status;

    TRY(command_check_operands(invocation, 1, 1, error));
    TRY(require_model(run.values->model, error));
    run.messages->verbose = run.values->verbose;
    run.text_path = invocation->options.operands[0];
    status = compute(&run, error);
    json_decref(run.chunks);
    omma_engine_destroy(&run.engine);
    omma_tokens_free(&run.tokens);
    signals_watch_model(NULL);
    omma_model_close(&run.model);
    return (int)status;
}

const struct command command_perplexity = {
    .name = "perplexity",
    .operands = "TEXT",
    .summary = "Tell how likely a model finds a text",
    .description = "TEXT is a file, or - for standard input.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
