/*
 * runner_state.h - a run at work, for the files of the runner.
 */
#ifndef OMMA_TOOLS_BATCH_RUNNER_STATE_H
#define OMMA_TOOLS_BATCH_RUNNER_STATE_H

#include <pthread.h>

#include "tools/batch/runner.h"

enum { RUNNER_PREPARERS = 2 };

/* A session and the row that it computes; NULL: none. */
struct seat {
    struct omma_session *session;
    struct row *row;
};

struct runner {
    const struct runner_settings *settings;
    const struct row_source *source;
    struct runner_result *result;
    struct seat *seats;
    size_t n_seats, n_busy;
    int wake; /* eventfd */
    pthread_t preparers[RUNNER_PREPARERS];
    size_t n_preparers;
    double began_s;
    bool is_signalled;    /* this process was */
    struct row *finished; /* and not kept yet */

    /* with a crew */
    size_t n_at_work;    /* rank 0: hands that compute */
    bool is_waiting;     /* a hand: asked for rows */
    uint64_t *given;     /* a hand: what numbers points to */
    size_t n_given_most; /* room in it */

    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t room;      /* for the preparers */
    const uint64_t *numbers;  /* [n_numbers] of rows */
    size_t n_numbers;         /* so far */
    bool is_complete;         /* there will be no more */
    size_t n_claimed;         /* of them */
    size_t n_ahead;           /* claimed, not taken yet */
    struct row *first, *last; /* prepared */
    bool is_ending;           /* no further row is claimed or taken */
    enum omma_status status;  /* of a preparation that failed, with */
    struct omma_error error;
};

/* No further row is begun. */
void runner_end_preparing(struct runner *runner);

/* Rows in flight end as they are, and are not kept. */
void runner_cancel(struct runner *runner);

/* A row is described, here or elsewhere: it is kept with the next commit. */
enum omma_status runner_hand_over(struct runner *runner, struct row *row, struct omma_error *error);

/* ---- runner_crew.c: with settings->crew ------------------------------------------------------ */

void runner_crew_start(struct runner *runner);

/* Hear what the others have to say, and ask for rows. */
enum omma_status runner_crew_step(struct runner *runner, struct omma_error *error);

/* The process was told to end, for the second time if it cancels: so are all. */
enum omma_status runner_crew_signal(struct runner *runner, bool cancels, struct omma_error *error);

/* All that is to be done here is: whether the others are done, too. */
enum omma_status runner_crew_end(struct runner *runner, bool *is_over, struct omma_error *error);

#endif
