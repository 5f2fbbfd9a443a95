/*
 * Which tokens may come next: the trie of all tokens is walked with the automaton, from byte to
 * byte and only as far as something may come.  Within a string nearly all may: below a node of the
 * trie from which tokens go on with nothing but text, they are taken together.
 */
#include "model/schema/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "model/language/tokenizer.h"
#include "model/model.h"
#include "model/schema/automaton_build.h"
#include "model/schema/value_tree.h"

struct omma_schema_answer {
    const struct omma_schema *schema;
    struct omma_automaton_run run;
    struct omma_automaton_set *sets; /* [trie->max_bytes + 1] behind each byte of a token */
    uint64_t *mask;                  /* [(vocab + 63) / 64] */
};

/* ----------------------------------------------------------------------------------------------
 * Schemas
 * ------------------------------------------------------------------------------------------- */

/* Each byte of JSON must have a token of its own, or an answer could come to a place from which no
 * token leads on. */
static enum omma_status check_bytes(const struct omma_token_trie *trie, struct omma_error *error)
{
    bool has[256] = {false};

    for (size_t i = 1; i < trie->nodes[0].end; i = trie->nodes[i].end) {
        has[trie->nodes[i].byte] = trie->nodes[i].first_token < trie->nodes[i + 1].first_token ||
                                   trie->nodes[i].end == i + 1;
    }
    for (int byte = 0x20; byte < 0xC0; byte++) {
        if (!has[byte] && byte != 0x7F) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "schema: the tokenizer has no token of the byte 0x%02X alone", byte);
        }
    }
    return OMMA_OK;
}

enum omma_status omma_schema_create(const struct omma_tokenizer *tokenizer, const int32_t *stop_ids,
                                    size_t n_stop_ids, size_t vocab, const char *text,
                                    size_t n_bytes, struct omma_schema **schema,
                                    struct omma_error *error)
{
    struct omma_schema *made = calloc(1, sizeof *made);
    struct omma_value_tree tree;
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a schema");
    }
    made->tokenizer = tokenizer;
    made->stop_ids = stop_ids;
    made->n_stop_ids = n_stop_ids;
    made->vocab = vocab;
    OMMA_TRY_OR(status, fail, omma_tokenizer_trie(tokenizer, &made->trie, error));
    OMMA_TRY_OR(status, fail, check_bytes(made->trie, error));
    OMMA_TRY_OR(status, fail, omma_value_tree_read(text, n_bytes, &tree, error));
    status = omma_automaton_build(&tree, &made->automaton, error);
    omma_value_tree_free(&tree);
    if (status == OMMA_OK) {
        *schema = made;
        return OMMA_OK;
    }
fail:
    omma_schema_close(&made);
    return status;
}

enum omma_status omma_schema_open(const struct omma_model *model, const char *text, size_t n_bytes,
                                  struct omma_schema **schema, struct omma_error *error)
{
    if (model->tokenizer == NULL || model->info.n_stop_ids == 0) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "schema: the model has no tokenizer or no stop ids");
    }
    return omma_schema_create(model->tokenizer, model->info.stop_ids, model->info.n_stop_ids,
                              model->config.language.vocab, text, n_bytes, schema, error);
}

void omma_schema_close(struct omma_schema **schema)
{
    if (*schema != NULL) {
        omma_automaton_free(&(*schema)->automaton);
        free(*schema);
        *schema = NULL;
    }
}

/* ----------------------------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------------------------- */

enum omma_status omma_schema_answer_create(const struct omma_schema *schema,
                                           struct omma_schema_answer **answer,
                                           struct omma_error *error)
{
    struct omma_schema_answer *made = calloc(1, sizeof *made);
    size_t n_sets = schema->trie->max_bytes + 1, n_words = (schema->vocab + 63) / 64;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "an answer to a schema");
    }
    made->schema = schema;
    made->sets = calloc(n_sets, sizeof *made->sets);
    made->mask = calloc(n_words, sizeof *made->mask);
    if (made->sets == NULL || made->mask == NULL ||
        omma_automaton_run_init(&made->run, &schema->automaton, error) != OMMA_OK) {
        omma_schema_answer_destroy(&made);
        return omma_fail_memory(error, n_sets * sizeof *made->sets + n_words * sizeof *made->mask,
                                "an answer to a schema");
    }
    omma_automaton_begin(&made->run, &made->sets[0]);
    *answer = made;
    return OMMA_OK;
}

void omma_schema_answer_destroy(struct omma_schema_answer **answer)
{
    if (*answer != NULL) {
        omma_automaton_run_fini(&(*answer)->run);
        free((*answer)->sets);
        free((*answer)->mask);
        free(*answer);
        *answer = NULL;
    }
}

static void allow(struct omma_schema_answer *answer, uint32_t first, uint32_t end)
{
    const int32_t *ids = answer->schema->trie->ids;

    for (uint32_t i = first; i < end; i++) {
        if ((size_t)ids[i] < answer->schema->vocab) {
            answer->mask[ids[i] / 64] |= (uint64_t)1 << (ids[i] % 64);
        }
    }
}

