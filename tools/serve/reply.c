/* Completions, their chunks, models, errors. */
#include "tools/serve/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/json_out.h"

/* Takes value. */
static char *dump(json_t *value, size_t *n_bytes)
{
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

    json_decref(value);
    *n_bytes = text != NULL ? strlen(text) : 0;
    return text;
}

char *reply_problem(const struct problem *problem, size_t *n_bytes)
{
    return dump(problem_json(problem), n_bytes);
}

char *reply_models(const struct server *server, size_t *n_bytes)
{
    return dump(json_pack("{ss s[{ss ss sI ss sI}]}", "object", "list", "data", "id",
                          server->settings->model_name, "object", "model", "created", (json_int_t)0,
                          "owned_by", "omma", "max_model_len",
                          (json_int_t)server->settings->n_context),
                n_bytes);
}

char *reply_tokens(const struct server *server, const struct omma_tokens *tokens, size_t *n_bytes)
{
    return dump(json_pack("{sI sI so}", "count", (json_int_t)tokens->n_tokens, "max_model_len",
                          (json_int_t)server->settings->n_context, "tokens",
                          json_out_ids(tokens->ids, tokens->n_tokens)),
                n_bytes);
}

static json_t *usage_json(const struct omma_usage *usage)
{
    return json_pack("{sI sI sI s{sI sI} s{sI}}", "prompt_tokens", (json_int_t)usage->prompt_tokens,
                     "completion_tokens", (json_int_t)usage->completion_tokens, "total_tokens",
                     (json_int_t)(usage->prompt_tokens + usage->completion_tokens),
                     "prompt_tokens_details", "cached_tokens", (json_int_t)usage->cached_tokens,
                     "image_tokens", (json_int_t)usage->image_tokens, "completion_tokens_details",
                     "reasoning_tokens", (json_int_t)0);
}

/* What completions and chunks have in common; takes choices and usage (NULL: none). */
static json_t *frame(const struct exchange *exchange, const char *object, json_t *choices,
                     json_t *usage)
{
    char id[48], fingerprint[64];

    snprintf(id, sizeof id, "chatcmpl-%016llx", (unsigned long long)exchange->number);
    snprintf(fingerprint, sizeof fingerprint, "omma-%s-%.12s", omma_version(),
             omma_model_info(exchange->server->model)->identity);
    return json_pack("{ss ss sI ss ss so so*}", "id", id, "object", object, "created",
                     (json_int_t)time(NULL), "model", exchange->server->settings->model_name,
                     "system_fingerprint", fingerprint, "choices", choices, "usage", usage);
}

static const char *finish_reason(const struct job *job)
{
    return job->finish == OMMA_FINISH_STOP ? "stop" : "length";
}

/* Text and bytes of a token; takes more (NULL: none). */
static json_t *token_json(const struct exchange *exchange, int32_t id, float logprob, json_t *more)
{
    const struct omma_tokenizer *tokenizer = omma_model_tokenizer(exchange->server->model);
    size_t n_bytes;
    const char *text = omma_token_bytes(tokenizer, id, &n_bytes, NULL);
    json_t *bytes = json_array();

    for (size_t i = 0; i < n_bytes; i++) {
        json_array_append_new(bytes, json_integer((unsigned char)text[i]));
    }
    return json_pack("{so sf so so*}", "token", json_out_text(text, n_bytes), "logprob",
                     (double)logprob, "bytes", bytes, "top_logprobs", more);
}

/* Of the job's tokens from *first on, which are counted; null if they are not wanted. */
static json_t *logprobs_json(const struct exchange *exchange, size_t *first)
{
    const struct job *job = exchange->job;
    json_t *content;

    if (!job->has_logprobs) {
        return json_null();
    }
    content = json_array();
    for (; *first < job->n_tokens; (*first)++) {
        const struct job_token *token = &job->tokens[*first];
        json_t *top = json_array();

        for (size_t k = 0; k < token->n_top; k++) {
            json_array_append_new(
                top, token_json(exchange, token->top[k].id, token->top[k].logprob, NULL));
        }
        json_array_append_new(content, token_json(exchange, token->id, token->logprob, top));
    }
    return json_pack("{so sn}", "content", content, "refusal");
}

