/* Which tile is encoded when, and where its tokens come from: the image cache, the vision pool, or
 * all threads between two passes. */
#include "base/checked.h"
#include "engine/scheduler_state.h"
#include "platform/clock.h"

/* Under which the image cache is asked for a tile; NULL: it is not. */
static const struct omma_tile_key *cache_key(const struct omma_scheduler *scheduler,
                                             const struct omma_generation *g,
                                             const struct omma_generation_tile *tile)
{
    return scheduler->engine->image_cache != NULL && g->work.observer.rows == NULL ? &tile->key
                                                                                   : NULL;
}

/* Whether g's next tile will soon be in the image cache: it is being encoded for another one, or
 * is there already and stands behind one that is being encoded. */
static bool waits_for_tile(const struct omma_scheduler *scheduler, const struct omma_generation *g)
{
    const struct omma_tile_key *key = cache_key(scheduler, g, omma_generation_next_tile(g));

    if (key == NULL) {
        return false;
    }
    for (size_t i = 0; i < scheduler->n_active; i++) {
        if (scheduler->active[i] != g && omma_generation_is_encoding(scheduler->active[i], key)) {
            return true;
        }
    }
    return g->n_taken > g->n_encoded &&
           omma_image_cache_find(scheduler->engine->image_cache, key) != NULL;
}

/* The generation whose tile is next; NULL: there is none. */
static struct omma_generation *next_with_tile(const struct omma_scheduler *scheduler)
{
    struct omma_generation *best = NULL;

    for (size_t i = 0; i < scheduler->n_active; i++) {
        struct omma_generation *g = scheduler->active[i];

        if (omma_generation_next_tile(g) != NULL && !waits_for_tile(scheduler, g) &&
            (best == NULL || omma_goes_before(g, g->tile_turn, best, best->tile_turn))) {
            best = g;
        }
    }
    return best;
}

static const struct omma_generation_tile *take_tile(struct omma_scheduler *scheduler,
                                                    struct omma_generation *g)
{
    g->tile_turn = ++scheduler->turn;
    return omma_generation_take_tile(g);
}

/* Note that the first tile that g took was encoded, or was_cached. */
static void tile_done(struct omma_scheduler *scheduler, struct omma_generation *g,
                      const float *tokens, bool was_cached, double seconds)
{
    struct omma_counters *counters = &scheduler->engine->counters;
    const struct omma_generation_tile *tile = &g->tiles[g->n_encoded];
    enum omma_status status;

    omma_counters_add_seconds(&counters->encode_ns, seconds);
    atomic_fetch_add(was_cached ? &counters->cached_tiles : &counters->n_tiles, 1);
    atomic_fetch_sub(&counters->n_tiles_waiting, 1);
    status = omma_generation_tile_done(g, tokens, was_cached, seconds, &g->session->end_error);
    if (scheduler->engine->image_cache != NULL) {
        omma_image_cache_add(scheduler->engine->image_cache, &tile->key, tile->tile.tokens);
    }
    if (status != OMMA_OK) {
        omma_scheduler_end(scheduler, g, status, OMMA_FINISH_ERROR);
    }
}

/* Tiles from memory, but for those whose stages somebody watches.  Tiles of one generation are done
 * in their order, so none overtakes one that is being encoded. */
static void take_cached_tiles(struct omma_scheduler *scheduler)
{
    struct omma_image_cache *cache = scheduler->engine->image_cache;
    const struct omma_generation_tile *tile;
    const float *tokens;

    for (size_t i = scheduler->n_active; cache != NULL && i-- > 0;) {
        struct omma_generation *g = scheduler->active[i];
        size_t n_before = scheduler->n_active;

        while (n_before == scheduler->n_active && g->n_taken == g->n_encoded &&
               g->work.observer.rows == NULL && (tile = omma_generation_next_tile(g)) != NULL &&
               (tokens = omma_image_cache_find(cache, &tile->key)) != NULL) {
            omma_generation_take_tile(g);
            tile_done(scheduler, g, tokens, true, 0.0);
        }
    }
}

struct tile_pass {
    struct omma_encoder *encoder;
    const struct omma_encoder_tile *tile;
};

static void run_tile(struct omma_thread *self, void *argument)
{
    const struct tile_pass *pass = argument;

    omma_encoder_tile(self, pass->encoder, pass->tile);
}

/* Without a pool: encode a tile, if there is one. */
static void encode_here(struct omma_scheduler *scheduler)
{
    struct omma_engine *engine = scheduler->engine;
    struct omma_generation *g = next_with_tile(scheduler);
    double start = omma_clock_now();
    struct tile_pass pass;
    const struct omma_generation_tile *tile;
    const struct omma_tile_key *key;
    bool was_cached;
    enum omma_status status;

    if (g == NULL) {
        return;
    }
    status = omma_engine_encoder(engine, &pass.encoder, &g->session->end_error);
    if (status != OMMA_OK) {
        omma_scheduler_end(scheduler, g, status, OMMA_FINISH_ERROR);
        return;
    }
    tile = take_tile(scheduler, g);
    pass.tile = &tile->tile;
    key = cache_key(scheduler, g, tile);
    was_cached = key != NULL && omma_image_cache_load(engine->image_cache, key, pass.tile->tokens);
    if (!was_cached) {
        omma_team_run(engine->team, run_tile, &pass);
        if (key != NULL) {
            omma_image_cache_store(engine->image_cache, key, pass.tile->tokens);
        }
    }
    tile_done(scheduler, g, NULL, was_cached, omma_clock_now() - start);
}

/* Take what the pool has encoded. */
static void collect_tiles(struct omma_scheduler *scheduler)
{
    struct omma_engine *engine = scheduler->engine;
    struct omma_encoded_tile encoded;

    while (engine->pool != NULL && omma_vision_pool_take(engine->pool, &encoded)) {
        omma_counters_add_seconds(&scheduler->engine->counters.tile_queue_ns, encoded.queue_s);
        omma_counters_add_seconds(&scheduler->engine->counters.lent_to_vision_ns,
                                  encoded.lent_s *
                                      (double)(engine->split.n_threads - engine->split.n_vision));
        tile_done(scheduler, encoded.owner, encoded.tokens, encoded.was_cached, encoded.encode_s);
    }
}

/* Give the pool tiles as long as it has room. */
static void hand_out_tiles(struct omma_scheduler *scheduler)
{
    struct omma_generation *g;

    while ((g = next_with_tile(scheduler)) != NULL) {
        struct omma_vision_pool *pool;
        enum omma_status status =
            omma_engine_pool(scheduler->engine, &pool, &g->session->end_error);

        if (status != OMMA_OK) {
            omma_scheduler_end(scheduler, g, status, OMMA_FINISH_ERROR);
        } else if (omma_vision_pool_has_room(pool)) {
            const struct omma_generation_tile *tile = take_tile(scheduler, g);

            omma_vision_pool_add(pool, g, &tile->tile, cache_key(scheduler, g, tile));
        } else {
            break;
        }
    }
}

void omma_scheduler_encode(struct omma_scheduler *scheduler)
{
    if (scheduler->engine->info.n_vision_threads == 0) {
        take_cached_tiles(scheduler);
        encode_here(scheduler);
    } else {
        collect_tiles(scheduler);
        take_cached_tiles(scheduler);
        hand_out_tiles(scheduler);
    }
}
