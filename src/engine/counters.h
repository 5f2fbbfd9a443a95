/*
 * counters.h - what an engine counts while it works; atomic, so that whoever asks for them waits
 * for nobody (omma_engine_stats()).
 */
#ifndef OMMA_ENGINE_COUNTERS_H
#define OMMA_ENGINE_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct omma_counters {
    _Atomic uint64_t n_requests, n_refused, n_finished, n_cancelled, n_failed;
    _Atomic uint64_t prefilled_tokens, cached_tokens, decoded_tokens, n_tiles, cached_tiles,
        n_passes;
    _Atomic uint64_t busy_ns, encode_ns, queue_ns;
    _Atomic uint64_t tile_queue_ns, lent_to_vision_ns, lent_to_language_ns;
    _Atomic size_t n_unfinished, n_active, n_tiles_waiting;
};

static inline void omma_counters_add_seconds(_Atomic uint64_t *ns, double seconds)
{
    atomic_fetch_add(ns, (uint64_t)(seconds * 1e9));
}

#endif
