/* Jobs as values; who may touch them when is said in job.h. */
#include "tools/serve/job.h"

#include <stdlib.h>
#include <string.h>

#include "tools/utf8.h"

void job_close_images(struct job *job)
{
    for (size_t i = 0; job->images != NULL && i < job->n_images; i++) {
        omma_image_close(&job->images[i]);
    }
    free(job->images);
    job->images = NULL;
}

void job_destroy(struct job **job)
{
    struct job *gone = *job;

    if (gone == NULL) {
        return;
    }
    job_close_images(gone);
    for (size_t i = 0; i < gone->n_stops; i++) {
        free((char *)gone->stops[i].text);
    }
    omma_tokens_free(&gone->prompt);
    free(gone->digests);
    free(gone->stops);
    omma_schema_close(&gone->schema);
    free(gone->schema_text);
    free(gone->text);
    free(gone->tokens);
    free(gone);
    *job = NULL;
}

bool job_add_text(struct job *job, const char *text, size_t n_bytes)
{
    if (n_bytes == 0) {
        return true;
    }
    if (job->capacity - job->n_text < n_bytes) {
        size_t capacity = 2 * job->capacity + n_bytes + 256;
        char *grown = realloc(job->text, capacity);

        if (grown == NULL) {
            return false;
        }
        job->text = grown;
        job->capacity = capacity;
    }
    memcpy(job->text + job->n_text, text, n_bytes);
    job->n_text += n_bytes;
    utf8_strip(job->text, job->n_text, &job->shown_begin, &job->shown_end);
    return true;
}

bool job_add_token(struct job *job, const struct omma_event *event)
{
    struct job_token *token;

    if (job->n_tokens == job->tokens_capacity) {
        size_t capacity = 2 * job->tokens_capacity + 64;
        struct job_token *grown = realloc(job->tokens, capacity * sizeof *grown);

        if (grown == NULL) {
            return false;
        }
        job->tokens = grown;
        job->tokens_capacity = capacity;
    }
    token = &job->tokens[job->n_tokens++];
    token->id = event->id;
    token->logprob = event->logprob;
    token->n_top = event->n_top_logprobs;
    memcpy(token->top, event->top_logprobs, event->n_top_logprobs * sizeof *token->top);
    return true;
}

static bool has_same_images(const struct job *one, const struct job *other)
{
    return one->n_images == other->n_images &&
           memcmp(one->digests, other->digests, one->n_images * sizeof *one->digests) == 0;
}

static bool has_same_stops(const struct job *one, const struct job *other)
{
    if (one->n_stops != other->n_stops) {
        return false;
    }
    for (size_t i = 0; i < one->n_stops; i++) {
        if (one->stops[i].n_bytes != other->stops[i].n_bytes ||
            memcmp(one->stops[i].text, other->stops[i].text, one->stops[i].n_bytes) != 0) {
            return false;
        }
    }
    return true;
}

static bool has_same_schema(const struct job *one, const struct job *other)
{
    return one->schema_text == NULL || other->schema_text == NULL
               ? one->schema_text == other->schema_text
               : strcmp(one->schema_text, other->schema_text) == 0;
}

bool job_is_same(const struct job *one, const struct job *other)
{
    return one->sampling.temperature == 0 && other->sampling.temperature == 0 &&
           one->sampling.repetition_penalty == other->sampling.repetition_penalty &&
           one->sampling.frequency_penalty == other->sampling.frequency_penalty &&
           one->sampling.presence_penalty == other->sampling.presence_penalty &&
           one->max_tokens == other->max_tokens &&
           one->ignores_stop_ids == other->ignores_stop_ids &&
           one->has_logprobs == other->has_logprobs &&
           one->n_top_logprobs == other->n_top_logprobs &&
           one->prompt.n_tokens == other->prompt.n_tokens &&
           memcmp(one->prompt.ids, other->prompt.ids,
                  one->prompt.n_tokens * sizeof *one->prompt.ids) == 0 &&
           has_same_images(one, other) && has_same_stops(one, other) && has_same_schema(one, other);
}

size_t job_common_prefix(const struct job *one, const struct job *other, int32_t context_id)
{
    size_t n = one->prompt.n_tokens < other->prompt.n_tokens ? one->prompt.n_tokens
                                                             : other->prompt.n_tokens;
    size_t n_images = 0, i;

    for (i = 0; i < n && one->prompt.ids[i] == other->prompt.ids[i]; i++) {
        bool begins_image =
            one->prompt.ids[i] == context_id && (i == 0 || one->prompt.ids[i - 1] != context_id);

        if (begins_image) {
            if (memcmp(one->digests[n_images], other->digests[n_images], sizeof *one->digests) !=
                0) {
                break;
            }
            n_images++;
        }
    }
    return i;
}
