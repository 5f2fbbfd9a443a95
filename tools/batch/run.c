/* Opening, the rows that are left, computing them: in the order in which run.h tells it. */
#include "tools/batch/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/model_path.h"
#include "tools/placement.h"
#include "tools/signals.h"

static enum omma_status read_shard(const char *text, struct run *run, struct omma_error *error)
{
    int n_read = -1;
    unsigned i = 1, n = 1;

    if (text != NULL && (sscanf(text, "%7u/%7u%n", &i, &n, &n_read) != 2 || n_read < 0 ||
                         text[n_read] != '\0' || i < 1 || i > n)) {
        return fail(error, OMMA_STATUS_USAGE, "--shard: expected I/N, I from 1 to N, found \"%s\"",
                    text);
    }
    run->shard = i - 1;
    run->n_shards = n;
    return OMMA_OK;
}

enum omma_status run_check(const struct run_values *values, const struct option_row *rows,
                           const struct option_result *options, struct messages *messages,
                           const char *output, struct run *run, struct omma_error *error)
{
    struct engine_values engine = values->engine;

    run->values = values;
    run->messages = messages;
    TRY(options_exclude(rows, options, "resume", "restart", error));
    TRY(options_exclude(rows, options, "restart", "retry-errors", error));
    TRY(options_exclude(rows, options, "fast", "deterministic", error));
    TRY(require_model(values->model, error));
    TRY(read_shard(values->shard, run, error));
    engine.deterministic = !values->fast;
    if (asprintf(&run->journal_path, "%s.journal", output) < 0) {
        run->journal_path = NULL;
        return fail_memory(error);
    }
    return engine_values_options(&engine, messages, &run->engine_options, error);
}

enum omma_status run_open_model(struct run *run, struct omma_error *error)
{
    const struct omma_model_options options = {.log = messages_log(run->messages)};
    const struct omma_engine_info *engine;
    const struct omma_model_info *info;

    message_progress(run->messages, "loading %s", run->values->model);
    TRY(model_path_find(run->values->model, &run->model_path, error));
    TRY(omma_model_open(run->model_path, &options, &run->model, error));
    signals_watch_model(run->model);
    info = omma_model_info(run->model);
    run->n_context = run->values->n_context != 0 ? run->values->n_context : info->default_context;
    run->engine_options.max_batch = run->values->n_parallel;
    TRY(omma_engine_create(run->model, &run->engine_options, &run->engine, error));
    message_progress_end(run->messages);
    engine = omma_engine_info(run->engine);
    message_note(run->messages,
                 "%s: %zu threads, %s kernels, %s activations, %s KV cache; up to %zu rows of %zu "
                 "tokens side by side, %s",
                 run->model_path, engine->n_threads, engine->isa, engine->precision,
                 engine->kv_dtype, run->values->n_parallel, run->n_context,
                 engine->deterministic ? "deterministic" : "fast");
    placement_note(run->messages, run->engine);
    return OMMA_OK;
}

/* All that an answer depends on; not threads, nor how many rows are computed side by side.  The
 * processes of a crew have the same. */
enum omma_status run_open_journal(struct run *run, const struct journal_setting *own, size_t n_own,
                                  struct omma_error *error)
{
    const struct run_values *values = run->values;
    const struct omma_engine_info *engine = omma_engine_info(run->engine);
    char shard[32], context[24], max_tokens[24];
    const struct journal_setting common[] = {
        {"omma", omma_version()},
        {"shard", shard},
        {"model", omma_model_info(run->model)->identity},
        {"context", context},
        {"max-tokens", max_tokens},
        {"tier", engine->isa},
        {"precision", engine->precision},
        {"kv cache", engine->kv_dtype},
        {"gemm", engine->gemm},
        {"int8 activations", engine->int8_activations ? "yes" : "no"},
        {"mode", engine->deterministic ? "deterministic" : "fast"},
    };
    enum { N_COMMON = sizeof common / sizeof *common };
    struct journal_setting key[N_COMMON + RUN_OWN_SETTINGS];

    snprintf(shard, sizeof shard, "%zu/%zu", run->shard + 1, run->n_shards);
    snprintf(context, sizeof context, "%zu", run->n_context);
    snprintf(max_tokens, sizeof max_tokens, "%zu", values->max_tokens);
    memcpy(key, common, sizeof common);
    memcpy(key + N_COMMON, own, n_own * sizeof *own);
    if (!crew_is_hand(run->crew)) {
        TRY(journal_open(run->journal_path, key, N_COMMON + n_own,
                         values->restart  ? JOURNAL_RESTART
                         : values->resume ? JOURNAL_RESUME
                                          : JOURNAL_AUTO,
                         &run->journal, error));
        TRY(values->retry_errors ? journal_drop_errors(run->journal, error) : OMMA_OK);
    }
    return crew_agree(run->crew, key, N_COMMON + n_own, &run->goes_on, error);
}

