/*
 * libmicrohttpd's side: connections and their deadlines, headers, bodies, replies.
 *
 * Everything here runs on its one thread but for http_start(), http_drain() and http_stop().  A
 * handler is called when the headers are there, for each piece of the body, and once more at its
 * end; for a question it suspends the connection then, and is called again when dispatch resumed
 * it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/serve/metrics.h"
#include "tools/clock.h"
#include "tools/serve/page.h"
#include "tools/serve/reply.h"
#include "tools/serve/route.h"

enum {
    POOL_BYTES = 65536, /* of a connection, for headers */
    SURPLUS = 16,       /* connections beyond the limit, to be told */
    IDLE_SECONDS = 60,
    HEADER_SECONDS = 10, /* of a connection's first request */
    BODY_SECONDS = 30,   /* and one more for each: */
    BODY_BYTES_A_SECOND = 65536,
    SEND_SECONDS = 60,
    MAX_REQUESTS = 100, /* of a connection */
    BODIES_AT_ONCE = 8, /* of the largest size, in memory */
};

/* ---------------------------------------------------------------------------------------------
 * Connections
 * ------------------------------------------------------------------------------------------ */

static void set_phase(struct exchange *exchange, enum connection_phase phase, double seconds)
{
    pthread_mutex_lock(&exchange->server->lock);
    exchange->connection->phase = phase;
    exchange->connection->deadline_s = seconds > 0 ? now_s() + seconds : 0;
    pthread_mutex_unlock(&exchange->server->lock);
}

static void open_connection(struct server *server, struct MHD_Connection *mhd, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = calloc(1, sizeof *connection);

    *context = connection; /* NULL: its requests are refused */
    if (connection == NULL || info == NULL) {
        free(connection);
        *context = NULL;
        return;
    }
    connection->descriptor = info->connect_fd;
    connection->deadline_s = now_s() + HEADER_SECONDS;
    pthread_mutex_lock(&server->lock);
    connection->is_surplus = server->n_connections++ >= server->settings->max_connections;
    connection->next = server->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    server->connections = connection;
    pthread_mutex_unlock(&server->lock);
}

static void close_connection(struct server *server, void **context)
{
    struct connection *connection = *context;

    if (connection == NULL) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    server->n_connections--;
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        server->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    pthread_mutex_unlock(&server->lock);
    free(connection);
    *context = NULL;
}

static void on_connection(void *user, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        open_connection(user, mhd, context);
    } else {
        close_connection(user, context);
    }
}

/* ---------------------------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------------------------ */

static enum MHD_Result queue_response(struct exchange *exchange, unsigned status, const char *type,
                                      struct MHD_Response *response)
{
    enum MHD_Result result;