/* All tokens below a node go on with text: allow those of at most `room` characters. */
static void walk_text(struct omma_schema_answer *answer, size_t at, uint32_t room)
{
    const struct omma_token_trie_node *nodes = answer->schema->trie->nodes;

    if (nodes[at].max_chars <= room) {
        allow(answer, nodes[at].first_token, nodes[nodes[at].end].first_token);
        return;
    }
    allow(answer, nodes[at].first_token, nodes[at + 1].first_token);
    for (size_t i = at + 1; i < nodes[at].end; i = nodes[i].end) {
        bool is_begin = (nodes[i].byte & 0xC0) != 0x80;

        if (room >= is_begin) {
            walk_text(answer, i, room - is_begin);
        }
    }
}

/* Allow what may come below a node, before which sets[depth] stands.  inside: where the bytes from
 * the root on lead within a string whose text has been allowed already, or OMMA_STRING_BAD. */
static void walk(struct omma_schema_answer *answer, size_t at, size_t depth,
                 enum omma_string_state inside)
{
    const struct omma_token_trie_node *nodes = answer->schema->trie->nodes;
    struct omma_automaton_set *set = &answer->sets[depth + 1];

    for (size_t i = at + 1; i < nodes[at].end; i = nodes[i].end) {
        enum omma_string_state next = omma_string_next(inside, nodes[i].byte);
        uint32_t n_frames = answer->run.n_frames;
        uint32_t room;
        bool is_alone;

        next = omma_string_is_plain(next) ? next : OMMA_STRING_BAD;
        if (next == OMMA_STRING_TEXT && nodes[i].is_text) {
            continue;
        }
        omma_automaton_step(&answer->run, &answer->sets[depth], nodes[i].byte, set);
        if (set->n_configs > 0 || set->is_complete) {
            room = omma_automaton_text_room(&answer->schema->automaton, set, &is_alone);
            if (nodes[i].is_text && (is_alone || nodes[i].max_chars <= room)) {
                walk_text(answer, i, room);
            } else {
                allow(answer, nodes[i].first_token, nodes[i + 1].first_token);
                walk(answer, i, depth + 1, next);
            }
        }
        answer->run.n_frames = n_frames;
    }
}

enum omma_status omma_schema_answer_mask(struct omma_schema_answer *answer, const uint64_t **mask,
                                         struct omma_error *error)
{
    const struct omma_schema *schema = answer->schema;
    const struct omma_token_trie *trie = schema->trie;
    size_t n_words = (schema->vocab + 63) / 64;
    bool is_alone;
    uint32_t room = omma_automaton_text_room(&schema->automaton, &answer->sets[0], &is_alone);

    memset(answer->mask, 0, n_words * sizeof *answer->mask);
    if (room > 0 && room >= trie->max_text_chars) {
        memcpy(answer->mask, trie->texts, omma_min(n_words, trie->n_words) * sizeof *answer->mask);
        walk(answer, 0, 0, OMMA_STRING_TEXT);
    } else {
        walk(answer, 0, 0, OMMA_STRING_BAD);
    }
    for (size_t i = 0; i < schema->n_stop_ids; i++) {
        uint64_t bit = (uint64_t)1 << (schema->stop_ids[i] % 64);
        uint64_t *word = &answer->mask[schema->stop_ids[i] / 64];

        *word = answer->sets[0].is_complete ? *word | bit : *word & ~bit;
    }
    if (answer->run.failed) {
        return omma_fail_memory(error, answer->run.capacity, "a schema's stacks");
    }
    *mask = answer->mask;
    return OMMA_OK;
}

enum omma_status omma_schema_answer_accept(struct omma_schema_answer *answer, int32_t id,
                                           struct omma_error *error)
{
    struct omma_automaton_set *sets = answer->sets;
    size_t n_bytes;
    const char *bytes = omma_token_bytes(answer->schema->tokenizer, id, &n_bytes, NULL);

    if (n_bytes == 0 || n_bytes > answer->schema->trie->max_bytes) {
        return omma_fail(error, OMMA_STATUS_INTERNAL, "schema: token %d has no text", id);
    }
    for (size_t i = 0; i < n_bytes; i++) {
        omma_automaton_step(&answer->run, &sets[i], (uint8_t)bytes[i], &sets[i + 1]);
    }
    if (answer->run.failed) {
        return omma_fail_memory(error, answer->run.capacity, "a schema's stacks");
    }
    if (sets[n_bytes].n_configs == 0 && !sets[n_bytes].is_complete) {
        return omma_fail(error, OMMA_STATUS_INTERNAL, "schema: token %d does not fit here", id);
    }
    sets[0] = sets[n_bytes];
    omma_automaton_compact(&answer->run, &sets[0]);
    return OMMA_OK;
}
