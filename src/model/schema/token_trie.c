/* Sorted tokens, each of which adds the nodes that it does not share with the one before. */
#include "model/schema/token_trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "model/language/tokenizer.h"
#include "model/schema/string_state.h"

struct token {
    const uint8_t *bytes;
    size_t n_bytes;
    int32_t id;
};

static int compare_tokens(const void *a, const void *b)
{
    const struct token *one = a, *other = b;
    int order = memcmp(one->bytes, other->bytes, omma_min(one->n_bytes, other->n_bytes));

    if (order != 0 || one->n_bytes != other->n_bytes) {
        return order != 0 ? order : one->n_bytes < other->n_bytes ? -1 : 1;
    }
    return (one->id > other->id) - (one->id < other->id);
}

/* Tokens in their order. */
static struct token *list_tokens(const struct omma_tokenizer *tokenizer, size_t *n)
{
    size_t n_ids = omma_tokenizer_n_ids(tokenizer);
    struct token *tokens = calloc(n_ids + 1, sizeof *tokens);

    *n = 0;
    for (size_t i = 0; tokens != NULL && i < n_ids; i++) {
        struct token token = {.id = (int32_t)i};

        token.bytes = (const uint8_t *)omma_token_bytes(tokenizer, token.id, &token.n_bytes, NULL);
        if (token.n_bytes > 0 && !omma_tokenizer_is_skipped(tokenizer, token.id)) {
            tokens[(*n)++] = token;
        }
    }
    if (tokens != NULL) {
        qsort(tokens, *n, sizeof *tokens, compare_tokens);
    }
    return tokens;
}

static size_t count_shared(const struct token *one, const struct token *other)
{
    size_t most = omma_min(one->n_bytes, other->n_bytes), n = 0;

    while (n < most && one->bytes[n] == other->bytes[n]) {
        n++;
    }
    return n;
}

/* Nodes of all tokens, the root among them, and the longest token. */
static size_t count_nodes(struct omma_token_trie *trie, const struct token *tokens)
{
    size_t n = 1;

    for (size_t i = 0; i < trie->n_tokens; i++) {
        n += tokens[i].n_bytes - (i > 0 ? count_shared(&tokens[i - 1], &tokens[i]) : 0);
        trie->max_bytes = omma_max(trie->max_bytes, tokens[i].n_bytes);
    }
    return n;
}

static void note_text(struct omma_token_trie *trie, const struct token *token)
{
    enum omma_string_state state = OMMA_STRING_TEXT;
    size_t n_chars = 0;

    for (size_t i = 0; i < token->n_bytes && omma_string_is_plain(state); i++) {
        state = omma_string_next(state, token->bytes[i]);
        n_chars += state != OMMA_STRING_BAD && (token->bytes[i] & 0xC0) != 0x80;
    }
    if (state == OMMA_STRING_TEXT) {
        trie->texts[token->id / 64] |= (uint64_t)1 << (token->id % 64);
        trie->max_text_chars = omma_max(trie->max_text_chars, n_chars);
    }
}

/* path[k]: the node of the last token's first k bytes. */
static void add_nodes(struct omma_token_trie *trie, const struct token *tokens, uint32_t *path)
{
    size_t depth = 0;

    trie->nodes[trie->n_nodes++] = (struct omma_token_trie_node){0};
    path[0] = 0;
    for (size_t i = 0; i < trie->n_tokens; i++) {
        size_t shared = i > 0 ? count_shared(&tokens[i - 1], &tokens[i]) : 0;

        for (; depth > shared; depth--) {
            trie->nodes[path[depth]].end = (uint32_t)trie->n_nodes;
        }
        for (; depth < tokens[i].n_bytes; depth++) {
            path[depth + 1] = (uint32_t)trie->n_nodes;
            trie->nodes[trie->n_nodes++] = (struct omma_token_trie_node){
                .byte = tokens[i].bytes[depth], .first_token = (uint32_t)i};
        }
        trie->ids[i] = tokens[i].id;
        note_text(trie, &tokens[i]);
    }
    for (size_t k = 0; k <= depth; k++) {
        trie->nodes[path[k]].end = (uint32_t)trie->n_nodes;
    }
    trie->nodes[trie->n_nodes] = (struct omma_token_trie_node){
        .end = (uint32_t)trie->n_nodes, .first_token = (uint32_t)trie->n_tokens};
}

