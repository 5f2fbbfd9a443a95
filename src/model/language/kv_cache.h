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

struct omma_kv_cache {
    enum omma_dtype dtype; /* bf16 or f32 */
    size_t n_layers, n_kv_heads, head_dim;
    size_t capacity; /* positions */
    char *data;
    size_t n_bytes;
};

enum omma_status omma_kv_cache_init(const struct omma_language_config *config,
                                    enum omma_dtype dtype, size_t capacity,
                                    struct omma_kv_cache *cache, struct omma_error *error);
void omma_kv_cache_fini(struct omma_kv_cache *cache);

/* [capacity][head_dim] of a layer's key head 0; the next head is capacity * head_dim elements on.
 */
void *omma_kv_cache_keys(const struct omma_kv_cache *cache, size_t layer);
void *omma_kv_cache_values(const struct omma_kv_cache *cache, size_t layer);

#endif