char *reply_completion(const struct exchange *exchange, size_t *n_bytes)
{
    const struct job *job = exchange->job;
    json_t *text = json_out_text(job->text != NULL ? job->text + job->shown_begin : "",
                                 job->shown_end - job->shown_begin);
    size_t first = 0;

    return dump(
        frame(exchange, "chat.completion",
              json_pack("[{sI s{ss so sn} so ss}]", "index", (json_int_t)0, "message", "role",
                        "assistant", "content", text, "refusal", "logprobs",
                        logprobs_json(exchange, &first), "finish_reason", finish_reason(job)),
              usage_json(&job->usage)),
        n_bytes);
}

/* data: JSON, and an empty line; takes value. */
static char *event(json_t *value, size_t *n_bytes)
{
    char *json = dump(value, n_bytes), *text;

    if (json == NULL) {
        return NULL;
    }
    text = malloc(*n_bytes + 16);
    if (text != NULL) {
        *n_bytes = (size_t)sprintf(text, "data: %s\n\n", json);
    }
    free(json);
    return text;
}

/* takes delta and logprobs */
static char *chunk(const struct exchange *exchange, json_t *delta, json_t *logprobs,
                   const char *finish, size_t *n_bytes)
{
    return event(frame(exchange, "chat.completion.chunk",
                       json_pack("[{sI so so so}]", "index", (json_int_t)0, "delta", delta,
                                 "logprobs", logprobs, "finish_reason",
                                 finish != NULL ? json_string(finish) : json_null()),
                       NULL),
                 n_bytes);
}

static char *text_event(struct exchange *exchange, size_t *n_bytes)
{
    const struct job *job = exchange->job;
    size_t begin =
        exchange->n_streamed > job->shown_begin ? exchange->n_streamed : job->shown_begin;
    size_t n_new = job->shown_end > begin ? job->shown_end - begin : 0;

    if (n_new > 0 || job->n_tokens > exchange->n_tokens_streamed) {
        exchange->n_streamed = begin + n_new;
        return chunk(
            exchange,
            json_pack("{so}", "content", json_out_text(n_new > 0 ? job->text + begin : "", n_new)),
            logprobs_json(exchange, &exchange->n_tokens_streamed), NULL, n_bytes);
    }
    if (job->state != JOB_DONE) {
        return NULL;
    }
    if (job->problem.status != 0) {
        exchange->stage = STREAM_DONE;
        return event(problem_json(&job->problem), n_bytes);
    }
    exchange->stage = exchange->includes_usage ? STREAM_USAGE : STREAM_DONE;
    return chunk(exchange, json_object(), json_null(), finish_reason(job), n_bytes);
}

char *reply_event(struct exchange *exchange, size_t *n_bytes)
{
    char *text;

    *n_bytes = 0;
    switch (exchange->stage) {
    case STREAM_ROLE:
        exchange->stage = STREAM_TEXT;
        return chunk(exchange, json_pack("{ss ss}", "role", "assistant", "content", ""),
                     json_null(), NULL, n_bytes);
    case STREAM_TEXT:
        return text_event(exchange, n_bytes);
    case STREAM_USAGE:
        exchange->stage = STREAM_DONE;
        return event(frame(exchange, "chat.completion.chunk", json_array(),
                           usage_json(&exchange->job->usage)),
                     n_bytes);
    case STREAM_DONE:
        exchange->stage = STREAM_END;
        text = strdup("data: [DONE]\n\n");
        *n_bytes = text != NULL ? strlen(text) : 0;
        return text;
    case STREAM_END:
        break;
    }
    return NULL;
}
