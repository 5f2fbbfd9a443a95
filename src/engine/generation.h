/*
 * generation.h - a request on its way from prompt to end, as a state that the scheduler moves.
 *
 *   queued    nothing was computed
 *   prompt    its tiles are encoded, one by one; its tokens are computed, chunk by chunk, the last
 *             one giving logits
 *   answer    a token is known that is not in the cache yet; each pass takes it and gives the next
 *   ended     by a stop or a limit
 *
 * The cache stays true to session->kv->slots at every moment, so that a request that is cancelled
 * or fails leaves a session that goes on.
 */
#ifndef OMMA_ENGINE_GENERATION_H
#define OMMA_ENGINE_GENERATION_H

#include "engine/image_cache.h"
#include "engine/session.h"
#include "engine/work.h"
#include "model/language/decoder.h"
#include "model/language/sampler.h"
#include "model/language/text_decoder.h"
#include "model/vision/encoder.h"
#include "tensor/rope.h"

enum omma_generation_stage {
    OMMA_GENERATION_QUEUED,
    OMMA_GENERATION_PROMPT,
    OMMA_GENERATION_ANSWER,
    OMMA_GENERATION_ENDED,
};

/* A tile to be encoded. */
struct omma_generation_tile {
    struct omma_encoder_tile tile; /* index: over all pictures of the request */
    struct omma_tile_key key;
    size_t first; /* position of its first token in the prompt */
};

/* Made by the thread that submits it, then the engine's thread's alone. */
struct omma_generation {
    struct omma_engine *engine;
    struct omma_session *session;
    struct omma_work work;
    enum omma_generation_stage stage;

    /* the scheduler's */
    struct omma_generation *next;
    uint64_t turn, tile_turn; /* when a chunk, or a tile, of it was computed last */
    bool is_planned;

    struct omma_rope rope;
    float *inverse_frequency; /* [head_dim / 2] */
    size_t rope_length;       /* of the prompt */
    float *visual;            /* [n_image_tokens][hidden] of the tiles encoded, NULL: none */
    struct omma_generation_tile *tiles; /* [n_tiles], in their order in the prompt */
    size_t n_tiles, n_taken, n_encoded;
    struct omma_sampler *sampler;
    struct omma_text_decoder *decoder;
    int32_t next_id;     /* of the answer, not cached yet */
    float *score_logits; /* [OMMA_DECODER_SCORED_ROWS][vocab]; NULL: nothing is scored */
    struct omma_token_score *scores; /* [prefill_chunk]: of the pass at hand */

    double stage_start; /* of encoding, computing the prompt, the answer */
    enum omma_finish finish;
    struct omma_usage usage;
    struct omma_timings timings;
};

/* OMMA_STATUS_USAGE, _PROMPT or _IMAGE for a request that cannot be computed. */
enum omma_status omma_generation_create(struct omma_session *session,
                                        const struct omma_request *request,
                                        struct omma_generation **generation,
                                        struct omma_error *error);
void omma_generation_destroy(struct omma_generation **generation);

/* Positions of the KV cache that it can need at most. */
size_t omma_generation_positions(const struct omma_generation *g);

/* Leave the queue, with memory granted for those: find what the store holds of the prompt, and the
 * tiles that are to be encoded. */
enum omma_status omma_generation_begin(struct omma_generation *g, struct omma_error *error);

/* The next tile that was not taken yet, NULL: none; and take it.  They are encoded in this order.
 */
const struct omma_generation_tile *omma_generation_next_tile(const struct omma_generation *g);
const struct omma_generation_tile *omma_generation_take_tile(struct omma_generation *g);

/* Whether a tile of this key was taken and is not done. */
bool omma_generation_is_encoding(const struct omma_generation *g, const struct omma_tile_key *key);

/* The first of those taken was encoded in so many seconds, or was_cached; tokens: what became of
 * it, or NULL if they are in their place. */
enum omma_status omma_generation_tile_done(struct omma_generation *g, const float *tokens,
                                           bool was_cached, double seconds,
                                           struct omma_error *error);

/* Tokens that the next pass can take, `most` at most: of the prompt up to the first tile that is
 * not encoded, or the answer's last. */
size_t omma_generation_next_tokens(const struct omma_generation *g, size_t most);

/* Describe n of them for a pass; visual[n] and positions[n] are filled in and belong to it. */
void omma_generation_sequence(struct omma_generation *g, size_t n, const float **visual,
                              float *positions, struct omma_decoder_sequence *sequence);

/* They were computed; logits [vocab] if the sequence wanted them, from which the next token is
 * chosen.  May end the generation. */
enum omma_status omma_generation_computed(struct omma_generation *g, size_t n, const float *logits,
                                          struct omma_error *error);

/* The end: report it in the last event, and destroy the generation.  status and finish:
 * OMMA_FINISH_ERROR with the error in session->end_error, or as it came about.  The session may be
 * gone when this returns. */
void omma_generation_end(struct omma_generation **generation, enum omma_status status,
                         enum omma_finish finish);

#endif
