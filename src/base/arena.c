/* A bump allocator over a list of blocks.  Requests above a quarter of a block get one of their
 * own. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum { ALIGNMENT = 64, BLOCK_BYTES = 256 * 1024 };

struct omma_arena_block {
    struct omma_arena_block *next;
    size_t n_used, n_bytes; /* of the payload, which follows at ALIGNMENT */
};

static struct omma_arena_block *add_block(struct omma_arena *arena, size_t payload_bytes)
{
    struct omma_arena_block *block;
    size_t total;

    if (!omma_checked_add(payload_bytes, 2 * ALIGNMENT, &total)) {
        return NULL;
    }
    total = omma_round_up(total - ALIGNMENT, ALIGNMENT);
    block = aligned_alloc(ALIGNMENT, total);
    if (block == NULL) {
        return NULL;
    }
    memset(block, 0, total);
    block->n_bytes = total - ALIGNMENT;
    if (payload_bytes != BLOCK_BYTES && arena->blocks != NULL) { /* keep the started block first */
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *omma_arena_take(struct omma_arena *arena, size_t n_items, size_t item_bytes)
{
    struct omma_arena_block *block = arena->blocks;
    size_t n_bytes;
    char *at;

    if (!omma_checked_multiply(n_items, item_bytes, &n_bytes) ||
        !omma_checked_add(n_bytes, ALIGNMENT - 1, &n_bytes)) {
        return NULL;
    }
    n_bytes = n_bytes / ALIGNMENT * ALIGNMENT;
    if (block == NULL || block->n_bytes - block->n_used < n_bytes) {
        block = add_block(arena, n_bytes > BLOCK_BYTES / 4 ? n_bytes : BLOCK_BYTES);
        if (block == NULL) {
            return NULL;
        }
    }
    at = (char *)block + ALIGNMENT + block->n_used;
    block->n_used += n_bytes;
    arena->n_bytes += n_bytes;
    return at;
}

char *omma_arena_copy_text(struct omma_arena *arena, const char *text, size_t n_bytes)
{
    char *copy = omma_arena_take(arena, n_bytes + 1, 1);

    if (copy != NULL) {
        memcpy(copy, text, n_bytes);
    }
    return copy;
}

void omma_arena_free(struct omma_arena *arena)
{
    struct omma_arena_block *block = arena->blocks;

    while (block != NULL) {
        struct omma_arena_block *next = block->next;

        free(block);
        block = next;
    }
    arena->blocks = NULL;
    arena->n_bytes = 0;
}
