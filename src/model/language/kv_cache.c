/* One anonymous mapping a session. */
#include "model/language/kv_cache.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

size_t omma_kv_cache_position_bytes(const struct omma_language_config *config,
                                    enum omma_dtype dtype)
{
    return 2 * config->n_layers * config->n_kv_heads * config->head_dim * omma_dtype_bytes(dtype);
}

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

void omma_kv_cache_forget(const struct omma_kv_cache *cache, size_t n_kept)
{
    size_t row = cache->head_dim * omma_dtype_bytes(cache->dtype),
           page = omma_topology_page_bytes();

    for (size_t i = 0; i < 2 * cache->n_layers * cache->n_kv_heads; i++) {
        uintptr_t head = (uintptr_t)cache->data + i * cache->capacity * row;
        uintptr_t first = omma_round_up(head + n_kept * row, page);
        uintptr_t last = (head + cache->capacity * row) / page * page;

        if (first < last) {
            madvise((void *)first, last - first, MADV_DONTNEED);
        }
    }
}

void omma_kv_cache_copy(const struct omma_kv_cache *from, const struct omma_kv_cache *to,
                        size_t begin, size_t end)
{
    size_t row = from->head_dim * omma_dtype_bytes(from->dtype);

    for (size_t i = 0; i < 2 * from->n_layers * from->n_kv_heads; i++) {
        memcpy(to->data + (i * to->capacity + begin) * row,
               from->data + (i * from->capacity + begin) * row, (end - begin) * row);
    }
}

size_t omma_kv_cache_reader(const struct omma_kv_cache *cache, size_t head, size_t n_threads)
{
    return (2 * head + 1) * n_threads / (2 * cache->n_kv_heads); /* of the middle of the head */
}

/* The first head, from head on, that another node reads. */
static size_t end_of_node(const struct omma_kv_cache *cache, const struct omma_team *team,
                          size_t head, size_t node)
{
    size_t n_threads = omma_team_n_threads(team);

    while (head < cache->n_kv_heads &&
           omma_team_node_of(team, omma_kv_cache_reader(cache, head, n_threads)) == node) {
        head++;
    }
    return head;
}

void omma_kv_cache_bind(const struct omma_kv_cache *cache, const struct omma_team *team)
{
    const struct omma_topology *topology = omma_team_topology(team);
    size_t page = omma_topology_page_bytes();
    size_t head_bytes = cache->capacity * cache->head_dim * omma_dtype_bytes(cache->dtype);

    for (size_t i = 0; omma_team_n_nodes(team) > 1 && i < 2 * cache->n_layers; i++) {
        for (size_t head = 0, end; head < cache->n_kv_heads; head = end) {
            size_t reader = omma_kv_cache_reader(cache, head, omma_team_n_threads(team));
            size_t node = omma_team_node_of(team, reader);
            uintptr_t first = (uintptr_t)plane(cache, i) + head * head_bytes, last;

            end = end_of_node(cache, team, head, node);
            last = (uintptr_t)plane(cache, i) + end * head_bytes;
            /* a page of two heads goes with the second */
            first = first / page * page;
            last = end == cache->n_kv_heads && i + 1 == 2 * cache->n_layers
                       ? omma_round_up(last, page)
                       : last / page * page;
            if (first < last) {
                omma_topology_bind_memory(topology, omma_team_node(team, node)->topology_node,
                                          (void *)first, last - first, false);
            }
        }
    }
}
