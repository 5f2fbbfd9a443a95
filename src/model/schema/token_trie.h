/*
 * token_trie.h - the texts of a tokenizer's tokens as a trie over bytes.
 */
#ifndef OMMA_SCHEMA_TOKEN_TRIE_H
#define OMMA_SCHEMA_TOKEN_TRIE_H

#include "api/omma.h"

/* Nodes stand before what is below them: the children of node i are i + 1, nodes[i + 1].end, and so
 * on up to nodes[i].end.  The tokens at and below it are ids[first_token] to those of nodes[end].
 */
struct omma_token_trie_node {
    uint32_t end;
    uint32_t first_token;
    uint8_t byte; /* that leads to it */
    bool is_text; /* from here on all tokens go on with whole characters that stand in a JSON string
                     for themselves */
    uint16_t max_chars; /* if so: the most of these that a token has */
};

struct omma_token_trie {
    struct omma_token_trie_node *nodes; /* [n_nodes + 1] the root first; the last one bounds */
    int32_t *ids;                       /* in the order of their bytes */
    size_t n_nodes, n_tokens;
    /* Tokens that are nothing but whole characters which stand in a JSON string for themselves: bit
     * id % 64 of word id / 64. */
    uint64_t *texts; /* [n_words] */
    size_t n_words;
    size_t max_text_chars; /* of such a token */
    size_t max_bytes;      /* of a token */
};

/* Tokens that an answer's text shows, of those with a text. */
enum omma_status omma_token_trie_create(const struct omma_tokenizer *tokenizer,
                                        struct omma_token_trie **trie, struct omma_error *error);
void omma_token_trie_destroy(struct omma_token_trie **trie);

#endif
