/*
 * The caller's thread sleeps in poll(2) on an eventfd, which the engine (a session has an event)
 * and the preparing threads write to, and on the descriptor of signals.  The lock is held for
 * moments only.
 */
#include "tools/batch/runner_state.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tools/batch/crew.h"
#include "tools/clock.h"
#include "tools/signals.h"

/* Between two looks at the progress; at messages of a crew, which wake nobody. */
enum { PROGRESS_MS = 500, CREW_MS = 2 };

static void wake(void *user)
{
    const struct runner *runner = user;
    uint64_t one = 1;

    if (write(runner->wake, &one, sizeof one) < 0) {
        return; /* it is readable already */
    }
}

static void release(const struct runner *runner, struct row **row)
{
    if (*row != NULL) {
        runner->source->release(runner->source->user, *row);
        free((*row)->text);
        free((*row)->result);
        free((*row)->timings_text);
        free(*row);
        *row = NULL;
    }
}

static void release_all(const struct runner *runner, struct row **rows)
{
    while (*rows != NULL) {
        struct row *row = *rows;

        *rows = row->next;
        release(runner, &row);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Preparing
 * --------------------------------------------------------------------------------------------- */

/* The next row, in memory of its own; NULL: there is none, or the run ends. */
static struct row *claim(struct runner *runner)
{
    struct row *row = NULL;

    pthread_mutex_lock(&runner->lock);
    while (!runner->is_ending &&
           (runner->n_ahead > runner->n_seats ||
            (runner->n_claimed == runner->n_numbers && !runner->is_complete))) {
        pthread_cond_wait(&runner->room, &runner->lock);
    }
    if (!runner->is_ending && runner->n_claimed < runner->n_numbers) {
        row = calloc(1, sizeof *row);
        if (row == NULL) {
            runner->status = fail_memory(&runner->error);
            runner->is_ending = true;
        } else {
            row->number = runner->numbers[runner->n_claimed++];
            runner->n_ahead++;
        }
    }
    pthread_mutex_unlock(&runner->lock);
    return row;
}

static void *prepare_rows(void *user)
{
    struct runner *runner = user;
    struct row *row;

    while ((row = claim(runner)) != NULL) {
        struct omma_error error;
        enum omma_status status = runner->source->prepare(runner->source->user, row, &error);

        pthread_mutex_lock(&runner->lock);
        if (runner->first == NULL) {
            runner->first = row;
        } else {
            runner->last->next = row;
        }
        runner->last = row;
        if (status != OMMA_OK && runner->status == OMMA_OK) {
            runner->status = status;
            runner->error = error;
            runner->is_ending = true;
        }
        pthread_mutex_unlock(&runner->lock);
        wake(runner);
    }
    wake(runner);
    return NULL;
}

/* A prepared row; NULL: none now. */
static struct row *take(struct runner *runner)
{
    struct row *row = NULL;

    pthread_mutex_lock(&runner->lock);
    if (!runner->is_ending && runner->first != NULL) {
        row = runner->first;
        runner->first = row->next;
        row->next = NULL;
        runner->n_ahead--;
        pthread_cond_signal(&runner->room);
    }
    pthread_mutex_unlock(&runner->lock);
    return row;
}

void runner_end_preparing(struct runner *runner)
{
    pthread_mutex_lock(&runner->lock);
    runner->is_ending = true;
    pthread_cond_broadcast(&runner->room);
    pthread_mutex_unlock(&runner->lock);
}

/* ------------------------------------------------------------------------------------------------
 * Computing
 * --------------------------------------------------------------------------------------------- */

/* Whether a status says nothing of the row that it came with. */
static bool ends_run(enum omma_status status)
{
    return status == OMMA_STATUS_RESOURCES || status == OMMA_STATUS_CHANGED ||
           status == OMMA_STATUS_BUSY || status == OMMA_STATUS_OUTPUT;
}

static enum omma_status fail_row(struct row *row, enum omma_status status,
                                 const struct omma_error *error)
{
    if (ends_run(status)) {
        return status;
    }
    problem_set(&row->problem, status == OMMA_STATUS_INTERNAL ? 500 : 400, omma_status_name(status),
                NULL, "%s", error->message);
    return OMMA_OK;
}

/* To the journal, or to who has it.  The row stays until it is kept. */
enum omma_status runner_hand_over(struct runner *runner, struct row *row, struct omma_error *error)
{
    const struct journal_row described = {.number = row->number,
                                          .is_error = row->problem.status != 0,
                                          .result = row->result,
                                          .timings = row->timings_text};

    row->next = runner->finished;
    runner->finished = row;
    if (crew_is_hand(runner->settings->crew)) {
        return crew_send_row(runner->settings->crew, row, error);
    }
    return journal_add(runner->settings->journal, &described, error);
}

/* A row is at its end. */
static enum omma_status finish(struct runner *runner, struct row **row, struct omma_error *error)
{
    struct row *ended = *row;

    TRY(runner->source->describe(runner->source->user, ended, error));
    *row = NULL;
    return runner_hand_over(runner, ended, error);
}

/* Keep what is finished, and only then count it. */
static enum omma_status commit(struct runner *runner, struct omma_error *error)
{
    const struct row_source *source = runner->source;
    struct runner_result *result = runner->result;
    struct messages *messages = runner->settings->messages;
    struct row *row;
    char name[64];

    if (runner->finished == NULL) {
        return OMMA_OK;
    }
    if (!crew_is_hand(runner->settings->crew)) {
        TRY(journal_commit(runner->settings->journal, error));
    }
    while ((row = runner->finished) != NULL) {
        result->n_done++;
        result->n_failed += row->problem.status != 0;
        result->n_tokens += row->usage.completion_tokens;
        if (messages->verbose && !crew_is_hand(runner->settings->crew)) {
            source->name(source->user, row->number, name, sizeof name);
            message_note(messages, "%s: %s", name,
                         row->problem.status != 0 ? row->problem.message
                                                  : omma_finish_name(row->finish));
        }
        runner->finished = row->next;
        release(runner, &row);
    }
    return OMMA_OK;
}

/* Give prepared rows to sessions that are free. */
static enum omma_status fill(struct runner *runner, struct omma_error *error)
{
    for (size_t i = 0; i < runner->n_seats; i++) {
        struct seat *seat = &runner->seats[i];

        while (seat->row == NULL && (seat->row = take(runner)) != NULL) {
            enum omma_status status = OMMA_OK;

            if (seat->row->problem.status == 0) {
                status = omma_session_submit(seat->session, &seat->row->request, error);
                if (status == OMMA_OK) {
                    runner->n_busy++;
                    break;
                }
                status = fail_row(seat->row, status, error);
            }
            if (status != OMMA_OK) {
                release(runner, &seat->row);
                return status;
            }
            TRY(finish(runner, &seat->row, error));
        }
    }
    return OMMA_OK;
}

static enum omma_status add_text(struct row *row, const char *text, size_t n_bytes,
                                 struct omma_error *error)
{
    if (row->n_text + n_bytes > row->capacity) {
        size_t capacity = 2 * (row->n_text + n_bytes) + 256;
        char *grown = realloc(row->text, capacity);

        if (grown == NULL) {
            return fail_memory(error);
        }
        row->text = grown;
        row->capacity = capacity;
    }
    if (n_bytes > 0) {
        memcpy(row->text + row->n_text, text, n_bytes);
        row->n_text += n_bytes;
    }
    return OMMA_OK;
}

/* All events of a session that are there. */
static enum omma_status listen(struct runner *runner, struct seat *seat, struct omma_error *error)
{
    struct omma_event event = {.type = OMMA_EVENT_PROGRESS};
    struct row *row = seat->row;

    while (event.type != OMMA_EVENT_NONE) {
        enum omma_status status = omma_session_poll(seat->session, 0, &event, error);

        if (status != OMMA_OK && event.type != OMMA_EVENT_DONE) {
            return status;
        }
        if (event.type == OMMA_EVENT_TOKEN || event.type == OMMA_EVENT_DONE) {
            TRY(add_text(row, event.text, event.n_bytes, error));
        }
        if (event.type == OMMA_EVENT_DONE) {
            row->finish = event.finish;
            row->usage = event.usage;
            row->timings = event.timings;
            runner->n_busy--;
            if (status == OMMA_OK && event.finish == OMMA_FINISH_CANCELLED) {
                release(runner, &seat->row);
                return OMMA_OK;
            }
            TRY(status == OMMA_OK ? OMMA_OK : fail_row(row, status, error));
            return finish(runner, &seat->row, error);
        }
    }
    return OMMA_OK;
}

void runner_cancel(struct runner *runner)
{
    for (size_t i = 0; i < runner->n_seats; i++) {
        omma_session_cancel(runner->seats[i].session);
    }
}

/* The first signal ends taking rows, the next one the rows in flight. */
static enum omma_status heed_signals(struct runner *runner, struct omma_error *error)
{
    int number = signals_noted();
    bool is_again = runner->is_signalled;

    if (number == 0) {
        return OMMA_OK;
    }
    signals_forget();
    runner->is_signalled = true;
    runner->result->signal = number;
    if (is_again) {
        runner_cancel(runner);
    } else {
        runner_end_preparing(runner);
        message_note(runner->settings->messages,
                     "%zu rows in flight are finished; once more stops them", runner->n_busy);
    }
    return runner->settings->crew != NULL ? runner_crew_signal(runner, is_again, error) : OMMA_OK;
}

static void tell_progress(const struct runner *runner)
{
    const struct runner_settings *settings = runner->settings;
    const struct runner_result *result = runner->result;
    double elapsed = now_s() - runner->began_s;
    size_t n_done = result->n_done, n_left = settings->n_rows - n_done;
    double left = n_done > 0 ? elapsed / (double)n_done * (double)n_left : 0;

    message_progress(settings->messages,
                     "%zu of %zu rows, %zu failed; %.1f tokens/s; %d:%02d:%02d left",
                     settings->n_done + n_done, settings->n_done + settings->n_rows,
                     settings->n_failed + result->n_failed, (double)result->n_tokens / elapsed,
                     (int)(left / 3600), (int)(left / 60) % 60, (int)left % 60);
}

/* Whether no other row may come. */
static enum omma_status end(struct runner *runner, bool *is_over, struct omma_error *error)
{
    pthread_mutex_lock(&runner->lock);
    *is_over =
        runner->n_busy == 0 && (runner->is_ending || (runner->is_complete && runner->n_ahead == 0 &&
                                                      runner->n_claimed == runner->n_numbers));
    pthread_mutex_unlock(&runner->lock);
    return *is_over && runner->settings->crew != NULL ? runner_crew_end(runner, is_over, error)
                                                      : OMMA_OK;
}

static enum omma_status compute(struct runner *runner, struct omma_error *error)
{
    struct pollfd polls[] = {{.fd = runner->wake, .events = POLLIN},
                             {.fd = signals_descriptor(), .events = POLLIN}};
    struct crew *crew = runner->settings->crew;
    double told_s = 0;
    bool is_over;
    uint64_t count;

    for (;;) {
        if (crew != NULL) {
            TRY(runner_crew_step(runner, error));
        }
        TRY(fill(runner, error));
        TRY(commit(runner, error));
        TRY(end(runner, &is_over, error));
        if (is_over) {
            return OMMA_OK;
        }
        if (poll(polls, 2, crew != NULL ? CREW_MS : PROGRESS_MS) < 0 && errno != EINTR) {
            return fail(error, OMMA_STATUS_RESOURCES, "poll: %s", strerror(errno));
        }
        if (read(runner->wake, &count, sizeof count) < 0 && errno != EAGAIN) {
            return fail(error, OMMA_STATUS_RESOURCES, "eventfd: %s", strerror(errno));
        }
        TRY(heed_signals(runner, error));
        for (size_t i = 0; i < runner->n_seats; i++) {
            if (runner->seats[i].row != NULL) {
                TRY(listen(runner, &runner->seats[i], error));
            }
        }
        if (!crew_is_hand(crew) && now_s() - told_s > 1e-3 * PROGRESS_MS) {
            told_s = now_s();
            tell_progress(runner);
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * Beginning and end
 * --------------------------------------------------------------------------------------------- */

static enum omma_status start(struct runner *runner, struct omma_error *error)
{
    const struct runner_settings *settings = runner->settings;
    const struct omma_session_options options = {
        .n_context = settings->n_context, .notify = wake, .user = runner};
    size_t n = settings->n_parallel;

    if (!crew_is_hand(settings->crew) && settings->n_rows < n) {
        n = settings->n_rows;
    }
    runner->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (runner->wake < 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "an event descriptor cannot be had");
    }
    runner->seats = calloc(n + 1, sizeof *runner->seats);
    if (runner->seats == NULL) {
        return fail_memory(error);
    }
    while (runner->n_seats < n) {
        TRY(omma_session_create(settings->engine, &options, &runner->seats[runner->n_seats].session,
                                error));
        runner->n_seats++;
    }
    while (runner->n_preparers < RUNNER_PREPARERS) {
        if (pthread_create(&runner->preparers[runner->n_preparers], NULL, prepare_rows, runner) !=
            0) {
            return fail(error, OMMA_STATUS_RESOURCES, "a thread cannot be had");
        }
        runner->n_preparers++;
    }
    return OMMA_OK;
}

static void stop(struct runner *runner)
{
    runner_end_preparing(runner);
    for (size_t i = 0; i < runner->n_preparers; i++) {
        pthread_join(runner->preparers[i], NULL);
    }
    for (size_t i = 0; i < runner->n_seats; i++) {
        omma_session_destroy(&runner->seats[i].session);
        release(runner, &runner->seats[i].row);
    }
    release_all(runner, &runner->first);
    release_all(runner, &runner->finished);
    free(runner->seats);
    free(runner->given);
    if (runner->wake >= 0) {
        close(runner->wake);
    }
    pthread_cond_destroy(&runner->room);
    pthread_mutex_destroy(&runner->lock);
    message_progress_end(runner->settings->messages);
}

enum omma_status runner_run(const struct runner_settings *settings, const struct row_source *source,
                            struct runner_result *result, struct omma_error *error)
{
    struct runner *runner = calloc(1, sizeof *runner);
    enum omma_status status;

    *result = (struct runner_result){0};
    if (runner == NULL) {
        return fail_memory(error);
    }
    runner->settings = settings;
    runner->source = source;
    runner->result = result;
    runner->wake = -1;
    runner->numbers = settings->numbers;
    runner->n_numbers = settings->n_rows;
    runner->is_complete = true;
    if (settings->crew != NULL) {
        runner_crew_start(runner);
    }
    runner->began_s = now_s();
    pthread_mutex_init(&runner->lock, NULL);
    pthread_cond_init(&runner->room, NULL);
    signals_note(true);
    status = start(runner, error);
    if (status == OMMA_OK) {
        status = compute(runner, error);
    }
    stop(runner);
    if (status == OMMA_OK && runner->status != OMMA_OK) {
        status = runner->status;
        *error = runner->error;
    }
    signals_note(false);
    result->elapsed_s = now_s() - runner->began_s;
    free(runner);
    return status;
}