/* Marks of the rows that the journal has. */
struct done {
    struct run *run;
    bool *is_done; /* [n_all] */
    size_t n_all;
};

static enum omma_status mark(void *user, const struct journal_row *row, struct omma_error *error)
{
    const struct done *done = user;

    if (row->number >= done->n_all) {
        return fail(error, OMMA_STATUS_USAGE, "%s: row %llu is beyond the input",
                    done->run->journal_path, (unsigned long long)row->number);
    }
    done->is_done[row->number] = true;
    done->run->n_done++;
    done->run->n_failed += row->is_error;
    return OMMA_OK;
}

enum omma_status run_find_rows(struct run *run, const uint64_t *chosen, size_t n_chosen,
                               size_t n_all, struct omma_error *error)
{
    struct done done = {
        .run = run, .is_done = calloc(n_all + 1, sizeof *done.is_done), .n_all = n_all};
    enum omma_status status;
    char text[24];

    n_chosen = chosen != NULL ? n_chosen : n_all;
    run->numbers = calloc(n_chosen + 1, sizeof *run->numbers);
    if (done.is_done == NULL || run->numbers == NULL) {
        free(done.is_done);
        return fail_memory(error);
    }
    status = journal_each(run->journal, mark, &done, error);
    for (size_t i = run->shard; i < n_chosen; i += run->n_shards) {
        uint64_t number = chosen != NULL ? chosen[i] : i;

        run->n_rows++;
        if (!done.is_done[number]) {
            run->numbers[run->n_numbers++] = number;
        }
    }
    free(done.is_done);
    TRY(status);
    snprintf(text, sizeof text, "%zu", run->n_rows);
    return journal_set_note(run->journal, "rows", text, error);
}

/* Of this process; under mpirun the others have encoded tiles too. */
static void note_speed(const struct run *run, const struct runner_result *result)
{
    struct omma_engine_stats stats;

    message_note(run->messages, "%zu rows in %.1f s, %.1f tokens/s", result->n_done,
                 result->elapsed_s, (double)result->n_tokens / result->elapsed_s);
    omma_engine_stats(run->engine, &stats);
    if (stats.n_tiles + stats.cached_tiles > 0) {
        message_note(run->messages,
                     "%" PRIu64 " tiles encoded, in %.0f %% of the time; %" PRIu64
                     " taken from the image cache",
                     stats.n_tiles, 100 * stats.encode_s / result->elapsed_s, stats.cached_tiles);
    }
}

enum omma_status run_write_notes(struct run *run, const struct journal_setting *own, size_t n_own,
                                 struct omma_error *error)
{
    const struct omma_engine_info *engine = omma_engine_info(run->engine);
    char text[96];

    snprintf(text, sizeof text, "%zu, %zu of them for pictures; %zu rows side by side",
             engine->n_threads, engine->n_vision_threads, run->values->n_parallel);
    TRY(journal_set_note(run->journal, "threads", text, error));
    snprintf(text, sizeof text, "%zu", crew_size(run->crew));
    TRY(journal_set_note(run->journal, "processes", text, error));
    TRY(journal_set_note(run->journal, "model folder", run->model_path, error));
    for (size_t i = 0; i < n_own; i++) {
        TRY(journal_set_note(run->journal, own[i].name, own[i].value, error));
    }
    return journal_commit(run->journal, error);
}

int run_compute(struct run *run, const struct row_source *source, struct omma_error *error)
{
    const struct runner_settings settings = {
        .engine = run->engine,
        .crew = run->crew,
        .journal = run->journal,
        .messages = run->messages,
        .n_parallel = run->values->n_parallel,
        .n_context = run->n_context,
        .numbers = run->numbers,
        .n_rows = run->n_numbers,
        .n_done = run->n_done,
        .n_failed = run->n_failed,
    };
    struct runner_result result;

    if (run->n_done > 0) {
        message_note(run->messages, "%s: %zu of %zu rows are there", run->journal_path, run->n_done,
                     run->n_rows);
    }
    TRY(runner_run(&settings, source, &result, error));
    if (crew_is_hand(run->crew)) {
        return OMMA_OK;
    }
    note_speed(run, &result);
    if (run->n_done + result.n_done < run->n_rows) {
        message_warning(run->messages,
                        "interrupted: %zu of %zu rows are kept; the same command goes on",
                        run->n_done + result.n_done, run->n_rows);
        return 128 + result.signal;
    }
    return OMMA_OK;
}

void run_close(struct run *run)
{
    message_progress_end(run->messages);
    omma_engine_destroy(&run->engine);
    signals_watch_model(NULL);
    omma_model_close(&run->model);
    journal_close(&run->journal);
    free(run->numbers);
    free(run->model_path);
    free(run->journal_path);
}
