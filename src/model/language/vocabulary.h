/*
 * vocabulary.h - ids and the bytes they stand for.
 */
#ifndef OMMA_LANGUAGE_VOCABULARY_H
#define OMMA_LANGUAGE_VOCABULARY_H

#include "base/status.h"

enum omma_token_kind {
    OMMA_TOKEN_ABSENT,
    OMMA_TOKEN_BASE,  /* of the byte-pair encoding */
    OMMA_TOKEN_ADDED, /* recognised by its name, never made by merging */
};

struct omma_vocabulary_entry {
    uint32_t offset, n_bytes; /* in bytes[] */
    uint8_t kind;             /* enum omma_token_kind */
    bool is_skipped;          /* left out when an answer is decoded */
};

struct omma_vocabulary_slot {
    uint32_t hash; /* of the token's bytes; most that differ are told by it alone */
    int32_t id;    /* -1: empty */
};

struct omma_vocabulary {
    char *bytes;
    size_t n_bytes, capacity;
    struct omma_vocabulary_entry *entries; /* [limit] */
    size_t limit;                          /* ids must be below it */
    size_t n_ids;                          /* largest id + 1 */
    struct omma_vocabulary_slot *slots;    /* [n_slots] base tokens by their bytes */
    size_t n_slots;                        /* a power of two */
};

/* Room for ids below limit. */
enum omma_status omma_vocabulary_init(struct omma_vocabulary *vocabulary, size_t limit,
                                      struct omma_error *error);
void omma_vocabulary_free(struct omma_vocabulary *vocabulary);

/* Release what only finding by bytes needs, and room that was not used. */
void omma_vocabulary_seal(struct omma_vocabulary *vocabulary);

/* Set an id that is below limit and absent, or, for an added token, a base token of the same bytes.
 */
enum omma_status omma_vocabulary_set(struct omma_vocabulary *vocabulary, int32_t id,
                                     enum omma_token_kind kind, const char *bytes, size_t n_bytes,
                                     struct omma_error *error);

/* The base token with these bytes; -1: none. */
int32_t omma_vocabulary_find(const struct omma_vocabulary *vocabulary, const char *bytes,
                             size_t n_bytes);

/* Whether id is a base token with these bytes. */
bool omma_vocabulary_is(const struct omma_vocabulary *vocabulary, int32_t id, const char *bytes,
                        size_t n_bytes);

/* NULL for an id that is out of range. */
const struct omma_vocabulary_entry *omma_vocabulary_entry(const struct omma_vocabulary *vocabulary,
                                                          int32_t id);

#endif
