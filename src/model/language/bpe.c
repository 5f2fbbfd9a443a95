/*
 * Byte-pair encoding with a heap of candidate pairs over a linked list of symbols.
 *
 * The reference merges in rounds: all occurrences of one pair, then the next pair.  A heap alone
 * would leave a round early when a merge makes a pair of lower rank, so the candidates of a round
 * are taken off the heap together (they come out from left to right) before the first of them is
 * merged.  A merge never makes a new candidate for its own round: what it makes is longer than both
 * of the round's symbols.
 *
 * A candidate is stale when its left symbol was merged away or now stands in a pair of another
 * rank. Every merge adds at most two candidates, so at most 3 n are ever added.
 */
#include "model/language/bpe.h"

#include <stdlib.h>

#include "base/checked.h"

#define NONE UINT32_MAX /* no neighbour; no rank */

struct omma_bpe_symbol {
    int32_t id;              /* -1: merged into the symbol before it */
    uint32_t previous, next; /* NONE at the ends */
    uint32_t rank;           /* of the pair with the next symbol; NONE: no merge */
};

/* ----------------------------------------------------------------------------------------------
 * The table of merges: open addressing
 * ------------------------------------------------------------------------------------------- */

static size_t first_slot(const struct omma_bpe *bpe, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

    return (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (bpe->n_slots - 1);
}

enum omma_status omma_bpe_init(struct omma_bpe *bpe, size_t n_merges, struct omma_error *error)
{
    size_t n_bytes;

    *bpe = (struct omma_bpe){.n_slots = 4};
    while (bpe->n_slots / 3 * 2 < n_merges) {
        bpe->n_slots *= 2;
    }
    if (!omma_checked_multiply(bpe->n_slots, sizeof *bpe->slots, &n_bytes)) {
        return omma_fail_memory(error, SIZE_MAX, "merges");
    }
    bpe->slots = malloc(n_bytes);
    if (bpe->slots == NULL) {
        return omma_fail_memory(error, n_bytes, "merges");
    }
    for (size_t i = 0; i < bpe->n_slots; i++) {
        bpe->slots[i].left = -1;
    }
    return OMMA_OK;
}

void omma_bpe_free(struct omma_bpe *bpe)
{
    free(bpe->slots);
    *bpe = (struct omma_bpe){0};
}

/* The slot of the pair, or the empty one where it would stand. */
static struct omma_bpe_merge *find_slot(const struct omma_bpe *bpe, int32_t left, int32_t right)
{
    size_t at = first_slot(bpe, left, right);

    while (bpe->slots[at].left != -1 &&
           (bpe->slots[at].left != left || bpe->slots[at].right != right)) {
        at = (at + 1) & (bpe->n_slots - 1);
    }
    return &bpe->slots[at];
}

bool omma_bpe_add(struct omma_bpe *bpe, int32_t left, int32_t right, int32_t merged)
{
    struct omma_bpe_merge *slot = find_slot(bpe, left, right);

    if (slot->left != -1) {
        return false;
    }
    *slot = (struct omma_bpe_merge){left, right, merged, (uint32_t)bpe->n_merges};
    bpe->n_merges++;
    return true;
}

const struct omma_bpe_merge *omma_bpe_find(const struct omma_bpe *bpe, int32_t left, int32_t right)
{
    const struct omma_bpe_merge *slot = find_slot(bpe, left, right);

    return slot->left == -1 ? NULL : slot;
}

/* ----------------------------------------------------------------------------------------------
 * The heap of candidates: the smallest first
 * ------------------------------------------------------------------------------------------- */

struct heap {
    uint64_t *keys;
    size_t n_keys;
    size_t *n_steps;
};

static void heap_push(struct heap *heap, uint64_t key)
{
    size_t at = heap->n_keys++;

    while (at > 0 && heap->keys[(at - 1) / 2] > key) {
        heap->keys[at] = heap->keys[(at - 1) / 2];
        at = (at - 1) / 2;
        ++*heap->n_steps;
    }
    heap->keys[at] = key;
    ++*heap->n_steps;
}

static uint64_t heap_pop(struct heap *heap)
{
    uint64_t smallest = heap->keys[0], last = heap->keys[--heap->n_keys];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= heap->n_keys) {
            break;
        }
        if (child + 1 < heap->n_keys && heap->keys[child + 1] < heap->keys[child]) {
            child++;
        }
        if (heap->keys[child] >= last) {
            break;
        }
        heap->keys[at] = heap->keys[child];
        at = child;
        ++*heap->n_steps;
    }
    heap->keys[at] = last;
    ++*heap->n_steps;
    return smallest;
}

