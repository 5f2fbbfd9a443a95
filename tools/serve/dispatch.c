/*
 * The thread between connections and sessions.
 *
 * It sleeps in poll(2) on an eventfd, which engine, intake and http write to, and on the
 * descriptors of suspended connections, whose hang-up libmicrohttpd does not see.  Sessions are its
 * own: it submits, polls and destroys, always without the lock.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/clock.h"

#include "tools/serve/server.h"

enum { TICK_MS = 250, SEND_SECONDS = 60, LONGEST_DELAY_S = 1 };

void dispatch_wake(struct server *server)
{
    const uint64_t one = 1;

    while (write(server->wake, &one, sizeof one) < 0 && errno == EINTR) {
        continue;
    }
}

/* Called by the engine. */
static void on_event(void *user)
{
    dispatch_wake(user);
}

static void call_main(struct server *server)
{
    const uint64_t one = 1;

    while (write(server->call, &one, sizeof one) < 0 && errno == EINTR) {
        continue;
    }
}

void job_release(struct job *job)
{
    if (--job->n_holders == 0) {
        job_destroy(&job);
    }
}

void exchange_leave_job(struct exchange *exchange)
{
    struct job *job = exchange->job;

    if (job != NULL) {
        exchange->job = NULL;
        job->n_users--;
        job_release(job);
    }
}

void exchange_drop_body(struct exchange *exchange)
{
    exchange->server->n_body_bytes -= exchange->body_capacity;
    free(exchange->body);
    exchange->body = NULL;
    exchange->body_capacity = 0;
}

void dispatch_queue(struct server *server, struct job *job)
{
    job->n_holders++;
    job->next = NULL;
    job->queued_s = now_s();
    if (server->last_waiting != NULL) {
        server->last_waiting->next = job;
    } else {
        server->first_waiting = job;
    }
    server->last_waiting = job;
    job->next_made = server->jobs;
    server->jobs = job;
}

/* Under the lock. */
static void finish_job(struct server *server, struct job *job)
{
    struct job **link = &server->jobs;

    while (*link != NULL && *link != job) {
        link = &(*link)->next_made;
    }
    if (*link != NULL) {
        *link = job->next_made;
    }
    job->state = JOB_DONE;
    job->done_s = now_s();
}

void dispatch_abort(struct server *server)
{
    while (server->jobs != NULL) {
        problem_set(&server->jobs->problem, 503, "draining", NULL, "the server stops");
        finish_job(server, server->jobs);
    }
    dispatch_wake(server);
}

/* Those that nobody waits for any more leave the queue. */
static struct job *next_waiting(struct server *server)
{
    struct job *job;

    while ((job = server->first_waiting) != NULL) {
        server->first_waiting = job->next;
        if (server->first_waiting == NULL) {
            server->last_waiting = NULL;
        }
        if (job->n_users > 0 && job->state == JOB_WAITING) {
            return job;
        }
        if (job->state != JOB_DONE) {
            finish_job(server, job);
        }
        job_release(job);
    }
    return NULL;
}

/* The free session that has most of the prompt, of those the one unused for longest; NULL: all
 * work. */
static struct slot *choose_slot(struct server *server, const struct job *job)
{
    int32_t context_id = omma_model_info(server->model)->context_id;
    struct slot *best = NULL;
    size_t n_best = 0;

    for (size_t i = 0; i < server->settings->n_parallel; i++) {
        struct slot *slot = &server->slots[i];
        size_t n = slot->job == NULL && slot->last != NULL && job != NULL
                       ? job_common_prefix(job, slot->last, context_id)
                       : 0;

        if (slot->job == NULL &&
            (best == NULL || n > n_best || (n == n_best && slot->last_used < best->last_used))) {
            best = slot;
            n_best = n;
        }
    }
    return best;
}

/* What a job has left of its time, for a request; 0 would mean for ever. */
static double time_left(const struct server *server, const struct job *job)
{
    double left = server->settings->deadline_s - (now_s() - job->queued_s);

    return server->settings->deadline_s == 0 ? 0 : left > 1e-6 ? left : 1e-6;
}

