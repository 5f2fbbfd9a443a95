/*
 * omma batch: the chat requests of a file, answered into another one; killed at any time, it goes
 * on where it was.
 *
 * What is wrong on the command line is told first, then what is wrong with the input, then the
 * model is opened, and only then the journal, whose key needs to know the engine.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/batch/chat_rows.h"
#include "tools/batch/crew.h"
#include "tools/batch/export.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/engine_options.h"
#include "tools/image_options.h"
#include "tools/model_path.h"
#include "tools/placement.h"
#include "tools/signals.h"

enum { MAX_PICTURE_BYTES = 1 << 30 };

struct batch_values {
    const char *model, *output, *media_dir, *shard;
    size_t n_parallel, n_context, max_tokens, seed, max_tiles_total;
    bool resume, restart, retry_errors, fast, export, no_timings, verbose;
    struct image_values image;
    struct engine_values engine;
};

static const struct batch_values defaults = {
    .n_parallel = 8, .max_tokens = INT32_MAX, .engine = {.vision_threads = "auto"}};

/* clang-format off */
#define FIELD(name) .offset = offsetof(struct batch_values, name)

static const struct option_row rows[] = {
    MODEL_OPTION(struct batch_values, model),
    {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .argument = "OUT", FIELD(output),
     .help = "the file for the answers; the journal is OUT.journal"},
    {.name = "jobs", .letter = 'j', .kind = OPTION_COUNT, .argument = "N", FIELD(n_parallel),
     .minimum = 1, .maximum = 256,
     .help = "rows that are computed side by side, each with a context of its own; 8 if not given"},
    {.name = "resume", .kind = OPTION_FLAG, FIELD(resume),
     .help = "go on with the journal, which must be there; without, one that is there is gone on "
             "with"},
    {.name = "restart", .kind = OPTION_FLAG, FIELD(restart),
     .help = "forget the rows of the journal and begin anew"},
    {.name = "retry-errors", .kind = OPTION_FLAG, FIELD(retry_errors),
     .help = "compute the rows again that failed"},
    {.name = "export", .kind = OPTION_FLAG, FIELD(export),
     .help = "write OUT from what the journal holds, and compute nothing"},
    {.name = "no-timings", .kind = OPTION_FLAG, FIELD(no_timings),
     .help = "leave out of OUT what differs from run to run"},
    {.name = "fast", .kind = OPTION_FLAG, FIELD(fast),
     .help = "allow answers that depend on what is computed beside them"},
    {.name = "shard", .kind = OPTION_TEXT, .argument = "I/N", FIELD(shard),
     .help = "every N-th row alone, from the I-th on"},
    CONTEXT_OPTION(struct batch_values, n_context),
    ANSWER_OPTION(struct batch_values, max_tokens),
    {.name = "seed", .kind = OPTION_COUNT, .argument = "N", FIELD(seed),
     .minimum = 0, .maximum = INT32_MAX,
     .help = "of rows that draw and name no seed: the I-th draws with N + I - 1; 0 if not given"},
    {.name = "media-dir", .kind = OPTION_TEXT, .argument = "DIR", FIELD(media_dir),
     .help = "the folder of the pictures; the input's if not given"},
    IMAGE_OPTIONS(struct batch_values, image),
    MAX_TILES_TOTAL_OPTION(struct batch_values, max_tiles_total),
    ENGINE_OPTIONS(struct batch_values, engine),
    VISION_OPTION(struct batch_values, engine),
    VERBOSE_OPTION(struct batch_values, verbose),
    {0},
};
/* clang-format on */

/* All that a run has, in the order in which it is made. */
struct batch {
    const struct batch_values *values;
    struct messages *messages;
    const char *input_path;
    char *journal_path;
    size_t shard, n_shards; /* shard < n_shards */
    struct omma_engine_options engine_options;
    struct input input;
    struct media_folder media;
    char *model_path;
    struct omma_model *model;
    struct omma_engine *engine;
    size_t n_context;
    struct omma_image_options image;
    struct crew *crew;       /* processes that compute together; NULL: this one alone */
    bool goes_on;            /* it has something to do */
    struct journal *journal; /* NULL for a hand of the crew */
    uint64_t *numbers;       /* of the rows to compute */
    size_t n_numbers, n_rows, n_done, n_failed; /* n_rows: of the shard; done before */
};

static enum omma_status read_shard(const char *text, struct batch *batch, struct omma_error *error)
{
    int n_read = -1;
    unsigned i = 1, n = 1;

