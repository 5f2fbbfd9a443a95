/*
 * arena.h - memory by lifetime: many allocations, freed together.
 *
 * An arena grows by blocks from the C library; every allocation is aligned to 64 bytes and zeroed.
 * Not for use by two threads at a time.
 */
#ifndef OMMA_BASE_ARENA_H
#define OMMA_BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"

struct omma_arena_block;

/* All zeroes is an empty arena, ready for use. */
struct omma_arena {
    struct omma_arena_block *blocks; /* newest first */
    size_t n_bytes;                  /* handed out, padding included */
};

/* n_items x item_bytes; NULL if memory is short or the product overflows. */
void *omma_arena_take(struct omma_arena *arena, size_t n_items, size_t item_bytes);

/* A copy of text with a NUL at its end. */
char *omma_arena_copy_text(struct omma_arena *arena, const char *text, size_t n_bytes);

void omma_arena_free(struct omma_arena *arena);

#endif
