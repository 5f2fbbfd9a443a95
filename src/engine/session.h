/*
 * session.h - one conversation: what its KV cache holds, and the request that runs on it.
 */
#ifndef OMMA_ENGINE_SESSION_H
#define OMMA_ENGINE_SESSION_H

#include <stdatomic.h>

#include "base/arena.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "model/language/kv_cache.h"

/* What stands at a position of the cache.  Equal slots have equal keys and values, if all before
 * them are equal too. */
struct omma_slot {
    uint64_t content;   /* the id, or for a visual token its picture's digest and place */
    size_t rope_length; /* omma_rope_length() under which the key was rotated */
};

/* A picture's place in a prompt. */
struct omma_image_span {
    const struct omma_image *image;
    size_t first; /* position of its first visual token */
    size_t n_tokens;
    size_t first_tile; /* over all pictures of the request */
};

/* A request, copied; lives in its arena. */
struct omma_work {
    struct omma_arena arena;
    const int32_t *prompt;
    size_t n_prompt;
    struct omma_image_span *images;
    size_t n_images, n_image_tokens;
    size_t max_new_tokens;
    struct omma_sampling sampling;
    const struct omma_stop *stops;
    size_t n_stops;
    bool ignore_stop_ids;
    const int32_t *forced;
    size_t n_forced;
    struct omma_observer observer;
    double submitted; /* omma_clock_now() */
};

struct omma_session {
    struct omma_engine *engine;
    size_t n_context;
    struct omma_events events;
    atomic_bool cancelled;

    /* the caller's side; a request is active from submit until its last event is taken */
    bool is_active;

    /* the engine's thread while a request is active, else the caller */
    struct omma_work work;
    struct omma_job job;
    struct omma_kv_cache cache;
    struct omma_slot *slots; /* [n_context] */
    size_t n_cached;         /* slots that the cache holds */
    float *partials;         /* omma_attention_partials() of n_context */

    /* written before the last event, read after it was taken */
    enum omma_status end_status;
    struct omma_error end_error;
};

/* On the engine's thread: run session->work to its end, which the last event reports. */
void omma_generation_run(struct omma_engine *engine, void *session);

/* Copy and check a request: ids, places of pictures, whether it fits the context.  On failure work
 * is empty. */
enum omma_status omma_work_prepare(const struct omma_session *session,
                                   const struct omma_request *request, struct omma_work *work,
                                   struct omma_error *error);

/* The slot of position i of a prompt, rotated under rope_length. */
struct omma_slot omma_work_slot(const struct omma_work *work, size_t i, size_t rope_length);

#endif
