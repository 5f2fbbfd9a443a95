/* Tiles in memory: a table of chains by the hash, and a list by use.  The folder is image_folder's.
 */
#include "engine/image_cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "engine/image_folder.h"

struct entry {
    struct omma_tile_key key;
    struct entry *chained;       /* the next of the same bucket */
    struct entry *older, *newer; /* by use */
    float tokens[];
};

struct omma_image_cache {
    struct omma_image_folder *folder; /* NULL: none */
    size_t n_floats, most;            /* entries */
    size_t n_buckets;                 /* a power of two */
    struct entry **buckets;
    struct entry *newest, *oldest;
    _Atomic size_t n_entries;
};

static size_t entry_bytes(const struct omma_image_cache *cache)
{
    return sizeof(struct entry) + cache->n_floats * sizeof(float);
}

bool omma_tile_key_is(const struct omma_tile_key *a, const struct omma_tile_key *b)
{
    return a->tile == b->tile && memcmp(a->picture, b->picture, sizeof a->picture) == 0;
}

/* Where the pointer to the key's entry stands, or would be appended. */
static struct entry **find_place(const struct omma_image_cache *cache,
                                 const struct omma_tile_key *key)
{
    uint64_t word;
    struct entry **at;

    memcpy(&word, key->picture, sizeof word);
    at = &cache->buckets[(word + key->tile) & (cache->n_buckets - 1)];
    while (*at != NULL && !omma_tile_key_is(&(*at)->key, key)) {
        at = &(*at)->chained;
    }
    return at;
}

enum omma_status omma_image_cache_create(const struct omma_image_cache_options *options,
                                         struct omma_image_cache **cache, struct omma_error *error)
{
    enum { MOST_BUCKETS = 1 << 16 };
    struct omma_image_cache *made = calloc(1, sizeof *made);
    enum omma_status status = OMMA_OK;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "the image cache");
    }
    made->n_floats = options->n_floats;
    made->most = options->n_bytes / entry_bytes(made);
    made->n_buckets = 1;
    while (made->n_buckets < omma_min(made->most, MOST_BUCKETS)) {
        made->n_buckets *= 2;
    }
    made->buckets = calloc(made->n_buckets, sizeof(struct entry *));
    if (made->buckets == NULL) {
        status =
            omma_fail_memory(error, made->n_buckets * sizeof(struct entry *), "the image cache");
    } else if (options->dir != NULL) {
        status = omma_image_folder_open(options, &made->folder, error);
    }
    if (status != OMMA_OK) {
        omma_image_cache_destroy(&made);
        return status;
    }
    *cache = made;
    return OMMA_OK;
}

void omma_image_cache_destroy(struct omma_image_cache **cache)
{
    struct omma_image_cache *gone = *cache;

    if (gone == NULL) {
        return;
    }
    while (gone->newest != NULL) {
        struct entry *entry = gone->newest;

        gone->newest = entry->older;
        free(entry);
    }
    omma_image_folder_close(&gone->folder);
    free(gone->buckets);
    free(gone);
    *cache = NULL;
}

static void unlink_entry(struct omma_image_cache *cache, struct entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void make_newest(struct omma_image_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

const float *omma_image_cache_find(struct omma_image_cache *cache, const struct omma_tile_key *key)
{
    struct entry *entry = *find_place(cache, key);

    if (entry == NULL) {
        return NULL;
    }
    unlink_entry(cache, entry);
    make_newest(cache, entry);
    return entry->tokens;
}

/* An entry that is in no list: new, or the oldest. */
static struct entry *take_entry(struct omma_image_cache *cache)
{
    struct entry *entry = cache->oldest;

    if (atomic_load(&cache->n_entries) < cache->most) {
        entry = malloc(entry_bytes(cache));
        atomic_fetch_add(&cache->n_entries, entry != NULL);
    } else if (entry != NULL) {
        *find_place(cache, &entry->key) = entry->chained;
        unlink_entry(cache, entry);
    }
    return entry;
}

void omma_image_cache_add(struct omma_image_cache *cache, const struct omma_tile_key *key,
                          const float *tokens)
{
    struct entry *entry, **place;

    if (omma_image_cache_find(cache, key) != NULL || (entry = take_entry(cache)) == NULL) {
        return;
    }
    entry->key = *key;
    entry->chained = NULL;
    memcpy(entry->tokens, tokens, cache->n_floats * sizeof *tokens);
    place = find_place(cache, key);
    *place = entry;
    make_newest(cache, entry);
}

size_t omma_image_cache_bytes(const struct omma_image_cache *cache)
{
    return atomic_load(&cache->n_entries) * entry_bytes(cache);
}

bool omma_image_cache_load(struct omma_image_cache *cache, const struct omma_tile_key *key,
                           float *tokens)
{
    return cache->folder != NULL && omma_image_folder_read(cache->folder, key, tokens);
}

void omma_image_cache_store(struct omma_image_cache *cache, const struct omma_tile_key *key,
                            const float *tokens)
{
    if (cache->folder != NULL) {
        omma_image_folder_write(cache->folder, key, tokens);
    }
}
