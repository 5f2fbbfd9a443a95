/*
 * omma run: ask a model about pictures: one question with -p, a conversation without.
 *
 * Opens in this order: texts, model, pictures, engine, session; so that what is wrong on the
 * command line is told before anything takes time.  struct runner owns them all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/clock.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/dry_run.h"
#include "tools/engine_options.h"
#include "tools/json_out.h"
#include "tools/model_path.h"
#include "tools/placement.h"
#include "tools/run/answer.h"
#include "tools/run/chat.h"
#include "tools/run/saved.h"
#include "tools/signals.h"
#include "tools/text_in.h"

struct run_values {
    const char *model, *prompt, *system, *schema, *session;
    struct option_list images, stops;
    struct image_values image;
    size_t max_tiles_total;
    int special;
    size_t max_new_tokens, n_context, top_k, seed;
    double temperature, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty;
    struct engine_values engine;
    bool json, verbose, dry_run;
};

static const struct run_values defaults = {.engine = {.prefix_cache = 1}};

/* clang-format off */
#define FIELD(name) .offset = offsetof(struct run_values, name)

static const struct option_row rows[] = {
    MODEL_OPTION(struct run_values, model),
    {.name = "prompt", .letter = 'p', .kind = OPTION_TEXT, .argument = "TEXT", FIELD(prompt),
     .help = "the question; - reads it from standard input; without it, a conversation"},
    {.name = "image", .letter = 'i', .kind = OPTION_LIST, .argument = "FILE", FIELD(images),
     .help = "a picture, JPEG or PNG; may be given several times"},
    {.name = "system", .kind = OPTION_TEXT, .argument = "TEXT|@FILE", FIELD(system),
     .help = "the system message instead of the model's own; empty: none"},
    SPECIAL_OPTION(struct run_values, special),
    IMAGE_OPTIONS(struct run_values, image),
    MAX_TILES_TOTAL_OPTION(struct run_values, max_tiles_total),
    {.name = "max-tokens", .letter = 'n', .kind = OPTION_COUNT, .argument = "N",
     FIELD(max_new_tokens), .minimum = 1, .maximum = INT32_MAX,
     .help = "most tokens of the answer; 1024 if not given"},
    CONTEXT_OPTION(struct run_values, n_context),
    {.name = "stop", .kind = OPTION_LIST, .argument = "TEXT", FIELD(stops),
     .help = "end the answer before this text; may be given several times"},
    {.name = "json-schema", .kind = OPTION_TEXT, .argument = "FILE", FIELD(schema),
     .help = "hold answers to the JSON schema in this file"},
    {.name = "temperature", .kind = OPTION_REAL, .argument = "X", FIELD(temperature),
     .real_minimum = 0, .real_maximum = 100,
     .help = "of sampling; 0, the default, takes the best token always"},
    {.name = "top-k", .kind = OPTION_COUNT, .argument = "N", FIELD(top_k),
     .minimum = 1, .maximum = INT32_MAX, .help = "sample among the N best tokens"},
    {.name = "top-p", .kind = OPTION_REAL, .argument = "X", FIELD(top_p),
     .real_minimum = 1e-6, .real_maximum = 1,
     .help = "sample among the best tokens that have probability X together"},
    {.name = "min-p", .kind = OPTION_REAL, .argument = "X", FIELD(min_p),
     .real_minimum = 0, .real_maximum = 1,
     .help = "sample among tokens with X times the best one's probability at least"},
    {.name = "repetition-penalty", .kind = OPTION_REAL, .argument = "X",
     FIELD(repetition_penalty), .real_minimum = 0.01, .real_maximum = 100,
     .help = "make tokens of the answer so far less likely; 1 is off"},
    {.name = "frequency-penalty", .kind = OPTION_REAL, .argument = "X",
     FIELD(frequency_penalty), .real_minimum = -2, .real_maximum = 2,
     .help = "take X from a token's logit for each time that the answer has it"},
    {.name = "presence-penalty", .kind = OPTION_REAL, .argument = "X",
     FIELD(presence_penalty), .real_minimum = -2, .real_maximum = 2,
     .help = "take X from the logits of tokens that the answer has"},
    {.name = "seed", .kind = OPTION_COUNT, .argument = "N", FIELD(seed),
     .minimum = 0, .maximum = SIZE_MAX, .help = "of sampling; the same seed gives the same answer"},
    ENGINE_OPTIONS(struct run_values, engine),
    REQUEST_OPTIONS(struct run_values, engine),
    {.name = "session", .kind = OPTION_TEXT, .argument = "FILE", FIELD(session),
     .help = "go on with the conversation in this file, if it is there, and keep it there"},
    DRY_RUN_OPTION(struct run_values, dry_run),
    JSON_OPTION(struct run_values, json),
    VERBOSE_OPTION(struct run_values, verbose),
    {0},
};
/* clang-format on */