static uint32_t first_below(const struct omma_token_trie *trie, size_t node)
{
    return trie->nodes[node + 1].first_token;
}

/* Bit s: from the node on, string state s holds all tokens, and each ends between characters. */
static void mark_text(struct omma_token_trie *trie, uint16_t *good)
{
    for (size_t i = trie->n_nodes; i-- > 0;) {
        struct omma_token_trie_node *node = &trie->nodes[i];
        bool ends_here = node->first_token < first_below(trie, i) || node->end == i + 1;

        good[i] = ends_here ? 1u << OMMA_STRING_TEXT : (1u << OMMA_STRING_ESCAPE) - 1;
        for (size_t child = i + 1; child < node->end; child = trie->nodes[child].end) {
            const struct omma_token_trie_node *below = &trie->nodes[child];
            size_t chars = below->max_chars + ((below->byte & 0xC0) != 0x80);
            uint16_t here = 0;

            for (unsigned state = 0; state < OMMA_STRING_ESCAPE; state++) {
                enum omma_string_state next = omma_string_next(state, below->byte);

                if (omma_string_is_plain(next) && (good[child] >> next & 1)) {
                    here |= (uint16_t)(1u << state);
                }
            }
            good[i] &= here;
            node->max_chars = (uint16_t)omma_min(omma_max(node->max_chars, chars), UINT16_MAX);
        }
        node->is_text = good[i] >> OMMA_STRING_TEXT & 1;
    }
}

static enum omma_status build(struct omma_token_trie *trie, const struct token *tokens,
                              size_t n_ids, struct omma_error *error)
{
    size_t n_nodes = count_nodes(trie, tokens);
    uint32_t *path;
    uint16_t *good;

    if (n_nodes >= UINT32_MAX) {
        return omma_fail(error, OMMA_STATUS_MODEL, "tokenizer: %zu bytes of tokens", n_nodes);
    }
    trie->n_words = n_ids / 64 + 1;
    trie->texts = calloc(trie->n_words, sizeof *trie->texts);
    trie->nodes = malloc((n_nodes + 1) * sizeof *trie->nodes);
    trie->ids = calloc(trie->n_tokens + 1, sizeof *trie->ids);
    path = calloc(trie->max_bytes + 1, sizeof *path);
    good = calloc(n_nodes, sizeof *good);
    if (trie->nodes != NULL && trie->ids != NULL && trie->texts != NULL && path != NULL &&
        good != NULL) {
        add_nodes(trie, tokens, path);
        mark_text(trie, good);
    }
    free(path);
    free(good);
    return trie->n_nodes > 0
               ? OMMA_OK
               : omma_fail_memory(error, n_nodes * sizeof *trie->nodes, "a trie of tokens");
}

enum omma_status omma_token_trie_create(const struct omma_tokenizer *tokenizer,
                                        struct omma_token_trie **trie, struct omma_error *error)
{
    struct omma_token_trie *made = calloc(1, sizeof *made);
    size_t n_tokens, n_ids = omma_tokenizer_n_ids(tokenizer);
    struct token *tokens = list_tokens(tokenizer, &n_tokens);
    enum omma_status status;

    if (made == NULL || tokens == NULL) {
        status = omma_fail_memory(error, n_ids * sizeof *tokens, "a trie of tokens");
    } else {
        made->n_tokens = n_tokens;
        status = build(made, tokens, n_ids, error);
    }
    free(tokens);
    if (status != OMMA_OK) {
        omma_token_trie_destroy(&made);
        return status;
    }
    *trie = made;
    return OMMA_OK;
}

void omma_token_trie_destroy(struct omma_token_trie **trie)
{
    if (*trie != NULL) {
        free((*trie)->nodes);
        free((*trie)->ids);
        free((*trie)->texts);
        free(*trie);
        *trie = NULL;
    }
}
