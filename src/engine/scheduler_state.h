/*
 * scheduler_state.h - what the scheduler's two files share: scheduler.c has requests and passes,
 * scheduler_tiles.c has pictures.
 */
#ifndef OMMA_ENGINE_SCHEDULER_STATE_H
#define OMMA_ENGINE_SCHEDULER_STATE_H

#include "engine/engine.h"
#include "engine/generation.h"

/* What a generation has of a pass. */
struct omma_pass_part {
    struct omma_generation *generation;
    size_t n_tokens;
};

struct omma_scheduler {
    struct omma_engine *engine;
    size_t max_batch, max_queue;

    struct omma_generation *first_arrived, *last_arrived; /* guarded by the engine's lock */

    /* the engine's thread alone */
    struct omma_generation *waiting; /* the next to become active first */
    struct omma_generation **active; /* [max_batch], in the order in which they became it */
    size_t n_active;
    uint64_t turn;
    bool goes_on;                            /* the next step can compute something */
    bool lacks_memory;                       /* for the first that waits, until one ends */
    struct omma_pass_part *parts;            /* [max_batch] of the pass at hand */
    struct omma_decoder_sequence *sequences; /* [max_batch] */
    size_t n_parts, n_rows;
    const float **visual; /* [max_rows] */
    float *positions;     /* [max_rows] */
    float *logits;        /* [max_batch][vocab] */
};

/* End an active generation: count it and tell its session. */
void omma_scheduler_end(struct omma_scheduler *scheduler, struct omma_generation *g,
                        enum omma_status status, enum omma_finish finish);

/* Hand out tiles and take those that are encoded; without a vision pool, encode one. */
void omma_scheduler_encode(struct omma_scheduler *scheduler);

/* Whether a's turn is before b's, which became active before it; a_turn, b_turn: their last ones.
 */
static inline bool omma_goes_before(const struct omma_generation *a, uint64_t a_turn,
                                    const struct omma_generation *b, uint64_t b_turn)
{
    return a->work.priority > b->work.priority ||
           (a->work.priority == b->work.priority && a_turn < b_turn);
}

#endif
