/*
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

/* A model's session, and the logits that it shows. */
struct side {
    struct omma_session *session;
    size_t vocab, first_row; /* of the piece */
    float *rows;             /* [PIECE][vocab] */
};

struct task {
    const struct against_settings *settings;
    struct against *against;
    struct chat_rows chat_rows;
    struct row_source source;
    struct side sides[2];
};

/* A prompt and an answer, one behind the other. */
struct tokens {
    int32_t *ids; /* [n_prompt + n_answer] */
    size_t n_prompt, n_answer;
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

/* Follow a request to its end; ids that are chosen go to ids [capacity], NULL: none are. */
static enum omma_status follow(struct omma_session *session, const struct omma_request *request,
                               int32_t *ids, size_t *n_ids, struct omma_error *error)
{
    struct omma_event event = {0};

    TRY(omma_session_submit(session, request, error));
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

/* What the first model answers, taking the likeliest token each time. */
static enum omma_status answer_greedily(struct task *task, const struct omma_request *asked,
                                        struct tokens *tokens, struct omma_error *error)
{
    const struct omma_request request = {
        .conversation = asked->conversation,
        .prompt_ids = tokens->ids,
        .n_prompt_ids = tokens->n_prompt,
        .max_new_tokens = asked->max_new_tokens,
    };

    return follow(task->sides[0].session, &request, tokens->ids + tokens->n_prompt,
                  &tokens->n_answer, error);
}

/* ------------------------------------------------------------------------------------------------
 * Comparing
 * --------------------------------------------------------------------------------------------- */

/* A side's logits of the answer's tokens from begin to end. */
static enum omma_status show(struct side *side, const struct omma_request *asked,
                             const struct tokens *tokens, size_t begin, size_t end,
                             struct omma_error *error)
{
    const struct omma_request request = {
        .conversation = asked->conversation,
        .prompt_ids = tokens->ids,
        .n_prompt_ids = tokens->n_prompt + end,
        .score_from = tokens->n_prompt + begin,
        .observer = {keep_logits, side},
    };

    side->first_row = tokens->n_prompt + begin - 1;
    return follow(side->session, &request, NULL, NULL, error);
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

static enum omma_status compare_tokens(struct task *task, const struct omma_request *asked,
                                       const struct tokens *tokens, struct against_row *result,
                                       struct omma_error *error)
{
    struct against *against = task->against;
    size_t vocab = task->sides[0].vocab;

    TRY(reserve(against, tokens->n_answer, error));
    for (size_t begin = 0; begin < tokens->n_answer; begin += PIECE) {
        size_t left = tokens->n_answer - begin, n = left < PIECE ? left : PIECE;

        TRY(show(&task->sides[0], asked, tokens, begin, begin + n, error));
        TRY(show(&task->sides[1], asked, tokens, begin, begin + n, error));
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

static enum omma_status compare_request(struct task *task, const struct row *row,
                                        struct against_row *result, struct omma_error *error)
{
    struct tokens tokens = {0};
    enum omma_status status;

    TRY_OR(status, done, render(task, &row->request, &tokens, error));
    result->n_prompt = tokens.n_prompt;
    TRY_OR(status, done, read_answer(task, row, &tokens, &result->is_given, error));
    if (!result->is_given) {
        TRY_OR(status, done, answer_greedily(task, &row->request, &tokens, error));
    }
    status = compare_tokens(task, &row->request, &tokens, result, error);
done:
    free(tokens.ids);
    return status;
}

/* What says something of a row only is told there. */
static bool is_of_row(enum omma_status status)
{
    return status == OMMA_STATUS_PROMPT || status == OMMA_STATUS_IMAGE ||
           status == OMMA_STATUS_INTERNAL;
}

static enum omma_status fail_row(struct against *against, struct against_row *result,
                                 const char *message, struct omma_error *error)
{
    result->problem = strdup(message);
    result->n = result->n_same_top = 0;
    against->n_failed++;
    return result->problem != NULL ? OMMA_OK : fail_memory(error);
}

static enum omma_status compare_row(struct task *task, size_t number, struct omma_error *error)
{
    struct against *against = task->against;
    struct against_row *result = &against->rows[against->n_rows++];
    struct row row = {.number = number};
    struct omma_error row_error;
    enum omma_status status;

    result->line = task->settings->input->rows[number].line;
    result->first = against->n;
    status = task->source.prepare(task->source.user, &row, error);
    if (status == OMMA_OK && row.problem.status != 0) {
        status = fail_row(against, result, row.problem.message, error);
    } else if (status == OMMA_OK) {
        status = compare_request(task, &row, result, &row_error);
        if (is_of_row(status)) {
            status = fail_row(against, result, row_error.message, error);
        } else if (status != OMMA_OK) {
            *error = row_error;
        }
    }
    against->n += result->n;
    against->n_same_top += result->n_same_top;
    task->source.release(task->source.user, &row);
    return status;
}

static enum omma_status open_side(const struct compare_subject *subject, size_t n_context,
                                  struct side *side, struct omma_error *error)
{
    const struct omma_session_options options = {.n_context = n_context};

    side->vocab = omma_model_info(subject->model)->vocab;
    side->rows = malloc(PIECE * side->vocab * sizeof *side->rows);
    return side->rows == NULL
               ? fail_memory(error)
               : omma_session_create(subject->engine, &options, &side->session, error);
}

static enum omma_status compare_all(struct task *task, struct omma_error *error)
{
    const struct against_settings *settings = task->settings;
    struct against *against = task->against;
    size_t n_rows = settings->input->n_rows;

    TRY(open_side(settings->first, settings->bounds.n_context, &task->sides[0], error));
    TRY(open_side(settings->second, settings->bounds.n_context, &task->sides[1], error));
    if (task->sides[0].vocab != task->sides[1].vocab) {
        return fail(error, OMMA_STATUS_USAGE,
                    "the models have different tokens: %zu and %zu rows of the embedding",
                    task->sides[0].vocab, task->sides[1].vocab);
    }
    against->rows = calloc(n_rows + 1, sizeof *against->rows);
    if (against->rows == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n_rows; i++) {
        message_progress(settings->messages, "row %zu of %zu, %zu tokens", i + 1, n_rows,
                         against->n);
        TRY(compare_row(task, i, error));
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
    for (size_t i = 0; i < 2; i++) {
        omma_session_destroy(&task.sides[i].session);
        free(task.sides[i].rows);
    }
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
