/*
 * Bodies to jobs.  Two threads, so that one large picture does not keep everybody's question
 * waiting; they hold no lock while they work.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/serve/reply.h"

static bool open_pictures(const struct server *server, const struct chat_in *chat, struct job *job,
                          struct problem *problem)
{
    const struct serve_settings *settings = server->settings;
    const struct picture_bounds bounds = {.image = settings->image,
                                          .max_tiles_total = settings->max_tiles_total,
                                          .max_bytes = settings->max_body_bytes,
                                          .n_context = settings->n_context};

    job->images = calloc(chat->n_pictures + 1, sizeof *job->images);
    job->digests = calloc(chat->n_pictures + 1, sizeof *job->digests);
    if (job->images == NULL || job->digests == NULL) {
        return problem_set_memory(problem);
    }
    if (!pictures_in_open(chat, &server->media, &bounds, job->images, &job->n_images, problem)) {
        return false;
    }
    for (size_t i = 0; i < job->n_images; i++) {
        memcpy(job->digests[i], omma_image_info(job->images[i])->digest, sizeof *job->digests);
    }
    return true;
}

/* Ids, and whether they leave room for an answer. */
static bool render(const struct server *server, const struct chat_in *chat, struct job *job,
                   struct problem *problem)
{
    const struct serve_settings *settings = server->settings;
    const struct omma_conversation conversation = {
        .system = chat->system,
        .n_system_bytes = chat->n_system,
        .turns = chat->turns,
        .n_turns = chat->n_turns,
        .images = (const struct omma_image *const *)job->images,
        .n_images = job->n_images,
        .image_mark = CHAT_IMAGE_MARK,
    };
    size_t n_image_tokens = 0;
    struct omma_error error;

    if (omma_render(server->model, &conversation, &job->prompt, &error) != OMMA_OK) {
        return problem_set_error(problem, "messages", &error);
    }
    for (size_t i = 0; i < job->n_images; i++) {
        n_image_tokens += omma_image_info(job->images[i])->n_tokens;
    }
    if (job->prompt.n_tokens > settings->n_context) {
        return problem_set(problem, 400, "context_length_exceeded", "messages",
                           "the prompt has %zu tokens, %zu of pictures and %zu of text; the "
                           "context holds %zu",
                           job->prompt.n_tokens, n_image_tokens,
                           job->prompt.n_tokens - n_image_tokens, settings->n_context);
    }
    return true;
}

static bool copy_stops(const struct chat_in *chat, struct job *job, struct problem *problem)
{
    job->stops = calloc(chat->n_stops + 1, sizeof *job->stops);
    if (job->stops == NULL) {
        return problem_set_memory(problem);
    }
    for (size_t i = 0; i < chat->n_stops; i++) {
        char *text = malloc(chat->stops[i].n_bytes + 1);

        if (text == NULL) {
            return problem_set_memory(problem);
        }
        memcpy(text, chat->stops[i].text, chat->stops[i].n_bytes);
        job->stops[i] = (struct omma_stop){.text = text, .n_bytes = chat->stops[i].n_bytes};
        job->n_stops++;
    }
    return true;
}

/* The job's schema, made of the text that the request has, which becomes the job's. */
static bool open_schema(const struct server *server, struct chat_in *chat, struct job *job,
                        struct problem *problem)
{
    struct omma_error error;

    job->schema_text = chat->schema;
    chat->schema = NULL;
    if (job->schema_text != NULL &&
        omma_schema_open(server->model, job->schema_text, strlen(job->schema_text), &job->schema,
                         &error) != OMMA_OK) {
        return error.status == OMMA_STATUS_USAGE
                   ? problem_set(problem, 400, "invalid_value", "response_format",
                                 "response_format: %s", error.message)
                   : problem_set_error(problem, "response_format", &error);
    }
    return true;
}

static bool make_job(const struct server *server, const struct exchange *exchange,
                     struct chat_in *chat, struct job **job, struct problem *problem)
{
    struct job *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return problem_set_memory(problem);
    }
    made->sampling = chat->sampling;
    made->max_tokens = chat->max_tokens;
    made->ignores_stop_ids = chat->ignores_stop_ids;
    made->has_logprobs = chat->has_logprobs;
    made->n_top_logprobs = chat->n_top_logprobs;
    made->number = exchange->number;
    if (!open_schema(server, chat, made, problem) || !open_pictures(server, chat, made, problem) ||
        !render(server, chat, made, problem) || !copy_stops(chat, made, problem)) {
        job_destroy(&made);
        return false;
    }
    *job = made;
    return true;
}

/* A chat request without the lock: *job, or *problem. */
static void read_chat(const struct server *server, struct exchange *exchange, struct job **job,
                      struct problem *problem)
{
    const struct chat_limits limits = {.max_images = server->settings->max_images,
                                       .max_tokens = server->settings->max_tokens};
    struct chat_in chat = {0};
    json_t *root;

