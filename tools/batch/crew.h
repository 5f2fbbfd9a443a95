/*
 * crew.h - several processes compute the rows of one run: rank 0 owns the journal and hands rows
 * out, and computes some itself; the others, its hands, ask for rows and send what is kept of them.
 *
 * A command opens its crew, all processes open the input and the model, rank 0 alone the journal;
 * then all meet in crew_agree(), run the runner, and close.  What goes wrong in a hand is told and
 * ends the run at rank 0; what goes wrong there ends all.  A process that dies ends the job by its
 * launcher: what was committed is in the journal, and the same command goes on.
 */
#ifndef OMMA_TOOLS_BATCH_CREW_H
#define OMMA_TOOLS_BATCH_CREW_H

#include "tools/batch/journal.h"
#include "tools/batch/runner.h"

/* NULL in *crew: the process is alone.  OMMA_STATUS_USAGE. */
enum omma_status crew_open(struct crew **crew, struct omma_error *error);

/* The end, with what became of it here; waits for all to come here.  The status to exit with: a
 * hand tells a failure to rank 0, which fails with it, and has nothing to say itself, for launchers
 * kill the others where one fails; *error is emptied. */
enum omma_status crew_close(struct crew **crew, enum omma_status status, struct omma_error *error);

/* Whether this process is a hand: it has no journal and writes no output.  False for NULL. */
bool crew_is_hand(const struct crew *crew);
size_t crew_size(const struct crew *crew); /* 1 for NULL */

/* All have the same key, or OMMA_STATUS_USAGE in the hand that has not, with what is different.  A
 * hand waits for rank 0; *goes_on is false if there is nothing to do, for rank 0 failed. */
enum omma_status crew_agree(struct crew *crew, const struct journal_setting *key, size_t n_key,
                            bool *goes_on, struct omma_error *error);

/* ---- for the runner -------------------------------------------------------------------------- */

enum crew_news_kind {
    CREW_NOTHING,
    /* to rank 0 */
    CREW_WANTED, /* hand `from` has room for n rows */
    CREW_ROW,    /* it sent row, to be released by the caller */
    CREW_DONE,   /* it, on `host`, sent n rows and computes no more */
    CREW_SIGNAL, /* it was told to end by signal n */
    /* to a hand */
    CREW_ROWS, /* numbers [n], n 0: there will be no more */
    CREW_STOP, /* end once the rows in flight are finished, or, n 1, without that */
    CREW_END,  /* end now */
};

struct crew_news {
    enum crew_news_kind kind;
    size_t from, n;
    struct row *row;
    uint64_t *numbers; /* to be freed */
    char host[256];
};

/* The next news, if there are; the failure of a hand is this call's. */
enum omma_status crew_next(struct crew *crew, struct crew_news *news, struct omma_error *error);

enum omma_status crew_want(struct crew *crew, size_t n, struct omma_error *error);
enum omma_status crew_give(struct crew *crew, size_t to, const uint64_t *numbers, size_t n,
                           struct omma_error *error);
enum omma_status crew_send_row(struct crew *crew, const struct row *row, struct omma_error *error);
enum omma_status crew_send_done(struct crew *crew, size_t n_rows, struct omma_error *error);
enum omma_status crew_send_signal(struct crew *crew, int number, struct omma_error *error);
/* By rank 0, to all. */
enum omma_status crew_stop(struct crew *crew, bool cancels, struct omma_error *error);

#endif
