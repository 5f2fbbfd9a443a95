/*
 * Some rows at a time: the first model answers them side by side, then one after the other is
 * compared, so that no engine computes while the other one does.
 *
 * An answer is taken in pieces, so that the logits of one are all that is in memory: each model
 * scores it as the end of a prompt whose beginning its session has computed already.  With engines
 * that are deterministic a model's logits so depend on nothing but the tokens before.
 */
#include "tools/compare/against.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/batch/chat_rows.h"
#include "tools/compare/divergence.h"

enum { PIECE = 64 };

/* The logits that a model shows. */
struct side {
    size_t vocab, first_row; /* of the piece */
    float *rows;             /* [PIECE][vocab] */
};

/* A prompt and an answer, one behind the other. */
struct tokens {
    int32_t *ids; /* [n_prompt + n_answer] */
    size_t n_prompt, n_answer;
};

/* A row at work, with a session of the first model. */
struct place {
    struct omma_session *session;
    struct row row;
    struct tokens tokens;
    struct against_row *result;
    bool is_answering;
};

struct task {
    const struct against_settings *settings;
    struct against *against;
    struct chat_rows chat_rows;
    struct row_source source;
    struct place *places; /* [n_places] */
    size_t n_places;
    struct omma_session *second;
    struct side sides[2];
};

static void keep_logits(void *user, const char *stage, size_t first_row, size_t n_rows,
                        size_t width, const float *values)
{
    struct side *side = user;

    if (strcmp(stage, "logits") == 0) {
        memcpy(side->rows + (first_row - side->first_row) * width, values,
               n_rows * width * sizeof *values);
    }
}

/* Follow a request to its end; ids that are chosen are appended to ids, NULL: none are. */
static enum omma_status follow(struct omma_session *session, int32_t *ids, size_t *n_ids,
                               struct omma_error *error)
{
    struct omma_event event = {0};

