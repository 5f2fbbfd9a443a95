/*
 * vision_pool.h - tiles are encoded by threads of their own, while the language model computes.
 *
 * The scheduler hands tiles over one by one (a few lie ready) and takes their visual tokens when
 * they are there, both on the engine's thread and without waiting.  A tile is copied, so that the
 * request it belongs to can end at any time: it is then dropped at the next layer.
 *
 * The pool's thread is the caller of two teams: one on its own cores, one on all (cores.h).
 */
#ifndef OMMA_ENGINE_VISION_POOL_H
#define OMMA_ENGINE_VISION_POOL_H

#include "api/omma.h"
#include "base/status.h"
#include "engine/image_cache.h"
#include "model/vision/encoder.h"

struct omma_generation;
struct omma_vision_pool;

/* Of an engine with info.n_vision_threads.  On the engine's thread, as are all but the last. */
enum omma_status omma_vision_pool_create(struct omma_engine *engine, struct omma_vision_pool **pool,
                                         struct omma_error *error);

/* Drops what is in it and waits for the thread. */
void omma_vision_pool_destroy(struct omma_vision_pool **pool);

bool omma_vision_pool_has_room(const struct omma_vision_pool *pool);

/* Queue a tile for which there is room; tile->tokens is not used.  With a key the image cache's
 * folder is asked first and gets what was encoded; NULL: not. */
void omma_vision_pool_add(struct omma_vision_pool *pool, struct omma_generation *owner,
                          const struct omma_encoder_tile *tile, const struct omma_tile_key *key);

/* What became of a tile. */
struct omma_encoded_tile {
    struct omma_generation *owner;
    const float *tokens; /* [tokens_per_tile][hidden]: until the next call */
    bool was_cached;     /* in the image cache's folder */
    double queue_s;      /* that it waited */
    double encode_s;     /* until it was encoded */
    double lent_s;       /* of these with all cores */
};

/* The tile that was queued first of those left; false if it is not encoded yet. */
bool omma_vision_pool_take(struct omma_vision_pool *pool, struct omma_encoded_tile *encoded);

/* Forget an owner's tiles.  Its observer is not called any more when this returns. */
void omma_vision_pool_abandon(struct omma_vision_pool *pool, const struct omma_generation *owner);

/* With the engine's lock held: whether omma_vision_pool_take() would have something. */
bool omma_vision_pool_has_news(const struct omma_vision_pool *pool);

#endif