    if (text != NULL && (sscanf(text, "%7u/%7u%n", &i, &n, &n_read) != 2 || n_read < 0 ||
                         text[n_read] != '\0' || i < 1 || i > n)) {
        return fail(error, OMMA_STATUS_USAGE, "--shard: expected I/N, I from 1 to N, found \"%s\"",
                    text);
    }
    batch->shard = i - 1;
    batch->n_shards = n;
    return OMMA_OK;
}

static enum omma_status check_options(const struct invocation *invocation, struct batch *batch,
                                      struct omma_error *error)
{
    const struct batch_values *values = invocation->values;
    const struct option_result *options = &invocation->options;
    struct engine_values engine = values->engine;

    TRY(command_check_operands(invocation, values->export ? 0 : 1, 1, error));
    if (values->output == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "expected -o OUT, the file for the answers");
    }
    TRY(options_exclude(rows, options, "resume", "restart", error));
    TRY(options_exclude(rows, options, "restart", "retry-errors", error));
    TRY(options_exclude(rows, options, "fast", "deterministic", error));
    if (asprintf(&batch->journal_path, "%s.journal", values->output) < 0) {
        batch->journal_path = NULL;
        return fail_memory(error);
    }
    if (values->export) {
        TRY(options_exclude(rows, options, "export", "restart", error));
        return options_exclude(rows, options, "export", "retry-errors", error);
    }
    TRY(require_model(values->model, error));
    TRY(image_values_check(&values->image, error));
    TRY(read_shard(values->shard, batch, error));
    engine.deterministic = !values->fast;
    return engine_values_options(&engine, invocation->messages, &batch->engine_options, error);
}

/* ------------------------------------------------------------------------------------------------
 * Opening
 * --------------------------------------------------------------------------------------------- */

static enum omma_status open_input(struct batch *batch, struct omma_error *error)
{
    char *copy;
    enum omma_status status;
    struct stat output;

    if (!crew_is_hand(batch->crew) && access(batch->values->output, F_OK) == 0 &&
        access(batch->journal_path, F_OK) != 0 && !batch->values->restart) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: is there, without a journal; --restart replaces it",
                    batch->values->output);
    }
    message_progress(batch->messages, "reading %s", batch->input_path);
    TRY(input_open(batch->input_path, &batch->input, error));
    if (stat(batch->values->output, &output) == 0 && output.st_dev == batch->input.stat.st_dev &&
        output.st_ino == batch->input.stat.st_ino) {
        return fail(error, OMMA_STATUS_USAGE, "%s: is the input", batch->values->output);
    }
    TRY(input_check_names(&batch->input, error));
    copy = strdup(batch->input_path);
    if (copy == NULL) {
        return fail_memory(error);
    }
    status = media_folder_open(batch->values->media_dir != NULL ? batch->values->media_dir
                                                                : dirname(copy),
                               &batch->media, error);
    batch->media.takes_paths = true;
    free(copy);
    return status;
}

static enum omma_status open_model(struct batch *batch, struct omma_error *error)
{
    const struct omma_model_options options = {.log = messages_log(batch->messages)};
    const struct omma_engine_info *engine;
    const struct omma_model_info *info;

    message_progress(batch->messages, "loading %s", batch->values->model);
    TRY(model_path_find(batch->values->model, &batch->model_path, error));
    TRY(omma_model_open(batch->model_path, &options, &batch->model, error));
    signals_watch_model(batch->model);
    info = omma_model_info(batch->model);
    TRY(image_values_options(&batch->values->image, info, batch->messages, &batch->image, error));
    batch->n_context =
        batch->values->n_context != 0 ? batch->values->n_context : info->default_context;
    batch->engine_options.max_batch = batch->values->n_parallel;
    TRY(omma_engine_create(batch->model, &batch->engine_options, &batch->engine, error));
    message_progress_end(batch->messages);
    engine = omma_engine_info(batch->engine);
    message_note(batch->messages,
                 "%s: %zu threads, %s kernels, %s activations, %s KV cache; up to %zu rows of %zu "
                 "tokens side by side, %s",
                 batch->model_path, engine->n_threads, engine->isa, engine->precision,
                 engine->kv_dtype, batch->values->n_parallel, batch->n_context,
                 engine->deterministic ? "deterministic" : "fast");
    placement_note(batch->messages, batch->engine);
    return OMMA_OK;
}

/* Room for the numbers of a key. */
struct key_texts {
    char shard[32], tiles[64], tiles_total[24], context[24], max_tokens[24], seed[24];
};

/* All that an answer depends on; not threads, nor how many rows are computed side by side.  The
 * processes of a crew have the same. */
