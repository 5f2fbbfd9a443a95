/*
 * A ring of slots, guarded by the engine's lock: `first` is the oldest that was not taken; tiles go
 * through it in order.  Pixels and tokens of a slot are the pool's thread's while it is running,
 * else the engine's thread's.
 */
#include "engine/vision_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "engine/engine.h"
#include "platform/clock.h"

enum { N_SLOTS = 4 };

enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_RUNNING, SLOT_DONE };

struct slot {
    enum slot_state state;
    const struct omma_generation *owner; /* NULL: nobody wants it any more */
    struct omma_generation *taker;       /* the same, to be handed back */
    struct omma_encoder_tile tile;
    struct omma_tile_key key;
    bool has_key, was_cached;
    struct omma_observer observer;
    uint8_t *pixels;
    float *tokens;
    double queued, begun, done; /* omma_clock_now() */
    double lent_s;
};

struct omma_vision_pool {
    struct omma_engine *engine;
    pthread_t thread;

    /* guarded by the engine's lock */
    struct slot slots[N_SLOTS];
    size_t first, n_used;
    size_t n_done; /* of the used ones, from the first on */
    bool is_started, is_stopping;
    enum omma_status start_status;
    struct omma_error start_error;

    /* the pool's thread alone */
    struct omma_encoder *encoder;
    struct omma_team *own, *all; /* the same where there is one thread */
    struct omma_team *last;      /* that ran */

    bool holds_slot; /* the engine's thread: the slot taken last is still read */
};

static struct slot *slot_at(struct omma_vision_pool *pool, size_t i)
{
    return &pool->slots[(pool->first + i) % N_SLOTS];
}

static enum omma_status create_team(const struct omma_vision_pool *pool, const size_t *threads,
                                    size_t n, struct omma_team **team, struct omma_error *error)
{
    const struct omma_engine *engine = pool->engine;
    struct omma_team_options options = {
        .n_threads = n,
        .scratch_bytes = omma_encoder_scratch_bytes(&engine->model->config),
        .of = engine->team,
        .of_threads = threads,
    };

    return omma_team_create(&options, team, error);
}

/* On the pool's thread: what only it uses. */
static enum omma_status set_up(struct omma_vision_pool *pool, struct omma_error *error)
{
    struct omma_engine *engine = pool->engine;
    const struct omma_thread_split *split = &engine->split;

    OMMA_TRY(omma_encoder_create(&engine->model->config, engine->weight_memory->weights,
                                 &engine->compute, &pool->encoder, error));
    OMMA_TRY(create_team(pool, split->vision, split->n_vision, &pool->own, error));
    if (split->n_vision == split->n_threads) {
        pool->all = pool->own;
        return OMMA_OK;
    }
    return create_team(pool, split->all, split->n_threads, &pool->all, error);
}

static void tear_down(struct omma_vision_pool *pool)
{
    if (pool->all != pool->own) {
        omma_team_destroy(&pool->all);
    }
    omma_team_destroy(&pool->own);
    omma_encoder_destroy(&pool->encoder);
}

struct stage {
    struct omma_encoder *encoder;
    size_t stage;
    const struct omma_encoder_tile *tile;
};

static void run_stage(struct omma_thread *self, void *argument)
{
    const struct stage *stage = argument;

    omma_encoder_stage(self, stage->encoder, stage->stage, stage->tile);
}

static bool is_wanted(const struct omma_vision_pool *pool, const struct slot *slot)
{
    bool wanted;

    pthread_mutex_lock(&pool->engine->lock);
    wanted = slot->owner != NULL && !pool->is_stopping;
    pthread_mutex_unlock(&pool->engine->lock);
    return wanted;
}

/* A tile through all stages, or until nobody wants it. */
static void run_stages(struct omma_vision_pool *pool, struct slot *slot)
{
    struct omma_cores *cores = &pool->engine->cores;
    struct stage call = {.encoder = pool->encoder, .tile = &slot->tile};
    size_t n_stages = omma_encoder_n_stages(pool->encoder);

    for (; call.stage < n_stages && is_wanted(pool, slot); call.stage++) {
        bool has_all = omma_cores_begin(cores, OMMA_SIDE_VISION, false);
        struct omma_team *team = has_all ? pool->all : pool->own;
        double start = omma_clock_now();

        if (team != pool->last) {
            omma_team_settle(team);
            pool->last = team;
        }
        omma_team_run(team, run_stage, &call);
        slot->lent_s += has_all ? omma_clock_now() - start : 0.0;
        omma_cores_end(cores, OMMA_SIDE_VISION);
    }
    if (call.stage == n_stages && slot->has_key) {
        omma_image_cache_store(pool->engine->image_cache, &slot->key, slot->tokens);
    }
}

