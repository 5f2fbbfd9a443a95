/* One anonymous mapping a session. */
#include "model/language/kv_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

enum omma_status omma_kv_cache_init(const struct omma_language_config *config,
                                    enum omma_dtype dtype, size_t capacity,
                                    struct omma_kv_cache *cache, struct omma_error *error)
{
    size_t n_bytes = 2 * omma_dtype_bytes(dtype);
    void *data;

    if (!omma_checked_multiply(n_bytes, config->n_layers, &n_bytes) ||
        !omma_checked_multiply(n_bytes, config->n_kv_heads * config->head_dim, &n_bytes) ||
        !omma_checked_multiply(n_bytes, capacity, &n_bytes)) {
        return omma_fail(error, OMMA_STATUS_RESOURCES, "KV cache of %zu tokens overflows",
                         capacity);
    }
    data = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
    if (data == MAP_FAILED) {
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "cannot reserve %zu bytes for the KV cache of %zu tokens: %s (limit: "
                         "ulimit -v)",
                         n_bytes, capacity, strerror(errno));
    }
    *cache = (struct omma_kv_cache){.dtype = dtype,
                                    .n_layers = config->n_layers,
                                    .n_kv_heads = config->n_kv_heads,
                                    .head_dim = config->head_dim,
                                    .capacity = capacity,
                                    .data = data,
                                    .n_bytes = n_bytes};
    return OMMA_OK;
}

void omma_kv_cache_fini(struct omma_kv_cache *cache)
{
    if (cache->data != NULL) {
        munmap(cache->data, cache->n_bytes);
        cache->data = NULL;
    }
}

static void *plane(const struct omma_kv_cache *cache, size_t index)
{
    return cache->data + index * cache->n_kv_heads * cache->capacity * cache->head_dim *
                             omma_dtype_bytes(cache->dtype);
}

void *omma_kv_cache_keys(const struct omma_kv_cache *cache, size_t layer)
{
    return plane(cache, 2 * layer);
}

void *omma_kv_cache_values(const struct omma_kv_cache *cache, size_t layer)
{
    return plane(cache, 2 * layer + 1);
}
