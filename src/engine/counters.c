/* The counters of an engine, as its callers see them. */
#include "engine/counters.h"

#include "engine/engine.h"

void omma_engine_stats(const struct omma_engine *engine, struct omma_engine_stats *stats)
{
    const struct omma_counters *counters = &engine->counters;
    size_t n_active = atomic_load(&counters->n_active);
    size_t n_unfinished = atomic_load(&counters->n_unfinished);
    struct omma_kv_store_stats kv;

    omma_kv_store_stats(engine->kv_store, &kv);
    *stats = (struct omma_engine_stats){
        .n_active = n_active,
        .n_queued = n_unfinished > n_active ? n_unfinished - n_active : 0,
        .n_tiles_waiting = atomic_load(&counters->n_tiles_waiting),
        .kv_bytes = kv.n_bytes,
        .kv_granted_bytes = kv.n_granted_bytes,
        .n_kv_evicted = kv.n_evicted,
        .shared_tokens = kv.n_shared,
        .n_requests = atomic_load(&counters->n_requests),
        .n_refused = atomic_load(&counters->n_refused),
        .n_finished = atomic_load(&counters->n_finished),
        .n_cancelled = atomic_load(&counters->n_cancelled),
        .n_failed = atomic_load(&counters->n_failed),
        .prefilled_tokens = atomic_load(&counters->prefilled_tokens),
        .cached_tokens = atomic_load(&counters->cached_tokens),
        .decoded_tokens = atomic_load(&counters->decoded_tokens),
        .n_tiles = atomic_load(&counters->n_tiles),
        .cached_tiles = atomic_load(&counters->cached_tiles),
        .image_cache_bytes =
            engine->image_cache != NULL ? omma_image_cache_bytes(engine->image_cache) : 0,
        .n_passes = atomic_load(&counters->n_passes),
        .busy_s = 1e-9 * (double)atomic_load(&counters->busy_ns),
        .encode_s = 1e-9 * (double)atomic_load(&counters->encode_ns),
        .queue_s = 1e-9 * (double)atomic_load(&counters->queue_ns),
        .tile_queue_s = 1e-9 * (double)atomic_load(&counters->tile_queue_ns),
        .lent_to_vision_s = 1e-9 * (double)atomic_load(&counters->lent_to_vision_ns),
        .lent_to_language_s = 1e-9 * (double)atomic_load(&counters->lent_to_language_ns),
    };
}