static enum omma_status submit(struct server *server, struct slot *slot, struct omma_error *error)
{
    const struct job *job = slot->job;
    size_t n_room = server->settings->n_context - job->prompt.n_tokens + 1;
    const struct omma_request request = {
        .conversation = {.images = (const struct omma_image *const *)job->images,
                         .n_images = job->n_images},
        .prompt_ids = job->prompt.ids,
        .n_prompt_ids = job->prompt.n_tokens,
        .max_new_tokens = job->max_tokens < n_room ? job->max_tokens : n_room,
        .sampling = job->sampling,
        .stops = job->stops,
        .n_stops = job->n_stops,
        .ignore_stop_ids = job->ignores_stop_ids,
        .schema = job->schema,
        .logprobs = job->has_logprobs,
        .n_top_logprobs = job->n_top_logprobs,
        .deadline_s = time_left(server, job),
    };

    return omma_session_submit(slot->session, &request, error);
}

/* What cannot go on: the model's files changed, or a fault of omma's own. */
static void note_failure(struct server *server, const struct job *job,
                         const struct omma_error *error)
{
    message_error(server->messages, "request %llu: %s", (unsigned long long)job->number,
                  error->message);
    if (error->status == OMMA_STATUS_CHANGED || error->status == OMMA_STATUS_INTERNAL ||
        error->status == OMMA_STATUS_MODEL) {
        server->fatal = error->status;
        call_main(server);
    }
}

static void start_jobs(struct server *server)
{
    for (;;) {
        struct slot *slot;
        struct job *job;
        struct omma_error error;
        enum omma_status status;

        pthread_mutex_lock(&server->lock);
        job = choose_slot(server, NULL) != NULL ? next_waiting(server) : NULL;
        if (job != NULL) {
            job->state = JOB_RUNNING;
        }
        pthread_mutex_unlock(&server->lock);
        if (job == NULL) {
            return;
        }
        slot = choose_slot(server, job);
        slot->job = job; /* with the queue's hold */
        slot->last_used = job->number;
        status = submit(server, slot, &error);
        if (status != OMMA_OK) {
            pthread_mutex_lock(&server->lock);
            problem_set_error(&job->problem, NULL, &error);
            note_failure(server, job, &error);
            finish_job(server, job);
            slot->job = NULL;
            job_release(job);
            pthread_mutex_unlock(&server->lock);
        }
    }
}

/* Under the lock: a session's request ended. */
static void end_job(struct server *server, struct slot *slot, const struct omma_event *event,
                    const struct omma_error *error)
{
    struct job *job = slot->job;

    job->finish = event->finish;
    job->usage = event->usage;
    job->timings = event->timings;
    job_close_images(job);
    if (job->problem.status == 0 && event->finish == OMMA_FINISH_ERROR) {
        problem_set_error(&job->problem, NULL, error);
        note_failure(server, job, error);
    } else if (job->problem.status == 0 && event->finish == OMMA_FINISH_CANCELLED) {
        problem_set(&job->problem, 503, "cancelled", NULL, "the request was cancelled");
    } else if (job->problem.status == 0 && event->finish == OMMA_FINISH_DEADLINE) {
        problem_set(&job->problem, 503, "deadline", NULL,
                    "the request took longer than the %g s that it may",
                    server->settings->deadline_s);
    }
    if (job->state != JOB_DONE) {
        finish_job(server, job);
    }
    slot->job = NULL;
    if (slot->last != NULL) {
        job_release(slot->last);
    }
    slot->last = job;
}