static enum omma_status open_journal(struct batch *batch, struct omma_error *error)
{
    const struct batch_values *values = batch->values;
    const struct omma_engine_info *engine = omma_engine_info(batch->engine);
    struct key_texts texts;
    const struct journal_setting key[] = {
        {"omma", omma_version()},
        {"input", batch->input.sha256},
        {"shard", texts.shard},
        {"model", omma_model_info(batch->model)->identity},
        {"tiles", texts.tiles},
        {"max-tiles-total", texts.tiles_total},
        {"context", texts.context},
        {"max-tokens", texts.max_tokens},
        {"seed", texts.seed},
        {"tier", engine->isa},
        {"precision", engine->precision},
        {"kv cache", engine->kv_dtype},
        {"gemm", engine->gemm},
        {"int8 activations", engine->int8_activations ? "yes" : "no"},
        {"mode", engine->deterministic ? "deterministic" : "fast"},
    };

    snprintf(texts.shard, sizeof texts.shard, "%zu/%zu", batch->shard + 1, batch->n_shards);
    snprintf(texts.tiles, sizeof texts.tiles, "%zu-%zu%s%s", batch->image.min_tiles,
             batch->image.max_tiles, batch->image.no_thumbnail ? ", no thumbnail" : "",
             batch->image.strict ? ", strict" : "");
    snprintf(texts.tiles_total, sizeof texts.tiles_total, "%zu", values->max_tiles_total);
    snprintf(texts.context, sizeof texts.context, "%zu", batch->n_context);
    snprintf(texts.max_tokens, sizeof texts.max_tokens, "%zu", values->max_tokens);
    snprintf(texts.seed, sizeof texts.seed, "%zu", values->seed);
    if (!crew_is_hand(batch->crew)) {
        TRY(journal_open(batch->journal_path, key, sizeof key / sizeof *key,
                         values->restart  ? JOURNAL_RESTART
                         : values->resume ? JOURNAL_RESUME
                                          : JOURNAL_AUTO,
                         &batch->journal, error));
        TRY(values->retry_errors ? journal_drop_errors(batch->journal, error) : OMMA_OK);
    }
    return crew_agree(batch->crew, key, sizeof key / sizeof *key, &batch->goes_on, error);
}

/* ------------------------------------------------------------------------------------------------
 * Running
 * --------------------------------------------------------------------------------------------- */

/* Marks of the rows that the journal has. */
struct done {
    struct batch *batch;
    bool *is_done; /* [input.n_rows] */
};

static enum omma_status mark(void *user, const struct journal_row *row, struct omma_error *error)
{
    const struct done *done = user;

    if (row->number >= done->batch->input.n_rows) {
        return fail(error, OMMA_STATUS_USAGE, "%s: row %llu is beyond the input",
                    done->batch->journal_path, (unsigned long long)row->number);
    }
    done->is_done[row->number] = true;
    done->batch->n_done++;
    done->batch->n_failed += row->is_error;
    return OMMA_OK;
}

/* The rows of the shard that the journal has not. */
static enum omma_status find_rows(struct batch *batch, struct omma_error *error)
{
    size_t n_rows = batch->input.n_rows;
    struct done done = {.batch = batch, .is_done = calloc(n_rows + 1, sizeof *done.is_done)};
    enum omma_status status;
    char text[24];

    batch->numbers = calloc(n_rows + 1, sizeof *batch->numbers);
    if (done.is_done == NULL || batch->numbers == NULL) {
        free(done.is_done);
        return fail_memory(error);
    }
    status = journal_each(batch->journal, mark, &done, error);
    for (size_t i = batch->shard; i < n_rows; i += batch->n_shards) {
        batch->n_rows++;
        if (!done.is_done[i]) {
            batch->numbers[batch->n_numbers++] = i;
        }
    }
    free(done.is_done);
    TRY(status);
    snprintf(text, sizeof text, "%zu", batch->n_rows);
    return journal_set_note(batch->journal, "rows", text, error);
}

/* What else is good to know of a run. */
static enum omma_status write_notes(struct batch *batch, struct omma_error *error)
{
    const struct omma_engine_info *engine = omma_engine_info(batch->engine);
    char text[96];

    snprintf(text, sizeof text, "%zu, %zu of them for pictures; %zu rows side by side",
             engine->n_threads, engine->n_vision_threads, batch->values->n_parallel);
    TRY(journal_set_note(batch->journal, "threads", text, error));
    snprintf(text, sizeof text, "%zu", crew_size(batch->crew));
    TRY(journal_set_note(batch->journal, "processes", text, error));
    TRY(journal_set_note(batch->journal, "model folder", batch->model_path, error));
    TRY(journal_set_note(batch->journal, "input file", batch->input.path, error));
    TRY(journal_set_note(batch->journal, "media folder", batch->media.path, error));
    return journal_commit(batch->journal, error);
}

