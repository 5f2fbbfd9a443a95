/*
 * runner.h - many rows computed side by side, each acknowledged when it is kept in a journal.
 *
 * Where rows come from, and what is kept of them, is a source's affair.  Two threads prepare rows
 * ahead (JSON, pictures), as many sessions as wanted compute them, and the caller's thread takes
 * answers as they come, in no order.  The first SIGINT or SIGTERM lets the rows in flight end, a
 * second one does not.
 */
#ifndef OMMA_TOOLS_BATCH_RUNNER_H
#define OMMA_TOOLS_BATCH_RUNNER_H

#include "tools/batch/journal.h"
#include "tools/chat/problem.h"
#include "tools/message.h"
#include "tools/status.h"

/* A row from its preparation until it is released. */
struct row {
    uint64_t number;
    struct omma_request request; /* by prepare() */
    void *owned;                 /* the source's: what the request points to */
    struct problem problem;      /* why there is no answer; status 0: none */
    char *text;                  /* [n_text], the answer */
    size_t n_text, capacity;
    enum omma_finish finish;
    struct omma_usage usage;
    struct omma_timings timings;
    char *result, *timings_text; /* by describe(): what a journal_row has of it */
    struct row *next;
};

struct crew;

struct row_source {
    void *user;
    /* Fill the request, or the problem of a row that cannot be computed, which is finished as it
     * is.  Called from several threads at once.  Another status than OMMA_OK ends the run. */
    enum omma_status (*prepare)(void *user, struct row *row, struct omma_error *error);
    /* A row has its answer or problem: fill result and timings_text, which are freed with the row.
     * The caller's thread, as all that follow. */
    enum omma_status (*describe)(void *user, struct row *row, struct omma_error *error);
    /* What prepare() left in row->owned, perhaps nothing; also of rows that were never computed. */
    void (*release)(void *user, struct row *row);
    /* "line 7": how a row is called in messages. */
    void (*name)(void *user, uint64_t number, char *name, size_t capacity);
};

struct runner_settings {
    struct omma_engine *engine;
    struct crew *crew; /* that computes the rows together (crew.h); NULL: this process alone */
    struct journal *journal; /* NULL for a hand of a crew, which has no numbers of its own, too */
    struct messages *messages;
    size_t n_parallel, n_context;
    const uint64_t *numbers; /* of the rows to compute, in the order to begin them */
    size_t n_rows;
    size_t n_done, n_failed; /* before this run, for the progress */
};

struct runner_result {
    size_t n_done, n_failed; /* in this run; the latter are among the former */
    uint64_t n_tokens;       /* of answers */
    double elapsed_s;
    int signal; /* that ended it early; 0: none */
};

/* Statuses of rows are problems of rows; what ends a run is memory that lacks, a model that
 * changed, a source that fails.  Rows that were committed until then are counted in *result in any
 * case. */
enum omma_status runner_run(const struct runner_settings *settings, const struct row_source *source,
                            struct runner_result *result, struct omma_error *error);

#endif
