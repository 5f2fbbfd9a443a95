/*
 * session.h - one conversation: what its KV cache holds, and what is told of the request that runs
 * on it (generation.h).
 */
#ifndef OMMA_ENGINE_SESSION_H
#define OMMA_ENGINE_SESSION_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/events.h"
#include "engine/kv_store.h"

struct omma_session {
    struct omma_engine *engine;
    size_t n_context;
    struct omma_events events;
    atomic_bool cancelled;

    /* the caller's side; a request is active from submit until its last event is taken */
    bool is_active;

    /* the engine's thread while a request is active, else the caller */
    struct omma_kv_sequence *kv; /* for n_context positions */
    float *partials;             /* omma_attention_partials() of n_context */

    /* written before the last event, read after it was taken */
    enum omma_status end_status;
    struct omma_error end_error;
};

#endif