static enum omma_status compute(struct batch *batch, struct runner_result *result,
                                struct omma_error *error)
{
    struct chat_rows chat_rows = {
        .model = batch->model,
        .input = &batch->input,
        .media = &batch->media,
        .bounds = {.image = batch->image,
                   .max_tiles_total = batch->values->max_tiles_total,
                   .max_bytes = MAX_PICTURE_BYTES,
                   .n_context = batch->n_context},
        .max_tokens = batch->values->max_tokens,
        .seed = batch->values->seed,
    };
    const struct row_source source = chat_rows_source(&chat_rows);
    const struct runner_settings settings = {
        .engine = batch->engine,
        .crew = batch->crew,
        .journal = batch->journal,
        .messages = batch->messages,
        .n_parallel = batch->values->n_parallel,
        .n_context = batch->n_context,
        .numbers = batch->numbers,
        .n_rows = batch->n_numbers,
        .n_done = batch->n_done,
        .n_failed = batch->n_failed,
    };

    if (batch->n_done > 0) {
        message_note(batch->messages, "%s: %zu of %zu rows are there", batch->journal_path,
                     batch->n_done, batch->n_rows);
    }
    return runner_run(&settings, &source, result, error);
}

/* The output from a journal; the exit code.  n_expected: rows that it should have. */
static int write_output(const struct batch *batch, struct journal *journal, size_t n_expected,
                        struct omma_error *error)
{
    struct export_counts counts;

    TRY(export_rows(journal, batch->values->output, !batch->values->no_timings, &counts, error));
    message_note(batch->messages, "%s: %zu of %zu rows, %zu failed", batch->values->output,
                 counts.n_rows, n_expected, counts.n_failed);
    return counts.n_failed > 0 ? EXIT_SOME_FAILED : OMMA_OK;
}

static int run_batch(struct batch *batch, struct omma_error *error)
{
    struct runner_result result;

    TRY(open_input(batch, error));
    TRY(open_model(batch, error));
    TRY(open_journal(batch, error));
    if (crew_is_hand(batch->crew)) {
        return batch->goes_on ? (int)compute(batch, &result, error) : OMMA_OK;
    }
    TRY(find_rows(batch, error));
    TRY(write_notes(batch, error));
    TRY(compute(batch, &result, error));
    message_note(batch->messages, "%zu rows in %.1f s, %.1f tokens/s", result.n_done,
                 result.elapsed_s, (double)result.n_tokens / result.elapsed_s);
    if (batch->n_done + result.n_done < batch->n_rows) {
        message_warning(batch->messages,
                        "interrupted: %zu of %zu rows are kept; the same command goes on",
                        batch->n_done + result.n_done, batch->n_rows);
        return 128 + result.signal;
    }
    return write_output(batch, batch->journal, batch->n_rows, error);
}

static int run_export(struct batch *batch, struct omma_error *error)
{
    char *n_rows = NULL;
    int code;

    TRY(journal_open_reading(batch->journal_path, &batch->journal, error));
    TRY(journal_value(batch->journal, "rows", &n_rows, error));
    code =
        write_output(batch, batch->journal, n_rows != NULL ? strtoull(n_rows, NULL, 10) : 0, error);
    free(n_rows);
    return code == EXIT_SOME_FAILED ? OMMA_OK : code;
}

static void close_all(struct batch *batch)
{
    message_progress_end(batch->messages);
    omma_engine_destroy(&batch->engine);
    signals_watch_model(NULL);
    omma_model_close(&batch->model);
    journal_close(&batch->journal);
    media_folder_close(&batch->media);
    input_close(&batch->input);
    free(batch->numbers);
    free(batch->model_path);
    free(batch->journal_path);
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    struct batch batch = {.values = invocation->values,
                          .messages = invocation->messages,
                          .input = {.descriptor = -1},
                          .media = {.descriptor = -1}};
    int code;

    invocation->messages->verbose = batch.values->verbose;
    code = check_options(invocation, &batch, error);
    if (code == OMMA_OK && batch.values->export) {
        code = run_export(&batch, error);
    } else if (code == OMMA_OK && (code = crew_open(&batch.crew, error)) == OMMA_OK) {
        batch.input_path = invocation->options.operands[0];
        code = run_batch(&batch, error);
        code = (int)crew_close(&batch.crew, (enum omma_status)code, error);
    }
    close_all(&batch);
    return code;
}

const struct command command_batch = {
    .name = "batch",
    .operands = "IN",
    .summary = "Answer the requests of a file, and go on after whatever stopped it",
    .description = NULL,
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
