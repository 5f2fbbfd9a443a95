/*
 * A list under a lock.  Sequences that are busy are the engine's thread's; of the others only that
 * thread reads and evicts, with the lock held, so that a session can go meanwhile.
 */
#include "engine/kv_store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* Sequences that stay without a session: addresses are cheap, but not free. */
enum { MAX_LEFT = 64 };

struct omma_kv_store {
    struct omma_language_config config;
    enum omma_dtype dtype;
    size_t position_bytes, n_positions;
    bool shares;
    pthread_mutex_t lock; /* guards what follows, and sequences that are not busy */
    struct omma_kv_sequence *first;
    uint64_t clock;
    _Atomic size_t n_granted; /* these are read without it */
    _Atomic uint64_t n_evicted, n_shared;
};

enum omma_status omma_kv_store_create(const struct omma_language_config *config,
                                      enum omma_dtype dtype, size_t n_bytes, bool shares,
                                      struct omma_kv_store **store, struct omma_error *error)
{
    struct omma_kv_store *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a store of KV caches");
    }
    made->config = *config;
    made->dtype = dtype;
    made->shares = shares;
    made->position_bytes = omma_kv_cache_position_bytes(config, dtype);
    made->n_positions = n_bytes / made->position_bytes / OMMA_KV_BLOCK * OMMA_KV_BLOCK;
    pthread_mutex_init(&made->lock, NULL);
    *store = made;
    return OMMA_OK;
}

static void free_sequence(struct omma_kv_sequence *sequence)
{
    omma_kv_cache_fini(&sequence->cache);
    free(sequence->slots);
    free(sequence);
}

/* With the lock held, as are all up to the next part. */
static void unlink_and_free(struct omma_kv_store *store, struct omma_kv_sequence *sequence)
{
    struct omma_kv_sequence **at = &store->first;

    while (*at != sequence) {
        at = &(*at)->next;
    }
    *at = sequence->next;
    store->n_granted -= sequence->n_granted;
    free_sequence(sequence);
}

/* Keep memory for n positions alone. */
static void shrink(struct omma_kv_store *store, struct omma_kv_sequence *sequence, size_t n)
{
    size_t kept = omma_min(omma_round_up(n, OMMA_KV_BLOCK), sequence->n_granted);

    if (kept < sequence->n_granted) {
        omma_kv_cache_forget(&sequence->cache, kept);
        store->n_granted -= sequence->n_granted - kept;
        sequence->n_granted = kept;
    }
}

/* Of those that are not busy, and have memory, the one unused for longest; NULL: there is none. */
static struct omma_kv_sequence *oldest(const struct omma_kv_store *store,
                                       const struct omma_kv_sequence *spared, bool of_left)
{
    struct omma_kv_sequence *found = NULL;

    for (struct omma_kv_sequence *s = store->first; s != NULL; s = s->next) {
        if (s != spared && !s->is_busy && s->n_granted > 0 && (s->is_left || !of_left) &&
            (found == NULL || s->used < found->used)) {
            found = s;
        }
    }
    return found;
}

static void evict(struct omma_kv_store *store, struct omma_kv_sequence *sequence)
{
    store->n_evicted++;
    if (sequence->is_left) {
        unlink_and_free(store, sequence);
    } else {
        sequence->n_cached = 0;
        shrink(store, sequence, 0);
    }
}

static void limit_left(struct omma_kv_store *store)
{
    size_t n = 0;

    for (struct omma_kv_sequence *s = store->first; s != NULL; s = s->next) {
        n += s->is_left;
    }
    if (n > MAX_LEFT) {
        evict(store, oldest(store, NULL, true));
    }
}

/* ------------------------------------------------------------------------------------------------
 * Sessions come and go
 * --------------------------------------------------------------------------------------------- */

void omma_kv_store_destroy(struct omma_kv_store **store)
{
    if (*store == NULL) {
        return;
    }
    while ((*store)->first != NULL) {
        unlink_and_free(*store, (*store)->first);
    }
    pthread_mutex_destroy(&(*store)->lock);
    free(*store);
    *store = NULL;
}

enum omma_status omma_kv_store_add(struct omma_kv_store *store, size_t capacity,
                                   const struct omma_team *team, struct omma_kv_sequence **sequence,
                                   struct omma_error *error)
{
    struct omma_kv_sequence *made;
    enum omma_status status;

