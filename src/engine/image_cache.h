/*
 * image_cache.h - visual tokens of tiles that were encoded before, found by the pixels' hash.
 *
 * In memory, the tiles used last; in a folder, all of them, a file each.  Equal keys have equal
 * tokens, bit by bit, under one identity: a SHA-256 over all else that the bits depend on.
 */
#ifndef OMMA_ENGINE_IMAGE_CACHE_H
#define OMMA_ENGINE_IMAGE_CACHE_H

#include "api/omma.h"
#include "base/status.h"

/* A tile of a picture: how it was cut is in the hash, which is over all of its tiles. */
struct omma_tile_key {
    uint8_t picture[32]; /* omma_image_info() digest */
    uint64_t tile;
};

/* Whether two keys are equal. */
bool omma_tile_key_is(const struct omma_tile_key *a, const struct omma_tile_key *b);

struct omma_image_cache_options {
    size_t n_bytes;  /* of memory at most; 0: nothing is kept there */
    const char *dir; /* made if its parent is there; NULL: none */
    uint8_t identity[32];
    size_t n_floats; /* of a tile's tokens */
    struct omma_log log;
};

struct omma_image_cache;

/* OMMA_STATUS_OUTPUT for a folder that cannot be made. */
enum omma_status omma_image_cache_create(const struct omma_image_cache_options *options,
                                         struct omma_image_cache **cache, struct omma_error *error);
void omma_image_cache_destroy(struct omma_image_cache **cache);

/* In memory; by one thread.  [n_floats] until the next call of add, or NULL. */
const float *omma_image_cache_find(struct omma_image_cache *cache, const struct omma_tile_key *key);

/* Keep a copy in place of the tiles that were not used for longest; none where memory is short. */
void omma_image_cache_add(struct omma_image_cache *cache, const struct omma_tile_key *key,
                          const float *tokens);

/* Memory that tiles take; from any thread. */
size_t omma_image_cache_bytes(const struct omma_image_cache *cache);

/* In the folder, if there is one; by one thread, which may be another.  A file that is damaged
 * counts as absent, with a warning, and is replaced by store. */
bool omma_image_cache_load(struct omma_image_cache *cache, const struct omma_tile_key *key,
                           float *tokens);

/* After a failure, which gives a warning, nothing is written any more. */
void omma_image_cache_store(struct omma_image_cache *cache, const struct omma_tile_key *key,
                            const float *tokens);

#endif
