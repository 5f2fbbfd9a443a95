/*
 * sampler.h - logits to the next token, in this order: penalties (over generated tokens only),
 * temperature, top-k, top-p, min-p, draw.
 */
#ifndef OMMA_LANGUAGE_SAMPLER_H
#define OMMA_LANGUAGE_SAMPLER_H

#include "api/omma.h"

struct omma_sampler; /* one request */

/* Range-checks sampling.  vocab: logits a step. */
enum omma_status omma_sampler_create(const struct omma_sampling *sampling, size_t vocab,
                                     struct omma_sampler **sampler, struct omma_error *error);
void omma_sampler_destroy(struct omma_sampler **sampler);

/* Choose tokens only that keep the answer to the schema, which must outlive the sampler; before any
 * token was accepted. */
enum omma_status omma_sampler_constrain(struct omma_sampler *sampler,
                                        const struct omma_schema *schema, struct omma_error *error);

/* Choose from logits [vocab], which are not changed.  *margin: the chosen logit less the best other
 * one, before any processing.  Greedy takes the lowest id among equals.  A non-finite logit gives
 * OMMA_STATUS_INTERNAL.  The draw depends on the seed and the number of tokens accepted, nothing
 * else. */
enum omma_status omma_sampler_choose(struct omma_sampler *sampler, const float *logits, int32_t *id,
                                     float *margin, struct omma_error *error);

/* Log-probabilities of an id and, into top[n_top] with n_top <= vocab, of the likeliest: logit less
 * the logarithm of the sum of all exp(logit), in double.  logits [vocab] are finite. */
float omma_logprob_of(const float *logits, size_t vocab, int32_t id, struct omma_logprob *top,
                      size_t n_top);

/* Note a token as generated: the chosen one, or a forced one. */
enum omma_status omma_sampler_accept(struct omma_sampler *sampler, int32_t id,
                                     struct omma_error *error);

#endif
