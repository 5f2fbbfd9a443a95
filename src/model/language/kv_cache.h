/*
 * kv_cache.h - keys and values of a session, [layer][k, v][kv head][position][head_dim].
 *
 * The memory is reserved at once and taken page by page as positions are written.
 */
#ifndef OMMA_LANGUAGE_KV_CACHE_H
#define OMMA_LANGUAGE_KV_CACHE_H

#include "base/dtype.h"
#include "base/status.h"
#include "model/config.h"
#include "platform/team.h"

struct omma_kv_cache {
    enum omma_dtype dtype; /* bf16 or f32 */
    size_t n_layers, n_kv_heads, head_dim;
    size_t capacity; /* positions */
    char *data;
    size_t n_bytes;
};

/* Bytes that a position takes in all layers. */
size_t omma_kv_cache_position_bytes(const struct omma_language_config *config,
                                    enum omma_dtype dtype);

enum omma_status omma_kv_cache_init(const struct omma_language_config *config,
                                    enum omma_dtype dtype, size_t capacity,
                                    struct omma_kv_cache *cache, struct omma_error *error);
void omma_kv_cache_fini(struct omma_kv_cache *cache);

/* The thread of n_threads that reads most of a head's keys and values in decoding: key heads, and
 * in them blocks of keys, are dealt out in order (tensor/attention_decode.h). */
size_t omma_kv_cache_reader(const struct omma_kv_cache *cache, size_t head, size_t n_threads);

/* Let the pages of each head come from the node of that thread, where there are several nodes and
 * binding is permitted.  Before anything is written. */
void omma_kv_cache_bind(const struct omma_kv_cache *cache, const struct omma_team *team);

/* Give back the memory of positions from n_kept on; pages that positions before have too stay. */
void omma_kv_cache_forget(const struct omma_kv_cache *cache, size_t n_kept);

/* Copy the positions from begin to end to a cache of the same model, dtype and at least as large.
 */
void omma_kv_cache_copy(const struct omma_kv_cache *from, const struct omma_kv_cache *to,
                        size_t begin, size_t end);

/* [capacity][head_dim] of a layer's key head 0; the next head is capacity * head_dim elements on.
 */
void *omma_kv_cache_keys(const struct omma_kv_cache *cache, size_t layer);
void *omma_kv_cache_values(const struct omma_kv_cache *cache, size_t layer);

#endif