static void encode(struct omma_vision_pool *pool, struct slot *slot)
{
    slot->begun = omma_clock_now();
    slot->lent_s = 0.0;
    slot->was_cached =
        slot->has_key && omma_image_cache_load(pool->engine->image_cache, &slot->key, slot->tokens);
    if (!slot->was_cached) {
        run_stages(pool, slot);
    }
    slot->done = omma_clock_now();
}

/* With the engine's lock held: wait for a tile that somebody wants; NULL: the pool stops. */
static struct slot *next_slot(struct omma_vision_pool *pool)
{
    struct omma_engine *engine = pool->engine;

    for (;;) {
        struct slot *slot = slot_at(pool, pool->n_done);

        if (pool->is_stopping) {
            return NULL;
        }
        if (pool->n_done == pool->n_used) {
            engine->cores.sides[OMMA_SIDE_VISION].has_work = false;
            pthread_cond_wait(&engine->changed, &engine->lock);
        } else if (slot->owner == NULL) {
            slot->state = SLOT_DONE;
            pool->n_done++;
            pthread_cond_broadcast(&engine->changed);
        } else {
            slot->state = SLOT_RUNNING;
            return slot;
        }
    }
}

static void *run_pool(void *argument)
{
    struct omma_vision_pool *pool = argument;
    struct omma_engine *engine = pool->engine;
    struct omma_error error = {0};
    enum omma_status status = set_up(pool, &error);
    struct slot *slot;

    pthread_mutex_lock(&engine->lock);
    pool->start_status = status;
    pool->start_error = error;
    pool->is_started = true;
    pthread_cond_broadcast(&engine->changed);
    while (status == OMMA_OK && (slot = next_slot(pool)) != NULL) {
        pthread_mutex_unlock(&engine->lock);
        encode(pool, slot);
        pthread_mutex_lock(&engine->lock);
        slot->state = SLOT_DONE;
        pool->n_done++;
        pthread_cond_broadcast(&engine->changed);
    }
    engine->cores.sides[OMMA_SIDE_VISION].has_work = false;
    pthread_mutex_unlock(&engine->lock);
    tear_down(pool);
    return NULL;
}

static enum omma_status take_slots(struct omma_vision_pool *pool, struct omma_error *error)
{
    const struct omma_config *config = &pool->engine->model->config;
    size_t side = config->vision.tile_size;
    size_t n_floats = config->tokens_per_tile * config->language.hidden;

    for (size_t i = 0; i < N_SLOTS; i++) {
        pool->slots[i].pixels = malloc(3 * side * side);
        pool->slots[i].tokens = malloc(n_floats * sizeof *pool->slots[i].tokens);
        if (pool->slots[i].pixels == NULL || pool->slots[i].tokens == NULL) {
            return omma_fail_memory(error, n_floats * sizeof(float), "a tile");
        }
    }
    return OMMA_OK;
}

static void free_pool(struct omma_vision_pool *pool)
{
    for (size_t i = 0; i < N_SLOTS; i++) {
        free(pool->slots[i].pixels);
        free(pool->slots[i].tokens);
    }
    free(pool);
}

static enum omma_status start(struct omma_vision_pool *pool, struct omma_error *error)
{
    struct omma_engine *engine = pool->engine;
    int failure = pthread_create(&pool->thread, NULL, run_pool, pool);

    if (failure != 0) {
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "cannot start the vision pool's thread: %s (limits: ulimit -u, ulimit -v)",
                         strerror(failure));
    }
    pthread_mutex_lock(&engine->lock);
    while (!pool->is_started) {
        pthread_cond_wait(&engine->changed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    if (pool->start_status != OMMA_OK) {
        pthread_join(pool->thread, NULL);
        return omma_fail(error, pool->start_status, "%s", pool->start_error.message);
    }
    return OMMA_OK;
}

enum omma_status omma_vision_pool_create(struct omma_engine *engine, struct omma_vision_pool **pool,
                                         struct omma_error *error)
{
    struct omma_vision_pool *made = calloc(1, sizeof *made);
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "the vision pool");
    }
    made->engine = engine;
    OMMA_TRY_OR(status, fail, take_slots(made, error));
    OMMA_TRY_OR(status, fail, start(made, error));
    *pool = made;
    return OMMA_OK;

