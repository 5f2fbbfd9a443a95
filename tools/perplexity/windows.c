/* Window k goes to session k modulo their number, and is waited for when that is wanted again. */
#include "tools/perplexity/windows.h"

#include <math.h>
#include <stdlib.h>

enum { PASS_TOKENS = 512, MOST_SIDE_BY_SIDE = 8 };

enum omma_status perplexity_plan_make(size_t n_tokens, size_t context, size_t stride, size_t n_most,
                                      struct perplexity_plan *plan, struct omma_error *error)
{
    size_t window = context + stride / 2;

    if (stride >= window) {
        return fail(error, OMMA_STATUS_USAGE,
                    "--stride: expected less than the window of %zu tokens, found %zu", window,
                    stride);
    }
    if (n_tokens < 2 * window) {
        return fail(error, OMMA_STATUS_PROMPT,
                    "the text has %zu tokens: expected at least %zu, two windows (-c)", n_tokens,
                    2 * window);
    }
    *plan = (struct perplexity_plan){
        .n_tokens = n_tokens,
        .window = window,
        .distance = stride > 0 ? stride : window,
        .score_from = stride > 0 ? window - stride : window / 2 + 1,
        .n_windows = stride > 0 ? (n_tokens - window + stride - 1) / stride : n_tokens / window,
    };
    if (n_most > 0 && n_most < plan->n_windows) {
        plan->n_windows = n_most;
    }
    return OMMA_OK;
}

size_t perplexity_side_by_side(const struct perplexity_plan *plan)
{
    size_t n = PASS_TOKENS / plan->window + 1;

    n = n < MOST_SIDE_BY_SIDE ? n : MOST_SIDE_BY_SIDE;
    return n < plan->n_windows ? n : plan->n_windows;
}

static enum omma_status submit(struct omma_session *session, const int32_t *ids,
                               const struct perplexity_plan *plan, size_t window,
                               struct omma_error *error)
{
    const struct omma_request request = {
        .prompt_ids = ids + window * plan->distance,
        .n_prompt_ids = plan->window,
        .score_from = plan->score_from,
    };

    return omma_session_submit(session, &request, error);
}

static enum omma_status collect(struct omma_session *session, struct perplexity_sum *sum,
                                struct omma_error *error)
{
    struct omma_event event = {0};

    *sum = (struct perplexity_sum){0};
    while (event.type != OMMA_EVENT_DONE) {
        TRY(omma_session_poll(session, -1, &event, error));
        if (event.type == OMMA_EVENT_SCORE) {
            sum->n++;
            sum->nll -= (double)event.logprob;
            sum->squares += (double)event.logprob * (double)event.logprob;
        }
    }
    return OMMA_OK;
}

static enum omma_status score_all(struct omma_session **sessions, size_t n_sessions,
                                  const int32_t *ids, const struct perplexity_plan *plan,
                                  perplexity_fn each, void *user, struct omma_error *error)
{
    for (size_t i = 0; i < n_sessions; i++) {
        TRY(submit(sessions[i], ids, plan, i, error));
    }
    for (size_t i = 0; i < plan->n_windows; i++) {
        struct omma_session *session = sessions[i % n_sessions];
        struct perplexity_sum sum;

        TRY(collect(session, &sum, error));
        if (i + n_sessions < plan->n_windows) {
            TRY(submit(session, ids, plan, i + n_sessions, error));
        }
        TRY(each(user, i, &sum, error));
    }
    return OMMA_OK;
}

enum omma_status perplexity_run(struct omma_engine *engine, const int32_t *ids,
                                const struct perplexity_plan *plan, perplexity_fn each, void *user,
                                struct omma_error *error)
{
    const struct omma_session_options options = {.n_context = plan->window};
    struct omma_session *sessions[MOST_SIDE_BY_SIDE] = {NULL};
    size_t n_sessions = perplexity_side_by_side(plan);
    enum omma_status status = OMMA_OK;

    for (size_t i = 0; status == OMMA_OK && i < n_sessions; i++) {
        status = omma_session_create(engine, &options, &sessions[i], error);
    }
    if (status == OMMA_OK) {
        status = score_all(sessions, n_sessions, ids, plan, each, user, error);
    }
    for (size_t i = 0; i < n_sessions; i++) {
        omma_session_destroy(&sessions[i]);
    }
    return status;
}

double perplexity_mean(const struct perplexity_sum *sum)
{
    return sum->nll / (double)sum->n;
}

double perplexity_of(const struct perplexity_sum *sum)
{
    return exp(perplexity_mean(sum));
}

double perplexity_error(const struct perplexity_sum *sum)
{
    double mean = perplexity_mean(sum);
    double variance = sum->squares / (double)sum->n - mean * mean;

    return sum->n > 1 && variance > 0 ? sqrt(variance / (double)(sum->n - 1)) * perplexity_of(sum)
                                      : 0;
}
