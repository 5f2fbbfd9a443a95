/*
 * run.h - what `omma batch` and `omma eval` have in common: a model that computes rows into a
 * journal, alone or in a crew, and goes on after whatever stopped it.
 *
 * In this order: run_check(), crew_open() into run->crew, run_open_model(), run_open_journal();
 * then, but for the hands of a crew, run_find_rows() and run_write_notes(); run_compute();
 * crew_close(), run_close().
 */
#ifndef OMMA_TOOLS_BATCH_RUN_H
#define OMMA_TOOLS_BATCH_RUN_H

#include "tools/batch/crew.h"
#include "tools/common_options.h"
#include "tools/engine_options.h"

struct run_values {
    const char *model, *shard;
    size_t n_parallel, n_context, max_tokens;
    bool resume, restart, retry_errors, fast;
    struct engine_values engine;
};

/* clang-format off */
#define RUN_DEFAULTS                                                                               \
    {.n_parallel = 8, .max_tokens = INT32_MAX,                                                     \
     .engine = {.vision_threads = "auto", .prefix_cache = 1, .image_cache_bytes = 256 << 20}}

/* Rows for the table of a command whose struct `type` has such values as its member `field`. */
#define RUN_OPTIONS(type, field)                                                                   \
    MODEL_OPTION(type, field.model),                                                               \
    {.name = "jobs", .letter = 'j', .kind = OPTION_COUNT, .argument = "N",                         \
     .offset = offsetof(type, field.n_parallel), .minimum = 1, .maximum = 256,                     \
     .help = "rows that are computed side by side, each with a context of its own; 8 if not "      \
             "given"},                                                                             \
    {.name = "resume", .kind = OPTION_FLAG, .offset = offsetof(type, field.resume),                \
     .help = "go on with the journal, which must be there; without, one that is there is gone on " \
             "with"},                                                                              \
    {.name = "restart", .kind = OPTION_FLAG, .offset = offsetof(type, field.restart),              \
     .help = "forget the rows of the journal and begin anew"},                                     \
    {.name = "retry-errors", .kind = OPTION_FLAG, .offset = offsetof(type, field.retry_errors),    \
     .help = "compute the rows again that failed"},                                                \
    {.name = "fast", .kind = OPTION_FLAG, .offset = offsetof(type, field.fast),                    \
     .help = "allow answers that depend on what is computed beside them"},                         \
    {.name = "shard", .kind = OPTION_TEXT, .argument = "I/N",                                      \
     .offset = offsetof(type, field.shard),                                                        \
     .help = "every N-th row alone, from the I-th on"},                                            \
    CONTEXT_OPTION(type, field.n_context),                                                         \
    ANSWER_OPTION(type, field.max_tokens),                                                         \
    ENGINE_OPTIONS(type, field.engine),                                                            \
    REQUEST_OPTIONS(type, field.engine)
/* clang-format on */

/* Start with all zeroes. */
struct run {
    const struct run_values *values;
    struct messages *messages;
    char *journal_path;
    size_t shard, n_shards; /* shard < n_shards */
    struct omma_engine_options engine_options;
    struct crew *crew; /* NULL: this process alone */
    bool goes_on;      /* there is something to do: in a hand, rank 0 says so */
    char *model_path;
    struct omma_model *model;
    struct omma_engine *engine;
    size_t n_context;
    struct journal *journal;                    /* NULL for a hand of the crew */
    uint64_t *numbers;                          /* of the rows to compute */
    size_t n_numbers, n_rows, n_done, n_failed; /* n_rows: of the shard; done before */
};

/* What of a command line concerns the run; the journal is to be OUTPUT.journal.  rows: the
 * command's, with RUN_OPTIONS. */
enum omma_status run_check(const struct run_values *values, const struct option_row *rows,
                           const struct option_result *options, struct messages *messages,
                           const char *output, struct run *run, struct omma_error *error);

enum omma_status run_open_model(struct run *run, struct omma_error *error);

/* own [n_own]: what answers depend on beside the model, its options and the engine.  At most
 * RUN_OWN_SETTINGS. */
enum { RUN_OWN_SETTINGS = 16 };
enum omma_status run_open_journal(struct run *run, const struct journal_setting *own, size_t n_own,
                                  struct omma_error *error);

/* What of the chosen rows, in their order, belongs to the shard and is not in the journal.  chosen
 * [n_chosen]: NULL for all of the n_all rows that there are. */
enum omma_status run_find_rows(struct run *run, const uint64_t *chosen, size_t n_chosen,
                               size_t n_all, struct omma_error *error);

/* What else is good to know of a run: of the machine, and own [n_own]. */
enum omma_status run_write_notes(struct run *run, const struct journal_setting *own, size_t n_own,
                                 struct omma_error *error);

/* Compute them.  The exit code: a status, or 128 and a signal if it was ended by one, which was
 * told. */
int run_compute(struct run *run, const struct row_source *source, struct omma_error *error);

void run_close(struct run *run);

#endif
