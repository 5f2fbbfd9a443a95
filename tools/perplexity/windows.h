/*
 * windows.h - a text's tokens cut into windows, and how likely the model finds them.
 *
 * As llama.cpp's llama-perplexity counts them, at the commit 050fc7f of tools/perplexity: windows
 * of `context` tokens stand one behind the other, what is left at the end is not used, and of each
 * the tokens behind the first context / 2 + 1 are scored, so that every one has half a window
 * before it.  With a stride, windows of context + stride / 2 tokens begin every `stride` tokens,
 * and of each the last `stride` tokens are scored.  No token is put before a window: Qwen2 has none
 * that begins a text.
 */
#ifndef OMMA_TOOLS_PERPLEXITY_WINDOWS_H
#define OMMA_TOOLS_PERPLEXITY_WINDOWS_H

#include "tools/message.h"
#include "tools/status.h"

enum { PERPLEXITY_LEAST_CONTEXT = 4 };

struct perplexity_plan {
    size_t n_tokens;   /* of the text */
    size_t window;     /* tokens */
    size_t distance;   /* from one window's first token to the next one's */
    size_t score_from; /* in a window */
    size_t n_windows;
};

/* Negative log-likelihoods of scored tokens, natural: their sum and that of their squares. */
struct perplexity_sum {
    size_t n;
    double nll, squares;
};

/* stride 0: none.  n_most 0: as many windows as there are.  OMMA_STATUS_USAGE for a stride that no
 * window holds, OMMA_STATUS_PROMPT for a text of fewer tokens than two windows. */
enum omma_status perplexity_plan_make(size_t n_tokens, size_t context, size_t stride, size_t n_most,
                                      struct perplexity_plan *plan, struct omma_error *error);

/* Windows that the engine computes side by side: enough to fill its passes, and never none
 * waiting. */
size_t perplexity_side_by_side(const struct perplexity_plan *plan);

/* A window was scored; they come in their order. */
typedef enum omma_status (*perplexity_fn)(void *user, size_t window,
                                          const struct perplexity_sum *sum,
                                          struct omma_error *error);

enum omma_status perplexity_run(struct omma_engine *engine, const int32_t *ids,
                                const struct perplexity_plan *plan, perplexity_fn each, void *user,
                                struct omma_error *error);

/* The mean, exp of it, and what the mean's standard error makes of that: 0 for a single token. */
double perplexity_mean(const struct perplexity_sum *sum);
double perplexity_of(const struct perplexity_sum *sum);
double perplexity_error(const struct perplexity_sum *sum);

#endif
