/*
 * kv_store.h - the KV caches of an engine: how much memory they may take together, and what they
 * hold of prompts that come.
 *
 * Keys and values of a session are a sequence.  Its addresses are reserved at once, each head's
 * positions in one run, as attention reads them; memory is granted in blocks of positions before a
 * request is begun, for all that it can need, so that none that was begun runs out of it.  What
 * requests leave is kept until its memory is asked for; the sequence unused for longest goes first.
 *
 * A store that shares gives a prompt the longest beginning that any sequence holds, and keeps those
 * whose sessions are gone.
 */
#ifndef OMMA_ENGINE_KV_STORE_H
#define OMMA_ENGINE_KV_STORE_H

#include "base/status.h"
#include "engine/work.h"
#include "model/language/kv_cache.h"
#include "platform/team.h"

/* Memory is granted by so many positions. */
enum { OMMA_KV_BLOCK = 128 };

struct omma_kv_sequence {
    struct omma_kv_cache cache;
    struct omma_slot *slots; /* [cache.capacity] */
    size_t n_cached;         /* positions that have keys and values */

    /* the store's */
    size_t n_granted; /* positions that have memory */
    uint64_t used;    /* when a request ended on it last */
    bool is_busy;     /* a request is computed on it */
    bool is_left;     /* its session is gone */
    struct omma_kv_sequence *next;
};

struct omma_kv_store;

struct omma_kv_store_stats {
    uint64_t n_bytes, n_granted_bytes; /* that all may take, and have */
    uint64_t n_evicted;                /* sequences that lost what they held to others */
    uint64_t n_shared;                 /* positions that were copied from others */
};

/* n_bytes: that all sequences may take. */
enum omma_status omma_kv_store_create(const struct omma_language_config *config,
                                      enum omma_dtype dtype, size_t n_bytes, bool shares,
                                      struct omma_kv_store **store, struct omma_error *error);

/* All sequences that are not left must have been removed. */
void omma_kv_store_destroy(struct omma_kv_store **store);

/* From any thread: a sequence for `capacity` positions, bound to the nodes of the team's threads.
 * OMMA_STATUS_USAGE if it could never have so many. */
enum omma_status omma_kv_store_add(struct omma_kv_store *store, size_t capacity,
                                   const struct omma_team *team, struct omma_kv_sequence **sequence,
                                   struct omma_error *error);

/* From any thread, of a sequence on which nothing is computed; NULL is none. */
void omma_kv_store_remove(struct omma_kv_store *store, struct omma_kv_sequence **sequence);

/* The engine's thread.  Memory for n positions, at most the capacity, with which the sequence is
 * busy until it is settled.  False if others that are busy have too much of it. */
bool omma_kv_store_grant(struct omma_kv_store *store, struct omma_kv_sequence *sequence, size_t n);

/* A request ended: give back what lies beyond the positions that are cached. */
void omma_kv_store_settle(struct omma_kv_store *store, struct omma_kv_sequence *sequence);

/* How many positions of a candidate a prompt begins with. */
typedef size_t (*omma_kv_match_fn)(const void *prompt, const struct omma_kv_sequence *candidate);

/* Between the two: let the sequence hold the longest beginning of the prompt that there is, and
 * nothing else; returns how many positions that are. */
size_t omma_kv_store_find(struct omma_kv_store *store, struct omma_kv_sequence *sequence,
                          omma_kv_match_fn match, const void *prompt);

/* From any thread; it waits for nobody. */
void omma_kv_store_stats(const struct omma_kv_store *store, struct omma_kv_store_stats *stats);

#endif