    while (event.type != OMMA_EVENT_DONE) {
        TRY(omma_session_poll(session, -1, &event, error));
        if (event.type == OMMA_EVENT_TOKEN) {
            ids[(*n_ids)++] = event.id;
        }
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Tokens
 * --------------------------------------------------------------------------------------------- */

/* The prompt, with room for an answer; both models must read the same one. */
static enum omma_status render(const struct task *task, const struct omma_request *request,
                               struct tokens *tokens, struct omma_error *error)
{
    const struct against_settings *settings = task->settings;
    struct omma_tokens first = {0}, second = {0};
    enum omma_status status;

    TRY_OR(status, done,
           omma_render(settings->first->model, &request->conversation, &first, error));
    TRY_OR(status, done,
           omma_render(settings->second->model, &request->conversation, &second, error));
    if (first.n_tokens != second.n_tokens ||
        memcmp(first.ids, second.ids, first.n_tokens * sizeof *first.ids) != 0) {
        status = fail(error, OMMA_STATUS_USAGE, "the models make different tokens of a prompt");
        goto done;
    }
    tokens->n_prompt = first.n_tokens;
    tokens->ids = malloc((first.n_tokens + request->max_new_tokens) * sizeof *tokens->ids);
    if (tokens->ids == NULL) {
        status = fail_memory(error);
        goto done;
    }
    memcpy(tokens->ids, first.ids, first.n_tokens * sizeof *tokens->ids);
done:
    omma_tokens_free(&first);
    omma_tokens_free(&second);
    return status;
}

/* The member "answer" of a line with the token that ends it, as far as max_new_tokens go;
 * *is_given: there is one. */
static enum omma_status read_answer(const struct task *task, const struct row *row,
                                    struct tokens *tokens, bool *is_given, struct omma_error *error)
{
    const struct against_settings *settings = task->settings;
    int32_t end = omma_model_info(settings->first->model)->im_end_id;
    size_t room = row->request.max_new_tokens, n_bytes = settings->input->rows[row->number].n_bytes;
    struct omma_tokens answer = {0};
    enum omma_status status = OMMA_OK;
    struct problem problem;
    json_t *root = NULL, *text;
    char *line;

    TRY(input_read(settings->input, row->number, &line, error));
    if (json_in_parse(line, n_bytes, &root, &problem) &&
        (text = json_in_get(root, "answer")) != NULL) {
        *is_given = true;
        status = json_is_string(text)
                     ? omma_tokenize(omma_model_tokenizer(settings->first->model),
                                     json_string_value(text), json_string_length(text),
                                     OMMA_SPECIAL_LITERAL, &answer, error)
                     : fail(error, OMMA_STATUS_PROMPT, "answer: expected a string");
    }
    for (size_t i = 0; i < answer.n_tokens && i < room; i++) {
        tokens->ids[tokens->n_prompt + tokens->n_answer++] = answer.ids[i];
    }
    if (status == OMMA_OK && *is_given && tokens->n_answer < room) {
        tokens->ids[tokens->n_prompt + tokens->n_answer++] = end;
    }
    omma_tokens_free(&answer);
    json_decref(root);
    free(line);
    return status;
}

/* Ask the first model, which takes the likeliest token each time. */
static enum omma_status ask(struct place *place, struct omma_error *error)
{
    const struct omma_request request = {
        .conversation = place->row.request.conversation,
        .prompt_ids = place->tokens.ids,
        .n_prompt_ids = place->tokens.n_prompt,
        .max_new_tokens = place->row.request.max_new_tokens,
    };

    TRY(omma_session_submit(place->session, &request, error));
    place->is_answering = true;
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Comparing
 * --------------------------------------------------------------------------------------------- */

/* A side's logits of the answer's tokens from begin to end. */
static enum omma_status show(struct side *side, struct omma_session *session,
                             const struct place *place, size_t begin, size_t end,
                             struct omma_error *error)
{
    const struct tokens *tokens = &place->tokens;
    const struct omma_request request = {
        .conversation = place->row.request.conversation,
        .prompt_ids = tokens->ids,
        .n_prompt_ids = tokens->n_prompt + end,
        .score_from = tokens->n_prompt + begin,
        .observer = {keep_logits, side},
    };

    side->first_row = tokens->n_prompt + begin - 1;
    TRY(omma_session_submit(session, &request, error));
    return follow(session, NULL, NULL, error);
}

static enum omma_status reserve(struct against *against, size_t n, struct omma_error *error)
{
    size_t capacity = 2 * (against->n + n);
    double *grown;

    if (against->n + n <= against->capacity) {
        return OMMA_OK;
    }
    grown = realloc(against->divergences, capacity * sizeof *grown);
    if (grown == NULL) {
        return fail_memory(error);
    }
    against->divergences = grown;
    against->capacity = capacity;
    return OMMA_OK;
}

static enum omma_status compare_tokens(struct task *task, const struct place *place,
                                       struct omma_error *error)
{
    struct against *against = task->against;
    struct against_row *result = place->result;
    size_t vocab = task->sides[0].vocab, n_answer = place->tokens.n_answer;

    result->first = against->n;
    TRY(reserve(against, n_answer, error));
    for (size_t begin = 0; begin < n_answer; begin += PIECE) {
        size_t n = n_answer - begin < PIECE ? n_answer - begin : PIECE;

        TRY(show(&task->sides[0], place->session, place, begin, begin + n, error));
        TRY(show(&task->sides[1], task->second, place, begin, begin + n, error));
        for (size_t i = 0; i < n; i++) {
            bool is_same_top;

            against->divergences[result->first + result->n++] =
                divergence_of(task->sides[0].rows + i * vocab, task->sides[1].rows + i * vocab,
                              vocab, &is_same_top);
            result->n_same_top += is_same_top;
        }
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Rows
 * --------------------------------------------------------------------------------------------- */

/* What became of a row: what says something of it only is told there. */
static enum omma_status settle(struct task *task, struct place *place, enum omma_status status,
                               const char *message, struct omma_error *error)
{
    struct against_row *result = place->result;

    if (status != OMMA_STATUS_PROMPT && status != OMMA_STATUS_IMAGE &&
        status != OMMA_STATUS_INTERNAL) {
        return status == OMMA_OK ? OMMA_OK : fail(error, status, "%s", message);
    }
    result->problem = strdup(message);
    result->n = result->n_same_top = 0;
    task->against->n_failed++;
    return result->problem != NULL ? OMMA_OK : fail_memory(error);
}

static enum omma_status begin_request(struct task *task, struct place *place,
                                      struct omma_error *error)
{
    struct against_row *result = place->result;

    TRY(render(task, &place->row.request, &place->tokens, error));
    result->n_prompt = place->tokens.n_prompt;
    TRY(read_answer(task, &place->row, &place->tokens, &result->is_given, error));
    return result->is_given ? OMMA_OK : ask(place, error);
}

/* Read a row, and ask for its answer. */
static enum omma_status begin_row(struct task *task, size_t number, struct place *place,
                                  struct omma_error *error)
{
    struct omma_error row_error;
    enum omma_status status;

    place->row = (struct row){.number = number};
    place->tokens = (struct tokens){0};
    place->result = &task->against->rows[task->against->n_rows++];
    place->result->line = task->settings->input->rows[number].line;
    TRY(task->source.prepare(task->source.user, &place->row, error));
    if (place->row.problem.status != 0) {
        return settle(task, place, OMMA_STATUS_PROMPT, place->row.problem.message, error);
    }
    status = begin_request(task, place, &row_error);
    return settle(task, place, status, row_error.message, error);
}

static enum omma_status take_answer(struct task *task, struct place *place,
                                    struct omma_error *error)
{
    struct tokens *tokens = &place->tokens;
    struct omma_error row_error;
    enum omma_status status;

    if (!place->is_answering) {
        return OMMA_OK;
    }
    place->is_answering = false;
    status = follow(place->session, tokens->ids + tokens->n_prompt, &tokens->n_answer, &row_error);
    return settle(task, place, status, row_error.message, error);
}

static enum omma_status compare_row(struct task *task, struct place *place,
                                    struct omma_error *error)
{
    struct against *against = task->against;
    struct omma_error row_error;
    enum omma_status status;

    place->result->first = against->n;
    if (place->result->problem != NULL) {
        return OMMA_OK;
    }
    status = compare_tokens(task, place, &row_error);
    TRY(settle(task, place, status, row_error.message, error));
    against->n += place->result->n;
    against->n_same_top += place->result->n_same_top;
    return OMMA_OK;
}

static void end_row(struct task *task, struct place *place)
{
    task->source.release(task->source.user, &place->row);
    free(place->tokens.ids);
    place->tokens = (struct tokens){0};
}

static enum omma_status compare_rows(struct task *task, size_t first, size_t n,
                                     struct omma_error *error)
{
    enum omma_status status = OMMA_OK;
    size_t n_begun = 0;

    while (status == OMMA_OK && n_begun < n) {
        status = begin_row(task, first + n_begun, &task->places[n_begun], error);
        n_begun++;
    }
    for (size_t i = 0; status == OMMA_OK && i < n; i++) {
        status = take_answer(task, &task->places[i], error);
    }
    for (size_t i = 0; status == OMMA_OK && i < n; i++) {
        status = compare_row(task, &task->places[i], error);
    }
    for (size_t i = 0; i < n_begun; i++) {
        if (task->places[i].is_answering) { /* it uses the row's pictures */
            omma_session_destroy(&task->places[i].session);
        }
        end_row(task, &task->places[i]);
    }
    return status;
}

static enum omma_status open_side(const struct compare_subject *subject, struct side *side,
                                  struct omma_error *error)
{
    side->vocab = omma_model_info(subject->model)->vocab;
    side->rows = malloc(PIECE * side->vocab * sizeof *side->rows);
    return side->rows != NULL ? OMMA_OK : fail_memory(error);
}

static enum omma_status open_all(struct task *task, struct omma_error *error)
{
    const struct against_settings *settings = task->settings;
    const struct omma_session_options options = {.n_context = settings->bounds.n_context};
    size_t n_rows = settings->input->n_rows;

    TRY(open_side(settings->first, &task->sides[0], error));
    TRY(open_side(settings->second, &task->sides[1], error));
    if (task->sides[0].vocab != task->sides[1].vocab) {
        return fail(error, OMMA_STATUS_USAGE,
                    "the models have different tokens: %zu and %zu rows of the embedding",
                    task->sides[0].vocab, task->sides[1].vocab);
    }
    task->n_places = n_rows < settings->n_parallel ? n_rows : settings->n_parallel;
    task->places = calloc(task->n_places + 1, sizeof *task->places);
    task->against->rows = calloc(n_rows + 1, sizeof *task->against->rows);
    if (task->places == NULL || task->against->rows == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < task->n_places; i++) {
        TRY(omma_session_create(settings->first->engine, &options, &task->places[i].session,
                                error));
    }
    return omma_session_create(settings->second->engine, &options, &task->second, error);
}

static enum omma_status compare_all(struct task *task, struct omma_error *error)
{
    const struct against_settings *settings = task->settings;
    size_t n_rows = settings->input->n_rows;

    TRY(open_all(task, error));
    for (size_t i = 0; i < n_rows; i += task->n_places) {
        message_progress(settings->messages, "%zu of %zu rows, %zu tokens", i, n_rows,
                         task->against->n);
        TRY(compare_rows(task, i, n_rows - i < task->n_places ? n_rows - i : task->n_places,
                         error));
    }
    message_progress_end(settings->messages);
    return OMMA_OK;
}

enum omma_status against_run(const struct against_settings *settings, struct against *against,
                             struct omma_error *error)
{
    struct task task = {.settings = settings, .against = against};
    enum omma_status status;

    task.chat_rows = (struct chat_rows){
        .model = settings->first->model,
        .input = settings->input,
        .media = settings->media,
        .bounds = settings->bounds,
        .max_tokens = settings->max_tokens,
    };
    task.source = chat_rows_source(&task.chat_rows);
    status = compare_all(&task, error);
    for (size_t i = 0; task.places != NULL && i < task.n_places; i++) {
        omma_session_destroy(&task.places[i].session);
    }
    omma_session_destroy(&task.second);
    free(task.places);
    free(task.sides[0].rows);
    free(task.sides[1].rows);
    return status;
}

void against_close(struct against *against)
{
    for (size_t i = 0; i < against->n_rows; i++) {
        free(against->rows[i].problem);
    }
    free(against->rows);
    free(against->divergences);
    *against = (struct against){0};
}

const struct against_row *against_row_of(const struct against *against, size_t i)
{
    const struct against_row *row = against->rows;

    while (i >= row->first + row->n) {
        row++;
    }
    return row;
}
