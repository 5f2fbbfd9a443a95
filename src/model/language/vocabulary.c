/* A table from ids to bytes, and while it is filled a hash table from the bytes of base tokens
 * back. */
#include "model/language/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum omma_status omma_vocabulary_init(struct omma_vocabulary *vocabulary, size_t limit,
                                      struct omma_error *error)
{
    size_t n_slots = 4;

    *vocabulary = (struct omma_vocabulary){0};
    while (n_slots / 3 * 2 < limit) {
        n_slots *= 2;
    }
    vocabulary->entries = calloc(limit + 1, sizeof *vocabulary->entries);
    vocabulary->slots = malloc(n_slots * sizeof *vocabulary->slots);
    if (vocabulary->entries == NULL || vocabulary->slots == NULL) {
        return omma_fail_memory(error, limit * sizeof *vocabulary->entries, "the vocabulary");
    }
    memset(vocabulary->slots, 0xFF, n_slots * sizeof *vocabulary->slots);
    vocabulary->limit = limit;
    vocabulary->n_slots = n_slots;
    return OMMA_OK;
}

void omma_vocabulary_free(struct omma_vocabulary *vocabulary)
{
    free(vocabulary->bytes);
    free(vocabulary->entries);
    free(vocabulary->slots);
    *vocabulary = (struct omma_vocabulary){0};
}

void omma_vocabulary_seal(struct omma_vocabulary *vocabulary)
{
    char *bytes = realloc(vocabulary->bytes, omma_max(vocabulary->n_bytes, 1));

    if (bytes != NULL) {
        vocabulary->bytes = bytes;
        vocabulary->capacity = vocabulary->n_bytes;
    }
    free(vocabulary->slots);
    vocabulary->slots = NULL;
    vocabulary->n_slots = 0;
}

static bool has_bytes(const struct omma_vocabulary *vocabulary, int32_t id, const char *bytes,
                      size_t n_bytes)
{
    const struct omma_vocabulary_entry *entry = &vocabulary->entries[id];

    return entry->n_bytes == n_bytes &&
           (n_bytes == 0 || memcmp(vocabulary->bytes + entry->offset, bytes, n_bytes) == 0);
}

static uint32_t hash_bytes(const char *bytes, size_t n_bytes)
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */

    for (size_t i = 0; i < n_bytes; i++) {
        hash = (hash ^ (uint8_t)bytes[i]) * 0x100000001B3u;
    }
    return (uint32_t)(hash ^ hash >> 32);
}

/* The slot of the base token, or the empty one where it would stand. */
static struct omma_vocabulary_slot *find_slot(const struct omma_vocabulary *vocabulary,
                                              uint32_t hash, const char *bytes, size_t n_bytes)
{
    struct omma_vocabulary_slot *slots = vocabulary->slots;
    size_t at = hash & (vocabulary->n_slots - 1);

    while (slots[at].id != -1 &&
           (slots[at].hash != hash || !has_bytes(vocabulary, slots[at].id, bytes, n_bytes))) {
        at = (at + 1) & (vocabulary->n_slots - 1);
    }
    return &slots[at];
}

static enum omma_status append_bytes(struct omma_vocabulary *vocabulary, const char *bytes,
                                     size_t n_bytes, struct omma_error *error)
{
    size_t needed;

    if (!omma_checked_add(vocabulary->n_bytes, n_bytes, &needed) || needed > UINT32_MAX / 2) {
        return omma_fail_memory(error, SIZE_MAX, "the vocabulary");
    }
    if (needed > vocabulary->capacity) {
        size_t capacity = omma_max(4096, 2 * needed);
        char *grown = realloc(vocabulary->bytes, capacity);

        if (grown == NULL) {
            return omma_fail_memory(error, capacity, "the vocabulary");
        }
        vocabulary->bytes = grown;
        vocabulary->capacity = capacity;
    }
    memcpy(vocabulary->bytes + vocabulary->n_bytes, bytes, n_bytes);
    vocabulary->n_bytes = needed;
    return OMMA_OK;
}

enum omma_status omma_vocabulary_set(struct omma_vocabulary *vocabulary, int32_t id,
                                     enum omma_token_kind kind, const char *bytes, size_t n_bytes,
                                     struct omma_error *error)
{
    struct omma_vocabulary_entry *entry = &vocabulary->entries[id];

    if (entry->kind == OMMA_TOKEN_ABSENT) {
        OMMA_TRY(append_bytes(vocabulary, bytes, n_bytes, error));
        entry->offset = (uint32_t)(vocabulary->n_bytes - n_bytes);
        entry->n_bytes = (uint32_t)n_bytes;
    }
    entry->kind = (uint8_t)kind;
    vocabulary->n_ids = omma_max(vocabulary->n_ids, (size_t)id + 1);
    if (kind == OMMA_TOKEN_BASE) {
        uint32_t hash = hash_bytes(bytes, n_bytes);

        *find_slot(vocabulary, hash, bytes, n_bytes) = (struct omma_vocabulary_slot){hash, id};
    }
    return OMMA_OK;
}

int32_t omma_vocabulary_find(const struct omma_vocabulary *vocabulary, const char *bytes,
                             size_t n_bytes)
{
    return find_slot(vocabulary, hash_bytes(bytes, n_bytes), bytes, n_bytes)->id;
}

bool omma_vocabulary_is(const struct omma_vocabulary *vocabulary, int32_t id, const char *bytes,
                        size_t n_bytes)
{
    return id >= 0 && (size_t)id < vocabulary->n_ids &&
           vocabulary->entries[id].kind == OMMA_TOKEN_BASE &&
           has_bytes(vocabulary, id, bytes, n_bytes);
}

const struct omma_vocabulary_entry *omma_vocabulary_entry(const struct omma_vocabulary *vocabulary,
                                                          int32_t id)
{
    return id < 0 || (size_t)id >= vocabulary->n_ids ? NULL : &vocabulary->entries[id];
}