    if (!json_in_parse(exchange->body, exchange->n_body, &root, problem)) {
        return;
    }
    if (chat_in_read(root, &limits, &chat, problem) &&
        make_job(server, exchange, &chat, job, problem)) {
        exchange->is_streamed = chat.is_streamed;
        exchange->includes_usage = chat.includes_usage;
        if (chat.ignored[0] != '\0' && server->messages->verbose) {
            message_note(server->messages, "request %llu: ignored: %s",
                         (unsigned long long)exchange->number, chat.ignored);
        }
    }
    chat_in_release(&chat);
}

/* The ids of a text, or of messages with what the template adds. */
static bool tokenize(const struct server *server, json_t *root, struct omma_tokens *tokens,
                     struct problem *problem)
{
    const json_t *prompt = json_in_get(root, "prompt");
    struct omma_error error;

    if (!json_is_string(prompt)) {
        return problem_set(problem, 400, "invalid_value", "prompt",
                           "expected prompt, a string, or messages");
    }
    if (omma_tokenize(omma_model_tokenizer(server->model), json_string_value(prompt),
                      json_string_length(prompt), OMMA_SPECIAL_LITERAL, tokens,
                      &error) != OMMA_OK) {
        return problem_set_error(problem, "prompt", &error);
    }
    return true;
}

/* A request to /tokenize without the lock: *reply, or *problem. */
static void read_text(const struct server *server, const struct exchange *exchange, char **reply,
                      size_t *n_reply, struct problem *problem)
{
    const struct chat_limits limits = {.max_images = server->settings->max_images};
    struct omma_tokens tokens = {0};
    struct chat_in chat = {0};
    struct job job = {0};
    json_t *root;
    bool is_good;

    if (!json_in_parse(exchange->body, exchange->n_body, &root, problem)) {
        return;
    }
    if (json_in_get(root, "messages") != NULL) {
        is_good = chat_in_read_messages(root, &limits, &chat, problem) &&
                  open_pictures(server, &chat, &job, problem) &&
                  render(server, &chat, &job, problem);
        tokens = job.prompt;
        job_close_images(&job);
        free(job.digests);
        chat_in_release(&chat);
    } else {
        is_good = tokenize(server, root, &tokens, problem);
        json_decref(root);
    }
    if (is_good) {
        *reply = reply_tokens(server, &tokens, n_reply);
        if (*reply == NULL) {
            problem_set_memory(problem);
        }
    }
    omma_tokens_free(&tokens);
}

static struct exchange *take_body(struct server *server)
{
    struct exchange *exchange = server->first_body;

    if (exchange != NULL) {
        server->first_body = exchange->next_waiting;
        server->last_body = server->first_body != NULL ? server->last_body : NULL;
    }
    return exchange;
}

/* With the lock held: to the job that is there already, or to the end of the queue. */
static void join_job(struct server *server, struct exchange *exchange, struct job *job)
{
    struct job *same = server->jobs;

    while (same != NULL && (same->n_users == 0 || !job_is_same(same, job))) {
        same = same->next_made;
    }
    if (same != NULL) {
        server->n_joined++;
        job_destroy(&job);
        job = same;
    } else {
        dispatch_queue(server, job);
    }
    exchange->job = job;
    job->n_users++;
    job->n_holders++;
}

static void *run(void *argument)
{
    struct server *server = argument;

    pthread_mutex_lock(&server->lock);
    while (!server->is_stopping) {
        struct exchange *exchange = take_body(server);
        struct problem problem = {0};
        struct job *job = NULL;
        char *reply = NULL;
        size_t n_reply = 0;

        if (exchange == NULL) {
            pthread_cond_wait(&server->came, &server->lock);
            continue;
        }
        if (!exchange->is_gone) {
            pthread_mutex_unlock(&server->lock);
            if (exchange->route == ROUTE_TOKENIZE) {
                read_text(server, exchange, &reply, &n_reply, &problem);
            } else {
                read_chat(server, exchange, &job, &problem);
            }
            pthread_mutex_lock(&server->lock);
        }
        exchange_drop_body(exchange);
        exchange->is_taken = false;
        exchange->reply = reply;
        exchange->n_reply = n_reply;
        if (exchange->is_gone || exchange->problem.status != 0) {
            job_destroy(&job);
        } else if (job == NULL && reply == NULL) {
            exchange->problem = problem;
        } else if (job != NULL) {
            join_job(server, exchange, job);
        }
        dispatch_wake(server);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

void intake_add(struct server *server, struct exchange *exchange)
{
    exchange->is_taken = true;
    exchange->next_waiting = NULL;
    if (server->last_body != NULL) {
        server->last_body->next_waiting = exchange;
    } else {
        server->first_body = exchange;
    }
    server->last_body = exchange;
    pthread_cond_signal(&server->came);
}

enum omma_status intake_start(struct server *server, struct omma_error *error)
{
    while (server->n_intake < SERVE_N_INTAKE) {
        if (pthread_create(&server->intake[server->n_intake], NULL, run, server) != 0) {
            return fail(error, OMMA_STATUS_RESOURCES, "a thread cannot be had");
        }
        server->n_intake++;
    }
    return OMMA_OK;
}

void intake_stop(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_cond_broadcast(&server->came);
    pthread_mutex_unlock(&server->lock);
    while (server->n_intake > 0) {
        pthread_join(server->intake[--server->n_intake], NULL);
    }
}
