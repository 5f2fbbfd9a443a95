/*
 * bpe.h - byte-pair encoding over the bytes of one piece of text.
 *
 * The rule (Qwen2's, GPT-2's): begin with one symbol a byte; of all adjacent pairs take the one
 * whose merge ranks first and merge its occurrences from left to right; until no adjacent pair has
 * a merge.
 */
#ifndef OMMA_LANGUAGE_BPE_H
#define OMMA_LANGUAGE_BPE_H

#include "model/language/token_list.h"

struct omma_bpe_merge {
    int32_t left, right, merged;
    uint32_t rank;
};

/* Immutable once its merges are added. */
struct omma_bpe {
    int32_t byte_ids[256];        /* the symbol of each byte */
    struct omma_bpe_merge *slots; /* [n_slots] hashed by (left, right); left -1: empty */
    size_t n_slots;               /* a power of two, half as many again as n_merges or more */
    size_t n_merges;
};

enum omma_status omma_bpe_init(struct omma_bpe *bpe, size_t n_merges, struct omma_error *error);
void omma_bpe_free(struct omma_bpe *bpe);

/* Add the next merge in rank, at most n_merges of them; false if the pair has one already. */
bool omma_bpe_add(struct omma_bpe *bpe, int32_t left, int32_t right, int32_t merged);

/* NULL: the pair has no merge. */
const struct omma_bpe_merge *omma_bpe_find(const struct omma_bpe *bpe, int32_t left, int32_t right);

struct omma_bpe_symbol;

/* Memory of one thread, kept between pieces.  All zeroes to begin with. */
struct omma_bpe_scratch {
    struct omma_bpe_symbol *symbols; /* [capacity] the piece, a list linked both ways */
    uint64_t *heap;                  /* [3 capacity] rank << 32 | index of the left symbol */
    uint32_t *round;                 /* [capacity] left symbols of the pair being merged */
    size_t capacity;
    size_t n_steps; /* merges and moves in the heap so far: the work done */
};

void omma_bpe_scratch_free(struct omma_bpe_scratch *scratch);

/* Append the ids of a piece; O(n log n). */
enum omma_status omma_bpe_encode(const struct omma_bpe *bpe, struct omma_bpe_scratch *scratch,
                                 const char *piece, size_t n_bytes, struct omma_token_list *list,
                                 struct omma_error *error);

#endif