struct runner {
    const struct run_values *values;
    struct messages *messages;
    struct text prompt, system, saved_system, schema_text;
    struct omma_stop *stops;
    struct omma_engine_options engine_options;
    struct omma_request request;
    char *path;
    struct omma_model *model;
    struct omma_schema *schema;
    struct pictures pictures;
    struct omma_engine *engine;
    struct omma_session *session;
    struct chat chat;
    double load_s;
};

/* Options that say nothing without another one. */
static enum omma_status check_options(const struct invocation *invocation, struct omma_error *error)
{
    static const char *const sampling[] = {"top-k", "top-p", "min-p", "seed", NULL};
    const struct run_values *values = invocation->values;

    TRY(command_check_operands(invocation, 0, 0, error));
    TRY(require_model(values->model, error));
    if ((values->json || values->dry_run) && values->prompt == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "--%s needs --prompt",
                    values->json ? "json" : "dry-run");
    }
    if (values->dry_run && values->session != NULL) {
        return fail(error, OMMA_STATUS_USAGE, "--dry-run does not go with --session");
    }
    for (size_t i = 0; sampling[i] != NULL && values->temperature == 0; i++) {
        if (options_given(rows, &invocation->options, sampling[i])) {
            return fail(error, OMMA_STATUS_USAGE, "--%s needs --temperature above 0", sampling[i]);
        }
    }
    if (values->max_tiles_total != 0 && values->image.min_tiles > values->max_tiles_total) {
        return fail(error, OMMA_STATUS_USAGE, "--min-tiles %zu is more than --max-tiles-total %zu",
                    values->image.min_tiles, values->max_tiles_total);
    }
    return image_values_check(&values->image, error);
}

static enum omma_status read_texts(struct runner *runner, struct omma_error *error)
{
    const struct run_values *values = runner->values;

    if (values->system != NULL) {
        TRY(text_of_argument(values->system, &runner->system, error));
    }
    if (values->schema != NULL) {
        TRY(text_of_file(values->schema, &runner->schema_text, error));
    }
    if (values->prompt == NULL) {
        return OMMA_OK;
    }
    if (strcmp(values->prompt, "-") != 0) {
        return text_copy(values->prompt, &runner->prompt, error);
    }
    TRY(text_read(stdin, "standard input", &runner->prompt, error));
    text_chomp(&runner->prompt);
    return OMMA_OK;
}

/* What every request of this run has. */
static enum omma_status fill_request(struct runner *runner, struct omma_error *error)
{
    const struct run_values *values = runner->values;
    size_t n_stops = values->stops.n_items;

    runner->stops = calloc(n_stops + 1, sizeof *runner->stops);
    if (runner->stops == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n_stops; i++) {
        const char *text = values->stops.items[i];

        runner->stops[i] = (struct omma_stop){.text = text, .n_bytes = strlen(text)};
    }
    runner->request = (struct omma_request){
        .conversation = {.system = runner->system.bytes,
                         .n_system_bytes = runner->system.n_bytes,
                         .special = (enum omma_special)values->special},
        .max_new_tokens = values->max_new_tokens,
        .sampling = {.temperature = (float)values->temperature,
                     .top_k = values->top_k,
                     .top_p = (float)values->top_p,
                     .min_p = (float)values->min_p,
                     .repetition_penalty = (float)values->repetition_penalty,
                     .frequency_penalty = (float)values->frequency_penalty,
                     .presence_penalty = (float)values->presence_penalty,
                     .seed = values->seed},
        .stops = runner->stops,
        .n_stops = n_stops,
    };
    return OMMA_OK;
}

static enum omma_status add_pictures(struct runner *runner, struct omma_error *error)
{
    const struct option_list *images = &runner->values->images;

    return pictures_add(&runner->pictures, images->items, images->n_items, error);
}

static enum omma_status open_pictures(struct runner *runner, struct omma_error *error)
{
    const struct run_values *values = runner->values;
    const struct omma_model_info *info = omma_model_info(runner->model);
    struct omma_image_options options;

    TRY(image_values_options(&values->image, info, runner->messages, &options, error));
    runner->pictures =
        (struct pictures){.options = options, .max_tiles_total = values->max_tiles_total};
    return values->session != NULL ? OMMA_OK : add_pictures(runner, error);
}

