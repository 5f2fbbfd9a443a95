/*
 * score.h - what a row of logits says of the token that comes next in a text that is known.
 */
#ifndef OMMA_LANGUAGE_SCORE_H
#define OMMA_LANGUAGE_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.h"

struct omma_token_score {
    float logprob; /* natural, among all vocab logits; not finite if one of these is NaN or +inf */
    float margin;  /* the token's logit less the best other one */
};

/* Of logits [vocab], which are used up; id < vocab, vocab > 1. */
struct omma_token_score omma_token_score_of(const struct omma_kernels *kernels, size_t vocab,
                                            float *logits, int32_t id);

#endif
