/*
 * decoder.h - the Qwen2 decoder: tokens through all layers, keys and values into a session's cache.
 *
 * x = embedding or visual row; each layer x += O attention(RMSNorm x), x += down(silu(gate y) * up
 * y) with y = RMSNorm x; logits = lm_head RMSNorm x. Source: transformers' modeling_qwen2.py.
 */
#ifndef OMMA_LANGUAGE_DECODER_H
#define OMMA_LANGUAGE_DECODER_H

#include "api/omma.h"
#include "model/config.h"
#include "model/language/kv_cache.h"
#include "model/language/score.h"
#include "model/weights.h"
#include "platform/team.h"
#include "tensor/compute.h"

/* Weights bound to the memory of one pass. */
struct omma_decoder;

/* For passes of at most max_tokens tokens.  The pointers must outlive the decoder. */
enum omma_status omma_decoder_create(const struct omma_config *config,
                                     const struct omma_weights *weights,
                                     const struct omma_compute *compute, size_t max_tokens,
                                     struct omma_decoder **decoder, struct omma_error *error);
void omma_decoder_destroy(struct omma_decoder **decoder);

/* Logits are computed of so many scored tokens at a time. */
enum { OMMA_DECODER_SCORED_ROWS = 64 };

/* Tokens of a sequence whose next ones are known, to be scored by the logits that they get.  The
 * sequence's observer sees these too. */
struct omma_decoder_scores {
    size_t first, n;                 /* of the sequence's tokens in the pass; n 0: none */
    const int32_t *next;             /* [n] */
    float *logits;                   /* [OMMA_DECODER_SCORED_ROWS][vocab] */
    struct omma_token_score *scores; /* [n], of the next ones */
};

/* Consecutive tokens of one sequence: a part of its prompt, or the token generated last. */
struct omma_decoder_sequence {
    size_t n_tokens;            /* at least 1 */
    size_t n_cached;            /* tokens before them, in the cache */
    const int32_t *ids;         /* [n_tokens], below the rows of the embedding */
    const float *const *visual; /* [n_tokens]: a row [hidden] instead of the embedding, or NULL */
    const float *positions;     /* [n_tokens]: for RoPE, apart from the place in the cache */
    const float *inverse_frequency;       /* [head_dim / 2] */
    const struct omma_kv_cache *cache;    /* its own */
    float *partials;                      /* omma_attention_partials() of the cache's capacity */
    const struct omma_observer *observer; /* may be NULL */
    bool wants_logits;                    /* of its last token */
    struct omma_decoder_scores scored;
};

/*
 * One pass over the weights for all sequences, whose tokens are at most max_tokens together.
 *
 * A sequence gets what it would get alone but for the order of sums: products of up to 8 rows go
 * through the GEMV, more through the GEMM, and either gives a row the same bits whatever rows stand
 * beside it.  So the bits are the same while all sequences together have at most 8 tokens and it
 * has so alone, or while it has more than 8 alone.  With a kind other than OMMA_PASS_MIXED they are
 * always the same: tokens of prompts go through the GEMM, those of answers and all logits but
 * scored ones through the GEMV.  Scored ones always go through the GEMM.
 */
enum omma_pass_kind {
    OMMA_PASS_MIXED,
    OMMA_PASS_PROMPTS,
    OMMA_PASS_ANSWERS, /* one token of each sequence */
};

struct omma_decoder_pass {
    enum omma_pass_kind kind;
    const struct omma_decoder_sequence *sequences;
    size_t n_sequences; /* at least 1 */
    float *logits;      /* [sequences that want them][vocab], in their order; NULL if none does */
};

enum { OMMA_DECODER_ALL_FINITE = -1 };

/* By all threads; ends with a barrier. */
void omma_decoder_forward(struct omma_thread *self, struct omma_decoder *decoder,
                          const struct omma_decoder_pass *pass);

/* The first layer of the last pass after which a value was not finite, or OMMA_DECODER_ALL_FINITE.
 */
int omma_decoder_bad_layer(const struct omma_decoder *decoder);

/* Scratch that a thread needs. */
size_t omma_decoder_scratch_bytes(const struct omma_config *config);

#endif