/* The conversation so far, if there is one; pictures of the command line come behind its own. */
static enum omma_status open_chat(struct runner *runner, struct omma_error *error)
{
    struct omma_conversation *common = &runner->request.conversation;
    struct text *saved = &runner->saved_system;

    runner->chat = (struct chat){
        .model = runner->model,
        .session = runner->session,
        .request = &runner->request,
        .messages = runner->messages,
        .pictures = &runner->pictures,
    };
    if (runner->values->session == NULL) {
        return OMMA_OK;
    }
    TRY(saved_load(runner->values->session, &runner->chat, saved, error));
    if (common->system != NULL && runner->chat.conversation.n_turns > 0 &&
        (saved->bytes == NULL || saved->n_bytes != common->n_system_bytes ||
         memcmp(saved->bytes, common->system, saved->n_bytes) != 0)) {
        return fail(error, OMMA_STATUS_USAGE, "--system: %s has another system message",
                    runner->values->session);
    }
    if (common->system == NULL && saved->bytes != NULL) {
        common->system = saved->bytes;
        common->n_system_bytes = saved->n_bytes;
    }
    return add_pictures(runner, error);
}

static enum omma_status open_schema(struct runner *runner, struct omma_error *error)
{
    if (runner->values->schema == NULL) {
        return OMMA_OK;
    }
    if (omma_schema_open(runner->model, runner->schema_text.bytes, runner->schema_text.n_bytes,
                         &runner->schema, error) != OMMA_OK) {
        struct omma_error why = *error;

        return fail(error, why.status, "%s: %s", runner->values->schema, why.message);
    }
    runner->request.schema = runner->schema;
    return OMMA_OK;
}

static enum omma_status open_all(struct runner *runner, struct omma_error *error)
{
    const struct omma_model_options model_options = {.log = messages_log(runner->messages)};
    const struct omma_session_options session_options = {.n_context = runner->values->n_context};
    const struct omma_engine_info *info;
    double start = now_s();

    message_progress(runner->messages, "loading %s", runner->values->model);
    TRY(model_path_find(runner->values->model, &runner->path, error));
    TRY(omma_model_open(runner->path, &model_options, &runner->model, error));
    signals_watch_model(runner->model);
    TRY(open_schema(runner, error));
    TRY(open_pictures(runner, error));
    TRY(omma_engine_create(runner->model, &runner->engine_options, &runner->engine, error));
    if (!runner->values->dry_run) {
        TRY(omma_session_create(runner->engine, &session_options, &runner->session, error));
    }
    TRY(open_chat(runner, error));
    runner->load_s = now_s() - start;
    info = omma_engine_info(runner->engine);
    message_progress_end(runner->messages);
    message_note(runner->messages,
                 "%s: loaded in %.2f s; %zu threads, %s kernels, %s activations, %s KV cache",
                 runner->path, runner->load_s, info->n_threads, info->isa, info->precision,
                 info->kv_dtype);
    placement_note(runner->messages, runner->engine);
    return OMMA_OK;
}

/* In the order that the library asks for: sessions, engine, pictures, model. */
static void close_all(struct runner *runner)
{
    message_progress_end(runner->messages);
    conversation_clear(&runner->chat.conversation);
    omma_session_destroy(&runner->session);
    omma_schema_close(&runner->schema);
    omma_engine_destroy(&runner->engine);
    pictures_clear(&runner->pictures);
    signals_watch_model(NULL);
    omma_model_close(&runner->model);
    free(runner->path);
    free(runner->stops);
    text_free(&runner->prompt);
    text_free(&runner->system);
    text_free(&runner->saved_system);
    text_free(&runner->schema_text);
}

static enum omma_status print_json(const struct runner *runner, const struct answer *answer,
                                   struct omma_error *error)
{
    const struct omma_usage *usage = &answer->usage;
    const struct omma_timings *timings = &answer->timings;
    struct json_out out = json_out_object();
    size_t n_bytes;
    const char *text = answer_text(answer, &n_bytes);