fail:
    free_pool(made);
    return status;
}

void omma_vision_pool_destroy(struct omma_vision_pool **pool)
{
    struct omma_vision_pool *gone = *pool;

    if (gone == NULL) {
        return;
    }
    pthread_mutex_lock(&gone->engine->lock);
    gone->is_stopping = true;
    pthread_cond_broadcast(&gone->engine->changed);
    pthread_mutex_unlock(&gone->engine->lock);
    pthread_join(gone->thread, NULL);
    free_pool(gone);
    *pool = NULL;
}

/* Only the engine's thread changes n_used. */
bool omma_vision_pool_has_room(const struct omma_vision_pool *pool)
{
    return pool->n_used < N_SLOTS;
}

void omma_vision_pool_add(struct omma_vision_pool *pool, struct omma_generation *owner,
                          const struct omma_encoder_tile *tile, const struct omma_tile_key *key)
{
    struct slot *slot = slot_at(pool, pool->n_used); /* free: the engine's thread's */
    size_t side = pool->engine->model->config.vision.tile_size;

    memcpy(slot->pixels, tile->pixels, 3 * side * side);
    slot->observer = *tile->observer;
    slot->tile = (struct omma_encoder_tile){.pixels = slot->pixels,
                                            .index = tile->index,
                                            .observer = &slot->observer,
                                            .tokens = slot->tokens};
    slot->has_key = key != NULL;
    slot->key = key != NULL ? *key : (struct omma_tile_key){0};
    slot->queued = omma_clock_now();
    pthread_mutex_lock(&pool->engine->lock);
    slot->owner = slot->taker = owner;
    slot->state = SLOT_QUEUED;
    pool->n_used++;
    pool->engine->cores.sides[OMMA_SIDE_VISION].has_work = true;
    pthread_cond_broadcast(&pool->engine->changed);
    pthread_mutex_unlock(&pool->engine->lock);
}

/* With the engine's lock held: give the first slot back. */
static void free_first(struct omma_vision_pool *pool)
{
    slot_at(pool, 0)->state = SLOT_FREE;
    pool->first = (pool->first + 1) % N_SLOTS;
    pool->n_used--;
    pool->n_done--;
}

bool omma_vision_pool_take(struct omma_vision_pool *pool, struct omma_encoded_tile *encoded)
{
    struct slot *slot = NULL;

    pthread_mutex_lock(&pool->engine->lock);
    if (pool->holds_slot) {
        free_first(pool);
        pool->holds_slot = false;
    }
    while (pool->n_done > 0 && slot_at(pool, 0)->owner == NULL) {
        free_first(pool);
    }
    if (pool->n_done > 0) {
        slot = slot_at(pool, 0);
        pool->holds_slot = true;
    }
    pthread_mutex_unlock(&pool->engine->lock);
    if (slot != NULL) {
        *encoded = (struct omma_encoded_tile){
            .owner = slot->taker,
            .tokens = slot->tokens,
            .was_cached = slot->was_cached,
            .queue_s = slot->begun - slot->queued,
            .encode_s = slot->done - slot->begun,
            .lent_s = slot->lent_s,
        };
    }
    return slot != NULL;
}

void omma_vision_pool_abandon(struct omma_vision_pool *pool, const struct omma_generation *owner)
{
    pthread_mutex_lock(&pool->engine->lock);
    for (size_t i = 0; i < pool->n_used; i++) {
        struct slot *slot = slot_at(pool, i);

        if (slot->owner == owner) {
            slot->owner = NULL;
            while (slot->state == SLOT_RUNNING && slot->observer.rows != NULL) {
                pthread_cond_wait(&pool->engine->changed, &pool->engine->lock);
            }
        }
    }
    pthread_mutex_unlock(&pool->engine->lock);
}

bool omma_vision_pool_has_news(const struct omma_vision_pool *pool)
{
    return pool->n_done > 0;
}
