/*
 * schema.h - a JSON schema made ready for a model's tokens, and an answer that is held to it.
 */
#ifndef OMMA_SCHEMA_SCHEMA_H
#define OMMA_SCHEMA_SCHEMA_H

#include "model/schema/automaton.h"
#include "model/schema/token_trie.h"

struct omma_schema {
    struct omma_automaton automaton;
    const struct omma_tokenizer *tokenizer;
    const struct omma_token_trie *trie; /* the tokenizer's */
    const int32_t *stop_ids;            /* [n_stop_ids] the model's */
    size_t n_stop_ids, vocab;
};

/* What omma_schema_open() does, for a tokenizer and stop ids (kept by reference) without a model.
 * text NULL: any JSON object. */
enum omma_status omma_schema_create(const struct omma_tokenizer *tokenizer, const int32_t *stop_ids,
                                    size_t n_stop_ids, size_t vocab, const char *text,
                                    size_t n_bytes, struct omma_schema **schema,
                                    struct omma_error *error);

struct omma_schema_answer; /* one answer: how far it is, and what may come next */

/* The schema must outlive the answer. */
enum omma_status omma_schema_answer_create(const struct omma_schema *schema,
                                           struct omma_schema_answer **answer,
                                           struct omma_error *error);
void omma_schema_answer_destroy(struct omma_schema_answer **answer);

/* Bit id % 64 of word id / 64, of (vocab + 63) / 64 words: the token may come next.  Stop ids may
 * where the value is complete.  At least one token may.  Valid until the next call. */
enum omma_status omma_schema_answer_mask(struct omma_schema_answer *answer, const uint64_t **mask,
                                         struct omma_error *error);

/* The token that came, one that may come and is no stop id; OMMA_STATUS_INTERNAL for another. */
enum omma_status omma_schema_answer_accept(struct omma_schema_answer *answer, int32_t id,
                                           struct omma_error *error);

#endif