/* ----------------------------------------------------------------------------------------------
 * Encoding
 * ------------------------------------------------------------------------------------------- */

void omma_bpe_scratch_free(struct omma_bpe_scratch *scratch)
{
    free(scratch->symbols);
    free(scratch->heap);
    free(scratch->round);
    *scratch = (struct omma_bpe_scratch){0};
}

static enum omma_status reserve(struct omma_bpe_scratch *scratch, size_t n,
                                struct omma_error *error)
{
    size_t capacity = omma_max(omma_max(n, 64), omma_min(2 * scratch->capacity, UINT32_MAX));
    size_t n_steps = scratch->n_steps, n_bytes;

    if (n <= scratch->capacity) {
        return OMMA_OK;
    }
    if (n >= UINT32_MAX || !omma_checked_multiply(capacity, 3 * sizeof *scratch->heap, &n_bytes)) {
        return omma_fail(error, OMMA_STATUS_PROMPT,
                         "a piece of %zu bytes without a boundary: expected fewer than 2^32", n);
    }
    omma_bpe_scratch_free(scratch);
    scratch->n_steps = n_steps;
    scratch->symbols = malloc(capacity * sizeof *scratch->symbols);
    scratch->heap = malloc(n_bytes);
    scratch->round = malloc(capacity * sizeof *scratch->round);
    if (scratch->symbols == NULL || scratch->heap == NULL || scratch->round == NULL) {
        return omma_fail_memory(error, n_bytes, "byte-pair encoding");
    }
    scratch->capacity = capacity;
    return OMMA_OK;
}

/* Note the pair that begins at symbol `left`, and push it if it has a merge. */
static void consider(const struct omma_bpe *bpe, struct omma_bpe_symbol *symbols, struct heap *heap,
                     uint32_t left)
{
    struct omma_bpe_symbol *symbol = &symbols[left];
    const struct omma_bpe_merge *merge =
        symbol->next == NONE ? NULL : omma_bpe_find(bpe, symbol->id, symbols[symbol->next].id);

    symbol->rank = merge == NULL ? NONE : merge->rank;
    if (merge != NULL) {
        heap_push(heap, (uint64_t)merge->rank << 32 | left);
    }
}

static void merge_at(const struct omma_bpe *bpe, struct omma_bpe_symbol *symbols, struct heap *heap,
                     uint32_t left)
{
    struct omma_bpe_symbol *symbol = &symbols[left], *gone = &symbols[symbol->next];

    symbol->id = omma_bpe_find(bpe, symbol->id, gone->id)->merged;
    gone->id = -1;
    symbol->next = gone->next;
    if (symbol->next != NONE) {
        symbols[symbol->next].previous = left;
    }
    consider(bpe, symbols, heap, left);
    if (symbol->previous != NONE) {
        consider(bpe, symbols, heap, symbol->previous);
    }
    ++*heap->n_steps;
}

enum omma_status omma_bpe_encode(const struct omma_bpe *bpe, struct omma_bpe_scratch *scratch,
                                 const char *piece, size_t n_bytes, struct omma_token_list *list,
                                 struct omma_error *error)
{
    struct omma_bpe_symbol *symbols;
    struct heap heap;

    OMMA_TRY(reserve(scratch, n_bytes, error));
    OMMA_TRY(omma_token_list_reserve(list, n_bytes, error));
    symbols = scratch->symbols;
    heap = (struct heap){scratch->heap, 0, &scratch->n_steps};
    for (uint32_t i = 0; i < n_bytes; i++) {
        symbols[i] =
            (struct omma_bpe_symbol){bpe->byte_ids[(uint8_t)piece[i]], i == 0 ? NONE : i - 1,
                                     i + 1 < n_bytes ? i + 1 : NONE, NONE};
    }
    for (uint32_t i = 0; i < n_bytes; i++) {
        consider(bpe, symbols, &heap, i);
    }
    while (heap.n_keys > 0) {
        uint32_t rank = (uint32_t)(heap.keys[0] >> 32);
        size_t n_round = 0;

        while (heap.n_keys > 0 && heap.keys[0] >> 32 == rank) {
            scratch->round[n_round++] = (uint32_t)heap_pop(&heap);
        }
        for (size_t i = 0; i < n_round; i++) {
            uint32_t left = scratch->round[i];

            if (symbols[left].id != -1 && symbols[left].rank == rank) {
                merge_at(bpe, symbols, &heap, left);
            }
        }
    }
    for (uint32_t i = 0; n_bytes > 0 && i != NONE; i = symbols[i].next) {
        list->ids[list->n_tokens++] = symbols[i].id;
    }
    return OMMA_OK;
}
