/* A line to a request, an answer to a line. */
#include "tools/batch/chat_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json_out.h"

/* What a row's request points to. */
struct chat_row {
    json_t *id;
    struct chat_in chat;
    struct omma_schema *schema;
    struct omma_image **images;
    size_t n_images;
};

/* ------------------------------------------------------------------------------------------------
 * Requests
 * --------------------------------------------------------------------------------------------- */

/* The body of a line, with a reference of its own; NULL with *problem. */
static json_t *find_body(json_t *root, struct problem *problem)
{
    static const char path[] = "/chat/completions";
    json_t *body = json_in_get(root, "body"), *url = json_in_get(root, "url");
    size_t n = json_string_length(url);

    if (body == NULL) {
        return json_incref(root);
    }
    if (!json_is_object(body)) {
        problem_set(problem, 400, "invalid_value", "body", "body: expected an object");
        return NULL;
    }
    if (url != NULL && (!json_is_string(url) || n < sizeof path - 1 ||
                        strcmp(json_string_value(url) + n - (sizeof path - 1), path) != 0)) {
        problem_set(problem, 400, "invalid_value", "url", "url: expected /v1/chat/completions");
        return NULL;
    }
    return json_incref(body);
}

/* What serve has and a batch has not. */
static bool check_chat(const struct chat_in *chat, struct problem *problem)
{
    if (chat->has_logprobs) {
        return problem_set(problem, 400, "unsupported_parameter", "logprobs",
                           "logprobs: not supported by omma batch");
    }
    return true;
}

static bool open_schema(const struct chat_rows *rows, struct chat_row *row, struct problem *problem)
{
    const char *text = row->chat.schema;
    struct omma_error error;

    if (text == NULL ||
        omma_schema_open(rows->model, text, strlen(text), &row->schema, &error) == OMMA_OK) {
        return true;
    }
    return error.status == OMMA_STATUS_USAGE
               ? problem_set(problem, 400, "invalid_value", "response_format",
                             "response_format: %s", error.message)
               : problem_set_error(problem, "response_format", &error);
}

static bool open_images(const struct chat_rows *rows, struct chat_row *row, struct problem *problem)
{
    row->images = calloc(row->chat.n_pictures + 1, sizeof *row->images);
    return row->images == NULL ? problem_set_memory(problem)
                               : pictures_in_open(&row->chat, rows->media, &rows->bounds,
                                                  row->images, &row->n_images, problem);
}

/* A custom_id names the row; the rest is its request. */
static bool read_line(const struct chat_rows *rows, const char *bytes, size_t n_bytes,
                      struct chat_row *row, struct problem *problem)
{
    const struct chat_limits limits = {.max_images = SIZE_MAX, .max_tokens = rows->max_tokens};
    json_t *root, *id, *body;

    if (!json_in_parse(bytes, n_bytes, &root, problem)) {
        return false;
    }
    id = json_in_get(root, "custom_id");
    if (json_is_string(id)) {
        json_decref(row->id);
        row->id = json_incref(id);
    }
    if (id != NULL && !json_is_string(id)) {
        problem_set(problem, 400, "invalid_value", "custom_id", "custom_id: expected a string");
        body = NULL;
    } else {
        body = find_body(root, problem);
    }
    json_decref(root);
    return body != NULL && chat_in_read(body, &limits, &row->chat, problem) &&
           check_chat(&row->chat, problem) && open_schema(rows, row, problem) &&
           open_images(rows, row, problem);
}

static struct omma_request request_of(const struct chat_rows *rows, uint64_t number,
                                      const struct chat_row *row)
{
    const struct chat_in *chat = &row->chat;
    struct omma_request request = {
        .conversation = {.system = chat->system,
                         .n_system_bytes = chat->n_system,
                         .turns = chat->turns,
                         .n_turns = chat->n_turns,
                         .images = (const struct omma_image *const *)row->images,
                         .n_images = row->n_images,
                         .image_mark = CHAT_IMAGE_MARK},
        .max_new_tokens = chat->max_tokens,
        .sampling = chat->sampling,
        .schema = row->schema,
        .stops = chat->stops,
        .n_stops = chat->n_stops,
        .ignore_stop_ids = chat->ignores_stop_ids,
    };

    if (json_in_get(chat->root, "seed") == NULL) {
        request.sampling.seed = rows->seed + number;
    }
    return request;
}