    if (response == NULL) {
        return MHD_NO;
    }
    exchange->status = status;
    exchange->has_reply = true;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == 401) {
        MHD_add_response_header(response, "WWW-Authenticate",
                                exchange->route == ROUTE_PAGE ? "Basic realm=\"omma\"" : "Bearer");
    }
    if (status == 405) {
        MHD_add_response_header(response, "Allow", route_method(exchange->route));
    }
    if (status == 429 || status == 503) {
        MHD_add_response_header(response, "Retry-After", "1");
    }
    if (exchange->connection->n_requests >= MAX_REQUESTS || exchange->connection->is_surplus) {
        MHD_add_response_header(response, "Connection", "close");
    }
    result = MHD_queue_response(exchange->mhd, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Takes bytes; NULL: the connection is closed. */
static enum MHD_Result send_bytes(struct exchange *exchange, unsigned status, const char *type,
                                  char *bytes, size_t n_bytes)
{
    if (bytes == NULL) {
        return MHD_NO;
    }
    set_phase(exchange, CONNECTION_SENDING, SEND_SECONDS);
    return queue_response(exchange, status, type,
                          MHD_create_response_from_buffer(n_bytes, bytes, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result send_json(struct exchange *exchange, unsigned status, char *bytes,
                                 size_t n_bytes)
{
    return send_bytes(exchange, status, "application/json", bytes, n_bytes);
}

static enum MHD_Result send_page(struct exchange *exchange)
{
    char policy[PAGE_POLICY_BYTES];
    size_t n_bytes;
    char *bytes = page_make(&n_bytes, policy);
    struct MHD_Response *response;

    if (bytes == NULL) {
        return MHD_NO;
    }
    response = MHD_create_response_from_buffer(n_bytes, bytes, MHD_RESPMEM_MUST_FREE);
    if (response != NULL) {
        MHD_add_response_header(response, "Content-Security-Policy", policy);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    }
    set_phase(exchange, CONNECTION_SENDING, SEND_SECONDS);
    return queue_response(exchange, 200, "text/html; charset=utf-8", response);
}

static enum MHD_Result send_problem(struct exchange *exchange, const struct problem *problem)
{
    size_t n_bytes;
    char *bytes = reply_problem(problem, &n_bytes);

    return send_json(exchange, problem->status, bytes, n_bytes);
}

static enum MHD_Result send_text(struct exchange *exchange, unsigned status, const char *json)
{
    return send_json(exchange, status, strdup(json), strlen(json));
}

/* With the lock held: the next event into exchange->out; false if there is none. */
static bool take_event(struct exchange *exchange)
{
    free(exchange->out);
    exchange->out = reply_event(exchange, &exchange->n_out);
    exchange->n_out_sent = 0;
    return exchange->out != NULL;
}

/* More of a stream; suspends the connection until there is some. */
static ssize_t read_stream(void *user, uint64_t position, char *buffer, size_t capacity)
{
    struct exchange *exchange = user;
    struct server *server = exchange->server;
    ssize_t n = 0;

    (void)position;
    pthread_mutex_lock(&server->lock);
    if (exchange->is_gone || exchange->job == NULL) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (exchange->n_out_sent < exchange->n_out || take_event(exchange)) {
        size_t rest = exchange->n_out - exchange->n_out_sent;

        n = (ssize_t)(rest < capacity ? rest : capacity);
        memcpy(buffer, exchange->out + exchange->n_out_sent, (size_t)n);
        exchange->n_out_sent += (size_t)n;
    } else if (exchange->stage == STREAM_END) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (exchange->stage == STREAM_TEXT && exchange->job->state != JOB_DONE) {
        exchange->is_suspended = true;
        MHD_suspend_connection(exchange->mhd);
    } else {
        n = MHD_CONTENT_READER_END_WITH_ERROR; /* memory lacks */
    }
    pthread_mutex_unlock(&server->lock);
    dispatch_wake(server); /* whose list of the suspended changed */
    return n;
}

static enum MHD_Result send_stream(struct exchange *exchange)
{
    set_phase(exchange, CONNECTION_WORKING, 0);
    return queue_response(
        exchange, 200, "text/event-stream; charset=utf-8",
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_stream, exchange, NULL));
}

/* ---------------------------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------------------------ */

static struct exchange *begin_exchange(struct server *server, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *exchange;

    if (info == NULL || info->socket_context == NULL) {
        return NULL;
    }
    exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->server = server;
    exchange->mhd = mhd;
    exchange->connection = info->socket_context;
    exchange->connection->n_requests++;
    exchange->began_s = now_s();
    pthread_mutex_lock(&server->lock);
    exchange->number = ++server->n_made;
    exchange->next = server->exchanges;
    if (exchange->next != NULL) {
        exchange->next->previous = exchange;
    }
    server->exchanges = exchange;
    server->n_exchanges++;
    pthread_mutex_unlock(&server->lock);
    return exchange;
}

static void on_completed(void *user, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct server *server = user;
    struct exchange *exchange = *context;

    (void)mhd;
    if (exchange == NULL) {
        return;
    }
    if (server->messages->verbose) {
        message_note(server->messages, "request %llu: %s, status %u, %.3f s%s",
                     (unsigned long long)exchange->number, route_name(exchange->route),
                     exchange->status, now_s() - exchange->began_s,
                     code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : ", cut off");
    }
    pthread_mutex_lock(&server->lock);
    metrics_count(server, exchange->status);
    exchange_leave_job(exchange);
    exchange_drop_body(exchange);
    server->n_in_flight -= exchange->is_admitted;
    exchange->connection->phase = CONNECTION_IDLE;
    exchange->connection->deadline_s = now_s() + IDLE_SECONDS;
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        server->exchanges = exchange->next;
    }
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
    server->n_exchanges--;
    pthread_mutex_unlock(&server->lock);
    dispatch_wake(server);
    free(exchange->out);
    free(exchange->reply);
    free(exchange);
    *context = NULL;
}

/* Room for more of the body, within what all bodies may take together. */
static bool reserve_body(struct exchange *exchange, size_t needed)
{
    struct server *server = exchange->server;
    size_t limit = server->settings->max_body_bytes, capacity = needed;
    bool fits;
    char *grown;

    if (needed <= exchange->body_capacity) {
        return true;
    }
    if (capacity < 2 * exchange->body_capacity) {
        capacity = 2 * exchange->body_capacity < limit ? 2 * exchange->body_capacity : limit;
    }
    pthread_mutex_lock(&server->lock);
    fits = needed <= limit &&
           server->n_body_bytes - exchange->body_capacity + capacity <= BODIES_AT_ONCE * limit;
    server->n_body_bytes += fits ? capacity - exchange->body_capacity : 0;
    pthread_mutex_unlock(&server->lock);
    if (!fits) {
        return needed <= limit
                   ? problem_set(&exchange->problem, 429, "rate_limit_exceeded", NULL,
                                 "the server holds as many bodies as it can: try again later")
                   : problem_set(&exchange->problem, 413, "body_too_large", NULL,
                                 "body: expected at most %zu bytes", limit);
    }
    grown = realloc(exchange->body, capacity);
    if (grown == NULL) {
        pthread_mutex_lock(&server->lock);
        server->n_body_bytes -= capacity - exchange->body_capacity;
        pthread_mutex_unlock(&server->lock);
        return problem_set_memory(&exchange->problem);
    }
    exchange->body = grown;
    exchange->body_capacity = capacity;
    return true;
}

/* What is refused is read on, as libmicrohttpd replies behind the body only; the deadline ends it.
 */
static void add_body(struct exchange *exchange, const char *bytes, size_t n_bytes)
{
    if (exchange->problem.status != 0 || !reserve_body(exchange, exchange->n_body + n_bytes)) {
        return;
    }
    memcpy(exchange->body + exchange->n_body, bytes, n_bytes);
    exchange->n_body += n_bytes;
}

/* The headers are there. */
static enum MHD_Result begin_request(struct server *server, struct MHD_Connection *mhd,
                                     const char *path, const char *method, void **context)
{
    struct exchange *exchange = begin_exchange(server, mhd);
    struct problem problem = {0};
    size_t n_body;

    if (exchange == NULL) {
        return MHD_NO;
    }
    *context = exchange;
    if (!route_check(exchange, path, method, &problem)) {
        return send_problem(exchange, &problem);
    }
    n_body = route_body_bytes(exchange);
    set_phase(exchange, CONNECTION_BODY,
              BODY_SECONDS + (double)(n_body > 0 ? n_body : server->settings->max_body_bytes) /
                                 BODY_BYTES_A_SECOND);
    if (n_body > 0 && !reserve_body(exchange, n_body)) {
        return send_problem(exchange, &exchange->problem);
    }
    return MHD_YES;
}

/* With the lock held: to the intake, if there is room. */
static bool admit(struct server *server, struct exchange *exchange)
{
    const struct serve_settings *settings = server->settings;

    if (server->is_draining) {
        return problem_set(&exchange->problem, 503, "draining", NULL,
                           "the server is about to stop");
    }
    if (server->n_in_flight >= settings->n_parallel + settings->max_queue) {
        return problem_set(&exchange->problem, 429, "rate_limit_exceeded", NULL,
                           "as many requests wait as may: try again later");
    }
    exchange->is_admitted = true;
    server->n_in_flight++;
    exchange->connection->phase = CONNECTION_WORKING;
    exchange->connection->deadline_s = 0;
    intake_add(server, exchange);
    exchange->is_suspended = true;
    MHD_suspend_connection(exchange->mhd);
    return true;
}

/* A question, or a text: by the intake. */
static enum MHD_Result answer_body(struct exchange *exchange)
{
    struct server *server = exchange->server;
    struct problem problem = {0};
    bool is_gone, is_suspended = false, is_streamed = false;
    size_t n_bytes = 0;
    char *bytes = NULL;

    pthread_mutex_lock(&server->lock);
    if (!exchange->is_admitted && exchange->problem.status == 0) {
        is_suspended = admit(server, exchange);
    }
    is_gone = exchange->is_gone;
    if (!is_suspended && !is_gone) {
        const struct job *job = exchange->job;

        problem = job != NULL && job->problem.status != 0 ? job->problem : exchange->problem;
        is_streamed = exchange->is_streamed;
        if (exchange->reply != NULL) {
            bytes = exchange->reply;
            n_bytes = exchange->n_reply;
            exchange->reply = NULL;
        } else if (problem.status == 0 && !is_streamed) {
            bytes = reply_completion(exchange, &n_bytes);
        }
    }
    pthread_mutex_unlock(&server->lock);
    if (is_suspended) {
        dispatch_wake(server);
        return MHD_YES;
    }
    if (is_gone) {
        return MHD_NO;
    }
    if (problem.status != 0) {
        return send_problem(exchange, &problem);
    }
    return is_streamed ? send_stream(exchange) : send_json(exchange, 200, bytes, n_bytes);
}

static enum MHD_Result answer_ready(struct exchange *exchange)
{
    static const struct problem draining = {
        .status = 503, .code = "draining", .message = "the server is about to stop"};
    bool is_draining;

    pthread_mutex_lock(&exchange->server->lock);
    is_draining = exchange->server->is_draining;
    pthread_mutex_unlock(&exchange->server->lock);
    return is_draining ? send_problem(exchange, &draining)
                       : send_text(exchange, 200, "{\"status\":\"ready\"}");
}

static enum MHD_Result answer(struct exchange *exchange)
{
    size_t n_bytes;
    char *bytes;

    switch (exchange->route) {
    case ROUTE_HEALTH:
        return send_text(exchange, 200, "{\"status\":\"ok\"}");
    case ROUTE_READY:
        return answer_ready(exchange);
    case ROUTE_MODELS:
        bytes = reply_models(exchange->server, &n_bytes);
        return send_json(exchange, 200, bytes, n_bytes);
    case ROUTE_METRICS:
        bytes = metrics_text(exchange->server, &n_bytes);
        return send_bytes(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", bytes,
                          n_bytes);
    case ROUTE_PAGE:
        return send_page(exchange);
    case ROUTE_TOKENIZE:
    case ROUTE_CHAT:
        return answer_body(exchange);
    case ROUTE_NONE:
        break;
    }
    return MHD_NO;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n_upload, void **context)
{
    struct exchange *exchange = *context;

    (void)version;
    if (exchange == NULL) {
        return begin_request(user, mhd, path, method, context);
    }
    if (*n_upload > 0) {
        add_body(exchange, upload, *n_upload);
        *n_upload = 0;
        return MHD_YES;
    }
    return answer(exchange);
}

/* ---------------------------------------------------------------------------------------------
 * Start and end
 * ------------------------------------------------------------------------------------------ */

enum omma_status http_start(struct server *server, int listener, struct omma_error *error)
{
    size_t n_connections = server->settings->max_connections + SURPLUS;

    server->daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)n_connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return fail(error, OMMA_STATUS_RESOURCES, "libmicrohttpd: cannot start: %s",
                    strerror(errno));
    }
    return OMMA_OK;
}

void http_drain(struct server *server)
{
    MHD_quiesce_daemon(server->daemon);
    pthread_mutex_lock(&server->lock);
    server->is_draining = true;
    pthread_mutex_unlock(&server->lock);
}

void http_stop(struct server *server)
{
    if (server->daemon == NULL) {
        return;
    }
    intake_stop(server);
    pthread_mutex_lock(&server->lock);
    server->is_draining = true;
    for (struct exchange *exchange = server->exchanges; exchange != NULL;
         exchange = exchange->next) {
        exchange->is_taken = false;
        exchange->is_gone = true;
    }
    pthread_mutex_unlock(&server->lock);
    dispatch_wake(server);
    for (bool waits = true; waits;) {
        const struct timespec moment = {.tv_nsec = 5000000};

        waits = false;
        pthread_mutex_lock(&server->lock);
        for (struct exchange *exchange = server->exchanges; exchange != NULL;
             exchange = exchange->next) {
            waits |= exchange->is_suspended;
        }
        pthread_mutex_unlock(&server->lock);
        nanosleep(&moment, NULL);
    }
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
}