    if (capacity > store->n_positions) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "context: a KV cache of %zu tokens takes %.1f MB, expected at most %.1f "
                         "MB, which all together may take (%zu tokens)",
                         capacity, 1e-6 * (double)capacity * (double)store->position_bytes,
                         1e-6 * (double)store->n_positions * (double)store->position_bytes,
                         store->n_positions);
    }
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a KV cache");
    }
    made->slots = calloc(capacity, sizeof *made->slots);
    if (made->slots == NULL) {
        status = omma_fail_memory(error, capacity * sizeof *made->slots, "a KV cache");
        goto fail;
    }
    OMMA_TRY_OR(status, fail,
                omma_kv_cache_init(&store->config, store->dtype, capacity, &made->cache, error));
    omma_kv_cache_bind(&made->cache, team);
    pthread_mutex_lock(&store->lock);
    made->next = store->first;
    store->first = made;
    pthread_mutex_unlock(&store->lock);
    *sequence = made;
    return OMMA_OK;

fail:
    free(made->slots);
    free(made);
    return status;
}

void omma_kv_store_remove(struct omma_kv_store *store, struct omma_kv_sequence **sequence)
{
    struct omma_kv_sequence *gone = *sequence;

    if (gone == NULL) {
        return;
    }
    pthread_mutex_lock(&store->lock);
    if (store->shares && gone->n_cached > 0) {
        gone->is_left = true;
        limit_left(store);
    } else {
        unlink_and_free(store, gone);
    }
    pthread_mutex_unlock(&store->lock);
    *sequence = NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Requests begin and end
 * --------------------------------------------------------------------------------------------- */

bool omma_kv_store_grant(struct omma_kv_store *store, struct omma_kv_sequence *sequence, size_t n)
{
    size_t wanted = omma_round_up(n, OMMA_KV_BLOCK), more;
    struct omma_kv_sequence *victim;

    pthread_mutex_lock(&store->lock);
    more = wanted > sequence->n_granted ? wanted - sequence->n_granted : 0;
    while (store->n_granted + more > store->n_positions &&
           (victim = oldest(store, sequence, false)) != NULL) {
        evict(store, victim);
    }
    sequence->is_busy = store->n_granted + more <= store->n_positions;
    if (sequence->is_busy) {
        store->n_granted += more;
        sequence->n_granted += more;
    }
    pthread_mutex_unlock(&store->lock);
    return sequence->is_busy;
}

void omma_kv_store_settle(struct omma_kv_store *store, struct omma_kv_sequence *sequence)
{
    pthread_mutex_lock(&store->lock);
    shrink(store, sequence, sequence->n_cached);
    sequence->used = ++store->clock;
    sequence->is_busy = false;
    pthread_mutex_unlock(&store->lock);
}

/* Take positions from `begin` to `end` over from another sequence. */
static void copy_positions(const struct omma_kv_sequence *from, struct omma_kv_sequence *to,
                           size_t begin, size_t end)
{
    omma_kv_cache_copy(&from->cache, &to->cache, begin, end);
    memcpy(to->slots + begin, from->slots + begin, (end - begin) * sizeof *to->slots);
}

size_t omma_kv_store_find(struct omma_kv_store *store, struct omma_kv_sequence *sequence,
                          omma_kv_match_fn match, const void *prompt)
{
    size_t own = match(prompt, sequence), most = own;
    struct omma_kv_sequence *best = NULL;

    pthread_mutex_lock(&store->lock);
    for (struct omma_kv_sequence *s = store->first; s != NULL && store->shares; s = s->next) {
        size_t n = s != sequence ? omma_min(match(prompt, s), sequence->n_granted) : 0;

        if (n > most) {
            most = n;
            best = s;
        }
    }
    if (best != NULL) {
        copy_positions(best, sequence, own, most);
        store->n_shared += most - own;
    }
    sequence->n_cached = most;
    pthread_mutex_unlock(&store->lock);
    return most;
}

void omma_kv_store_stats(const struct omma_kv_store *store, struct omma_kv_store_stats *stats)
{
    *stats = (struct omma_kv_store_stats){
        .n_bytes = store->n_positions * store->position_bytes,
        .n_granted_bytes = atomic_load(&store->n_granted) * store->position_bytes,
        .n_evicted = atomic_load(&store->n_evicted),
        .n_shared = atomic_load(&store->n_shared),
    };
}