static enum omma_status prepare(void *user, struct row *row, struct omma_error *error)
{
    const struct chat_rows *rows = user;
    const struct input_row *place = &rows->input->rows[row->number];
    struct chat_row *chat_row = calloc(1, sizeof *chat_row);
    char *bytes;

    row->owned = chat_row;
    if (chat_row == NULL || (chat_row->id = json_integer((json_int_t)place->line)) == NULL) {
        return fail_memory(error);
    }
    TRY(input_read(rows->input, row->number, &bytes, error));
    if (read_line(rows, bytes, place->n_bytes, chat_row, &row->problem)) {
        row->request = request_of(rows, row->number, chat_row);
    }
    free(bytes);
    if (row->problem.status == 503) { /* memory: that says nothing of the row */
        return fail_memory(error);
    }
    return OMMA_OK;
}

static void release(void *user, struct row *row)
{
    struct chat_row *chat_row = row->owned;

    (void)user;
    if (chat_row == NULL) {
        return;
    }
    for (size_t i = 0; i < chat_row->n_images; i++) {
        omma_image_close(&chat_row->images[i]);
    }
    free(chat_row->images);
    omma_schema_close(&chat_row->schema);
    chat_in_release(&chat_row->chat);
    json_decref(chat_row->id);
    free(chat_row);
    row->owned = NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Answers
 * --------------------------------------------------------------------------------------------- */

static json_t *json_of_error(const struct problem *problem)
{
    return json_pack("{so ss* ss*}", "message",
                     json_out_text(problem->message, strlen(problem->message)), "code",
                     problem->code, "param", problem->param[0] != '\0' ? problem->param : NULL);
}

/* What is the same in every run. */
static json_t *json_of_result(const struct chat_rows *rows, const struct row *row)
{
    const struct chat_row *chat_row = row->owned;
    const struct omma_usage *usage = &row->usage;
    size_t n_tiles = 0;
    json_t *result = json_pack("{sO sI}", "id", chat_row->id, "line",
                               (json_int_t)rows->input->rows[row->number].line);

    if (row->problem.status != 0) {
        json_object_set_new(result, "error", json_of_error(&row->problem));
        return result;
    }
    for (size_t i = 0; i < chat_row->n_images; i++) {
        n_tiles += omma_image_info(chat_row->images[i])->grid.n_tiles;
    }
    json_object_set_new(result, "text", json_out_text(row->text, row->n_text));
    json_object_set_new(result, "finish_reason", json_string(omma_finish_name(row->finish)));
    json_object_set_new(
        result, "usage",
        json_pack("{sI sI sI sI sI}", "prompt_tokens", (json_int_t)usage->prompt_tokens,
                  "completion_tokens", (json_int_t)usage->completion_tokens, "total_tokens",
                  (json_int_t)(usage->prompt_tokens + usage->completion_tokens), "image_tokens",
                  (json_int_t)usage->image_tokens, "tiles", (json_int_t)n_tiles));
    return result;
}

/* What is not: times, and what a session had of the prompt already. */
static json_t *json_of_timings(const struct row *row)
{
    const struct omma_timings *timings = &row->timings;

    return json_pack("{sf sf sf sf sf sI sI}", "queue_s", timings->queue_s, "encode_s",
                     timings->encode_s, "prefill_s", timings->prefill_s, "decode_s",
                     timings->decode_s, "total_s", timings->total_s, "cached_tokens",
                     (json_int_t)row->usage.cached_tokens, "cached_tiles",
                     (json_int_t)row->usage.cached_tiles);
}

static enum omma_status describe(void *user, struct row *row, struct omma_error *error)
{
    const struct chat_rows *rows = user;
    json_t *result = json_of_result(rows, row);
    json_t *timings = row->problem.status == 0 ? json_of_timings(row) : json_object();
    bool is_complete = json_object_size(result) >= (row->problem.status != 0 ? 3 : 5);

    row->result = json_dumps(result, JSON_COMPACT);
    row->timings_text = json_dumps(timings, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(result);
    json_decref(timings);
    return is_complete && row->result != NULL && row->timings_text != NULL ? OMMA_OK
                                                                           : fail_memory(error);
}

static void name(void *user, uint64_t number, char *name, size_t capacity)
{
    const struct chat_rows *rows = user;

    snprintf(name, capacity, "line %zu", rows->input->rows[number].line);
}

struct row_source chat_rows_source(struct chat_rows *rows)
{
    return (struct row_source){
        .user = rows, .prepare = prepare, .describe = describe, .release = release, .name = name};
}