static bool is_stop_id(const struct server *server, int32_t id)
{
    const struct omma_model_info *info = omma_model_info(server->model);

    for (size_t i = 0; i < info->n_stop_ids; i++) {
        if (info->stop_ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* Under the lock: text and token of an event to the job.  False if memory lacks. */
static bool keep_event(const struct server *server, struct job *job, const struct omma_event *event)
{
    if (event->type == OMMA_EVENT_PROGRESS) {
        return true;
    }
    if (event->type == OMMA_EVENT_TOKEN && job->has_logprobs && !is_stop_id(server, event->id) &&
        !job_add_token(job, event)) {
        return false;
    }
    return job_add_text(job, event->text, event->n_bytes);
}

/* All events that a session has. */
static void take_events(struct server *server, struct slot *slot)
{
    while (slot->job != NULL) {
        struct omma_event event;
        struct omma_error error;

        omma_session_poll(slot->session, 0, &event, &error);
        if (event.type == OMMA_EVENT_NONE) {
            return;
        }
        pthread_mutex_lock(&server->lock);
        if (!keep_event(server, slot->job, &event) && slot->job->problem.status == 0) {
            problem_set_memory(&slot->job->problem);
            omma_session_cancel(slot->session);
        }
        if (event.type == OMMA_EVENT_DONE) {
            end_job(server, slot, &event, &error);
        }
        pthread_mutex_unlock(&server->lock);
    }
}

/* Requests that nobody waits for any more end. */
static void cancel_unwanted(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->settings->n_parallel; i++) {
        struct slot *slot = &server->slots[i];

        if (slot->job != NULL && (slot->job->n_users == 0 || slot->job->state == JOB_DONE)) {
            omma_session_cancel(slot->session);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

/* Whether there is something for http to do. */
static bool is_ready(const struct exchange *exchange)
{
    const struct job *job = exchange->job;

    if (exchange->is_taken) {
        return false;
    }
    if (exchange->is_gone || exchange->problem.status != 0 || exchange->reply != NULL) {
        return true;
    }
    if (job == NULL || job->state == JOB_DONE) {
        return job != NULL;
    }
    if (!exchange->is_streamed || job->state == JOB_WAITING) {
        return false;
    }
    return !exchange->has_reply || job->n_tokens > exchange->n_tokens_streamed ||
           job->shown_end >
               (exchange->n_streamed > job->shown_begin ? exchange->n_streamed : job->shown_begin);
}

static void resume_ready(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    for (struct exchange *exchange = server->exchanges; exchange != NULL;
         exchange = exchange->next) {
        if (exchange->job != NULL && exchange->job->state == JOB_DONE && exchange->has_reply &&
            exchange->connection->phase == CONNECTION_WORKING) {
            exchange->connection->phase = CONNECTION_SENDING;
            exchange->connection->deadline_s = now_s() + SEND_SECONDS;
        }
        if (exchange->is_suspended && is_ready(exchange)) {
            exchange->is_suspended = false;
            MHD_resume_connection(exchange->mhd);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

/* A client that is too slow with its request is told so, as far as its socket takes it at once;
 * nothing else was sent on this connection since the last reply. */
static void close_late(struct connection *connection)
{
    static const char late[] =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
        "Content-Length: 112\r\n\r\n"
        "{\"error\":{\"message\":\"the request did not come in time\",\"type\":"
        "\"invalid_request_error\",\"code\":null,\"param\":null}}";
    bool is_told = connection->phase == CONNECTION_BODY ||
                   (connection->phase == CONNECTION_IDLE && connection->n_requests == 0);

    if (is_told &&
        send(connection->descriptor, late, sizeof late - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        is_told = false;
    }
    connection->deadline_s = 0;
    shutdown(connection->descriptor, is_told ? SHUT_RD : SHUT_RDWR);
}

/* *looked_s: when this was done last.  What came late because this process stood still (a stopped
 * process, a suspended machine) is not the clients' fault. */
static void close_all_late(struct server *server, double *looked_s)
{
    double now = now_s(), pause_s = now - *looked_s - 1e-3 * TICK_MS;

    *looked_s = now;
    pause_s = pause_s > LONGEST_DELAY_S ? pause_s : 0;
    pthread_mutex_lock(&server->lock);
    for (struct connection *connection = server->connections; connection != NULL;
         connection = connection->next) {
        connection->deadline_s += connection->deadline_s != 0 ? pause_s : 0;
        if (connection->deadline_s != 0 && now > connection->deadline_s) {
            close_late(connection);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

/* Descriptors of suspended connections; exchanges[i] belongs to polls[i + 1]. */
struct watch {
    struct pollfd *polls;
    struct exchange **exchanges;
    size_t n, capacity;
};

static bool reserve(struct watch *watch, size_t n)
{
    struct pollfd *polls;
    struct exchange **exchanges;

    if (n <= watch->capacity) {
        return true;
    }
    polls = realloc(watch->polls, (n + 1) * sizeof *polls);
    watch->polls = polls != NULL ? polls : watch->polls;
    exchanges = realloc(watch->exchanges, n * sizeof *exchanges);
    watch->exchanges = exchanges != NULL ? exchanges : watch->exchanges;
    watch->capacity = polls != NULL && exchanges != NULL ? n : watch->capacity;
    return watch->capacity == n;
}

/* A suspended exchange stays until this thread resumes it, so the pointers hold. */
static void collect(struct server *server, struct watch *watch)
{
    watch->n = 0;
    pthread_mutex_lock(&server->lock);
    reserve(watch, server->n_exchanges);
    for (struct exchange *exchange = server->exchanges;
         exchange != NULL && watch->n < watch->capacity; exchange = exchange->next) {
        if (exchange->is_suspended && !exchange->is_gone) {
            watch->exchanges[watch->n++] = exchange;
            watch->polls[watch->n] =
                (struct pollfd){.fd = exchange->connection->descriptor, .events = POLLRDHUP};
        }
    }
    pthread_mutex_unlock(&server->lock);
}

static void notice_gone(struct server *server, const struct watch *watch)
{
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < watch->n; i++) {
        if ((watch->polls[i + 1].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
            watch->exchanges[i]->is_gone = true;
            server->n_abandoned++;
            exchange_leave_job(watch->exchanges[i]);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

static bool is_stopping(struct server *server)
{
    bool stops;

    pthread_mutex_lock(&server->lock);
    stops = server->is_stopping && server->n_exchanges == 0;
    pthread_mutex_unlock(&server->lock);
    return stops;
}

static void *run(void *argument)
{
    struct server *server = argument;
    struct watch watch = {0};
    double looked_s = now_s();
    uint64_t count;

    while (!is_stopping(server) && (watch.polls != NULL || reserve(&watch, 16))) {
        collect(server, &watch);
        watch.polls[0] = (struct pollfd){.fd = server->wake, .events = POLLIN};
        if (poll(watch.polls, watch.n + 1, TICK_MS) > 0) {
            if (read(server->wake, &count, sizeof count) < 0 && errno != EAGAIN) {
                break;
            }
            notice_gone(server, &watch);
        }
        for (size_t i = 0; i < server->settings->n_parallel; i++) {
            take_events(server, &server->slots[i]);
        }
        cancel_unwanted(server);
        start_jobs(server);
        resume_ready(server);
        if (now_s() > looked_s + 1e-3 * TICK_MS) {
            close_all_late(server, &looked_s);
        }
    }
    free(watch.polls);
    free(watch.exchanges);
    return NULL;
}

static enum omma_status make_slots(struct server *server, struct omma_error *error)
{
    const struct omma_session_options options = {
        .n_context = server->settings->n_context, .notify = on_event, .user = server};

    server->slots = calloc(server->settings->n_parallel, sizeof *server->slots);
    if (server->slots == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < server->settings->n_parallel; i++) {
        TRY(omma_session_create(server->engine, &options, &server->slots[i].session, error));
    }
    return OMMA_OK;
}

enum omma_status dispatch_start(struct server *server, struct omma_error *error)
{
    TRY(make_slots(server, error));
    if (pthread_create(&server->dispatch, NULL, run, server) != 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "a thread cannot be had");
    }
    server->has_dispatch = true;
    return OMMA_OK;
}

void dispatch_stop(struct server *server)
{
    if (server->has_dispatch) {
        dispatch_wake(server);
        pthread_join(server->dispatch, NULL);
        server->has_dispatch = false;
    }
    for (size_t i = 0; server->slots != NULL && i < server->settings->n_parallel; i++) {
        struct slot *slot = &server->slots[i];

        omma_session_destroy(&slot->session);
        if (slot->job != NULL) {
            job_release(slot->job);
        }
        if (slot->last != NULL) {
            job_release(slot->last);
        }
    }
    while (server->first_waiting != NULL) {
        struct job *job = server->first_waiting;

        server->first_waiting = job->next;
        job_release(job);
    }
    free(server->slots);
    server->slots = NULL;
}
