/*
 * A run of several processes.  A hand keeps a few numbers of rows before it and asks for more when
 * they are claimed; when there are none, or it is told to stop, it finishes what it has begun and
 * says that it is done.  Rank 0 is over when all hands are.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/batch/crew.h"
#include "tools/batch/runner_state.h"

enum { NUMBERS_BEFORE = 2 };

void runner_crew_start(struct runner *runner)
{
    runner->n_at_work = crew_size(runner->settings->crew) - 1;
    runner->is_complete = !crew_is_hand(runner->settings->crew);
}

/* ------------------------------------------------------------------------------------------------
 * Rank 0
 * --------------------------------------------------------------------------------------------- */

/* Give a hand rows that nobody has claimed; none says that there are none. */
static enum omma_status give(struct runner *runner, size_t to, size_t n, struct omma_error *error)
{
    const uint64_t *numbers;
    size_t left;

    pthread_mutex_lock(&runner->lock);
    left = runner->is_ending ? 0 : runner->n_numbers - runner->n_claimed;
    n = n < left ? n : left;
    numbers = runner->numbers + runner->n_claimed;
    runner->n_claimed += n;
    pthread_mutex_unlock(&runner->lock);
    return crew_give(runner->settings->crew, to, numbers, n, error);
}

enum omma_status runner_crew_signal(struct runner *runner, bool cancels, struct omma_error *error)
{
    struct crew *crew = runner->settings->crew;

    return crew_is_hand(crew) ? crew_send_signal(crew, runner->result->signal, error)
                              : crew_stop(crew, cancels, error);
}

/* ------------------------------------------------------------------------------------------------
 * A hand
 * --------------------------------------------------------------------------------------------- */

static enum omma_status take_numbers(struct runner *runner, const uint64_t *numbers, size_t n,
                                     struct omma_error *error)
{
    enum omma_status status = OMMA_OK;
    uint64_t *grown;

    pthread_mutex_lock(&runner->lock);
    runner->is_waiting = false;
    runner->is_complete = n == 0;
    if (runner->n_numbers + n > runner->n_given_most) {
        runner->n_given_most = 2 * (runner->n_numbers + n);
        grown = realloc(runner->given, runner->n_given_most * sizeof *grown);
        status = grown != NULL ? OMMA_OK : fail_memory(error);
        runner->given = grown != NULL ? grown : runner->given;
    }
    if (status == OMMA_OK && n > 0) {
        memcpy(runner->given + runner->n_numbers, numbers, n * sizeof *numbers);
        runner->numbers = runner->given;
        runner->n_numbers += n;
    }
    pthread_cond_broadcast(&runner->room);
    pthread_mutex_unlock(&runner->lock);
    return status;
}

static enum omma_status ask(struct runner *runner, struct omma_error *error)
{
    size_t n_before;
    bool may_ask;

    pthread_mutex_lock(&runner->lock);
    n_before = runner->n_numbers - runner->n_claimed;
    may_ask = !runner->is_ending && !runner->is_complete && !runner->is_waiting;
    pthread_mutex_unlock(&runner->lock);
    if (!may_ask || n_before >= NUMBERS_BEFORE) {
        return OMMA_OK;
    }
    runner->is_waiting = true;
    return crew_want(runner->settings->crew, NUMBERS_BEFORE - n_before, error);
}

/* ------------------------------------------------------------------------------------------------
 * Both
 * --------------------------------------------------------------------------------------------- */

static enum omma_status heed(struct runner *runner, struct crew_news *news,
                             struct omma_error *error)
{
    switch (news->kind) {
    case CREW_WANTED:
        return give(runner, news->from, news->n, error);
    case CREW_ROW:
        return runner_hand_over(runner, news->row, error);
    case CREW_DONE:
        runner->n_at_work--;
        message_note(runner->settings->messages, "process %zu on %s: %zu rows", news->from,
                     news->host, news->n);
        return OMMA_OK;
    case CREW_SIGNAL:
        if (runner->result->signal == 0) {
            runner->result->signal = (int)news->n;
            runner_end_preparing(runner);
            return runner_crew_signal(runner, false, error);
        }
        return OMMA_OK;
    case CREW_ROWS:
        return take_numbers(runner, news->numbers, news->n, error);
    case CREW_STOP:
        runner_end_preparing(runner);
        if (news->n > 0) {
            runner_cancel(runner);
        }
        return OMMA_OK;
    case CREW_END:
        runner_end_preparing(runner);
        runner_cancel(runner);
        return OMMA_OK;
    case CREW_NOTHING:
        break;
    }
    return OMMA_OK;
}

enum omma_status runner_crew_step(struct runner *runner, struct omma_error *error)
{
    struct crew *crew = runner->settings->crew;
    struct crew_news news;

    do {
        enum omma_status status;

        TRY(crew_next(crew, &news, error));
        status = heed(runner, &news, error);
        free(news.numbers);
        TRY(status);
    } while (news.kind != CREW_NOTHING);
    return crew_is_hand(crew) ? ask(runner, error) : OMMA_OK;
}

enum omma_status runner_crew_end(struct runner *runner, bool *is_over, struct omma_error *error)
{
    if (!crew_is_hand(runner->settings->crew)) {
        *is_over = runner->n_at_work == 0;
        return OMMA_OK;
    }
    *is_over = true;
    return crew_send_done(runner->settings->crew, runner->result->n_done, error);
}