    json_out_set(&out, "text", json_out_text(text, n_bytes));
    json_out_set(&out, "ids", json_out_ids(answer->ids, answer->n_ids));
    json_out_set(&out, "finish_reason", json_out_string(omma_finish_name(answer->finish)));
    json_out_set(&out, "usage",
                 json_pack("{sI sI sI sI sI sI}", "prompt_tokens", (json_int_t)usage->prompt_tokens,
                           "completion_tokens", (json_int_t)usage->completion_tokens,
                           "image_tokens", (json_int_t)usage->image_tokens, "tiles",
                           (json_int_t)usage->n_tiles, "cached_tiles",
                           (json_int_t)usage->cached_tiles, "cached_tokens",
                           (json_int_t)usage->cached_tokens));
    json_out_set(&out, "timings",
                 json_pack("{sf sf sf sf sf}", "load_s", runner->load_s, "encode_s",
                           timings->encode_s, "prefill_s", timings->prefill_s, "decode_s",
                           timings->decode_s, "total_s", timings->total_s));
    return json_out_write(&out, stdout, true, error);
}

/* The request about the prompt, which points to *turn. */
static struct omma_request make_request(const struct runner *runner, struct omma_turn *turn)
{
    struct omma_request request = runner->request;

    *turn = (struct omma_turn){
        .role = OMMA_ROLE_USER, .text = runner->prompt.bytes, .n_bytes = runner->prompt.n_bytes};
    request.conversation.turns = turn;
    request.conversation.n_turns = 1;
    request.conversation.images = (const struct omma_image *const *)runner->pictures.images;
    request.conversation.n_images = runner->pictures.n_pictures;
    return request;
}

static enum omma_status tell_dry_run(const struct runner *runner, struct omma_error *error)
{
    const struct omma_model_info *info = omma_model_info(runner->model);
    struct omma_turn turn;
    struct omma_request request = make_request(runner, &turn);
    struct omma_tokens tokens = {0};
    struct dry_run dry_run = {
        .model = info,
        .engine = runner->engine,
        .n_pictures = runner->pictures.n_pictures,
        .answer_tokens = request.max_new_tokens != 0 ? request.max_new_tokens : OMMA_NEW_TOKENS,
        .n_context =
            runner->values->n_context != 0 ? runner->values->n_context : info->default_context,
        .n_parallel = 1,
    };

    TRY(omma_render(runner->model, &request.conversation, &tokens, error));
    dry_run.prompt_tokens = tokens.n_tokens;
    omma_tokens_free(&tokens);
    for (size_t i = 0; i < runner->pictures.n_pictures; i++) {
        dry_run.n_tiles += omma_image_info(runner->pictures.images[i])->grid.n_tiles;
    }
    return dry_run_tell(&dry_run, runner->values->json, runner->messages, error);
}

static int run_once(struct runner *runner, struct omma_error *error)
{
    struct answer answer;
    enum omma_status status;
    int code;

    status = chat_ask(&runner->chat, &runner->prompt, !runner->values->json, &answer, error);
    if (status == OMMA_OK && runner->values->json) {
        status = print_json(runner, &answer, error);
    }
    code = status;
    if (status == OMMA_OK && answer.finish == OMMA_FINISH_CANCELLED && signals_noted() != 0) {
        code = 128 + signals_noted();
    }
    answer_release(&answer);
    return code;
}

/* Ask, and keep what came of it, also if a signal or a line that failed ended it. */
static int converse(struct runner *runner, struct omma_error *error)
{
    const char *path = runner->values->session;
    int code =
        runner->values->prompt != NULL ? run_once(runner, error) : chat_run(&runner->chat, error);

    if (path != NULL && (code == OMMA_OK || code == EXIT_SOME_FAILED || code >= 128)) {
        enum omma_status status = saved_store(path, &runner->chat, error);

        code = status != OMMA_OK ? (int)status : code;
    }
    return code;
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct run_values *values = invocation->values;
    struct runner runner = {.values = values, .messages = invocation->messages};
    int code;

    TRY(check_options(invocation, error));
    TRY(engine_values_options(&values->engine, invocation->messages, &runner.engine_options,
                              error));
    if (values->dry_run) {
        runner.engine_options.numa = OMMA_NUMA_OFF; /* no weight is read, so none is copied */
    }
    invocation->messages->verbose = values->verbose;
    TRY_OR(code, closing, read_texts(&runner, error));
    TRY_OR(code, closing, fill_request(&runner, error));
    TRY_OR(code, closing, open_all(&runner, error));
    if (values->dry_run) {
        code = tell_dry_run(&runner, error);
    } else {
        code = converse(&runner, error);
    }

closing:
    close_all(&runner);
    return code;
}

const struct command command_run = {
    .name = "run",
    .operands = "",
    .summary = "Ask a model about pictures",
    .description =
        "Without -p, lines are read one by one as a conversation; /help tells its commands.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
