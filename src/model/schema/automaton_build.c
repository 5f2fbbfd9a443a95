/*
 * States of each kind of value.  The texts of constants, and the names of an object's properties,
 * become the states of a trie, one a byte, whose edges are read once whatever their number.
 *
 * White space: a space, or a newline with spaces, may stand behind each bracket, comma and colon,
 * and before a closing bracket.
 */
#include "model/schema/automaton_build.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum { END = 0, MAX_DIGITS = 18, MAX_FRACTION = 17, MAX_EXPONENT = 2 };

struct builder {
    const struct omma_value_tree *tree;
    struct omma_automaton *automaton;
    uint32_t states_room, edges_room, calls_room, properties_room, members_room;
    struct omma_error *error;
};

/* A text of a trie, and what it is. */
struct branch {
    const char *bytes;
    size_t n_bytes;
    uint32_t member; /* of an object: the property */
    uint32_t to;     /* of an object: the state behind the name */
};

/* ----------------------------------------------------------------------------------------------
 * Arrays that grow
 * ------------------------------------------------------------------------------------------- */

/* Room for one item more in *items. */
static enum omma_status grow(struct builder *builder, void **items, uint32_t n, uint32_t *room,
                             size_t item_bytes)
{
    size_t larger = omma_max(256, 2 * (size_t)*room);
    void *grown;

    if (n < *room) {
        return OMMA_OK;
    }
    if (n >= 4 * OMMA_SCHEMA_MAX_STATES) {
        return omma_fail(builder->error, OMMA_STATUS_USAGE, "schema: it is too large");
    }
    grown = realloc(*items, larger * item_bytes);
    if (grown == NULL) {
        return omma_fail_memory(builder->error, larger * item_bytes, "a schema");
    }
    *items = grown;
    *room = (uint32_t)larger;
    return OMMA_OK;
}

#define GROW(builder, items, n, room)                                                              \
    do {                                                                                           \
        void *items_ = (builder)->automaton->items;                                                \
        enum omma_status grown_ = grow(builder, &items_, (builder)->automaton->n,                  \
                                       &(builder)->room, sizeof *(builder)->automaton->items);     \
        (builder)->automaton->items = items_;                                                      \
        OMMA_TRY(grown_);                                                                          \
    } while (0)

static enum omma_status add_state(struct builder *builder, struct omma_automaton_state state,
                                  uint32_t *index)
{
    struct omma_automaton *automaton = builder->automaton;

    if (automaton->n_states == OMMA_SCHEMA_MAX_STATES) {
        return omma_fail(builder->error, OMMA_STATUS_USAGE,
                         "schema: it is too large: it takes more than %d states",
                         OMMA_SCHEMA_MAX_STATES);
    }
    GROW(builder, states, n_states, states_room);
    state.properties = OMMA_SCHEMA_NONE;
    *index = automaton->n_states++;
    automaton->states[*index] = state;
    return OMMA_OK;
}

/* Edges of a state come one after the other, before those of another one. */
static enum omma_status add_edge(struct builder *builder, uint32_t from,
                                 struct omma_automaton_edge edge)
{
    struct omma_automaton *automaton = builder->automaton;

    GROW(builder, edges, n_edges, edges_room);
    if (automaton->states[from].n_edges++ == 0) {
        automaton->states[from].first_edge = automaton->n_edges;
    }
    automaton->edges[automaton->n_edges++] = edge;
    return OMMA_OK;
}

static enum omma_status add_bytes(struct builder *builder, uint32_t from, char low, char high,
                                  uint32_t to)
{
    return add_edge(
        builder, from,
        (struct omma_automaton_edge){.low = (uint8_t)low, .high = (uint8_t)high, .to = to});
}

/* The same for calls. */
static enum omma_status add_call(struct builder *builder, uint32_t from, uint32_t node,
                                 uint32_t next)
{
    struct omma_automaton *automaton = builder->automaton;

    GROW(builder, calls, n_calls, calls_room);
    if (automaton->states[from].n_calls++ == 0) {
        automaton->states[from].first_call = automaton->n_calls;
    }
    automaton->calls[automaton->n_calls++] = (struct omma_automaton_call){node, next};
    return OMMA_OK;
}

static enum omma_status add_member(struct builder *builder, uint32_t member)
{
    GROW(builder, members, n_members, members_room);
    builder->automaton->members[builder->automaton->n_members++] = member;
    return OMMA_OK;
}

/* ----------------------------------------------------------------------------------------------
 * Tries
 * ------------------------------------------------------------------------------------------- */

static int compare_branches(const void *a, const void *b)
{
    const struct branch *one = a, *other = b;
    int order = memcmp(one->bytes, other->bytes, omma_min(one->n_bytes, other->n_bytes));

    return order != 0 ? order : (one->n_bytes > other->n_bytes) - (one->n_bytes < other->n_bytes);
}

static int compare_members(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

    return (one > other) - (one < other);
}

/* The edge that n branches share from a state on, behind `at` bytes.  properties: of the object, or
 * OMMA_SCHEMA_NONE for constants. */
static enum omma_status add_branch(struct builder *builder, uint32_t state,
                                   const struct branch *branches, size_t n, size_t at,
                                   uint32_t properties)
{
    struct omma_automaton *automaton = builder->automaton;
    uint8_t byte = (uint8_t)branches->bytes[at];
    struct omma_automaton_edge edge = {.low = byte, .high = byte};

    if (properties == OMMA_SCHEMA_NONE) {
        OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, &edge.to));
        return add_edge(builder, state, edge);
    }
    edge.first_member = automaton->n_members;
    edge.n_members = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        OMMA_TRY(add_member(builder, branches[i].member));
    }
    qsort(automaton->members + edge.first_member, n, sizeof *automaton->members, compare_members);
    edge.to = branches->to; /* the name's end: a quote, which no other name has within it */
    if (at + 1 < branches->n_bytes) {
        OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, &edge.to));
        automaton->states[edge.to].properties = properties;
    }
    return add_edge(builder, state, edge);
}

/* The trie of n sorted branches that are alike in their first `at` bytes, from a state on.  It
 * calls itself where they part or one ends, and so not deeper than the schema's text allows. */
static enum omma_status add_trie(struct builder *builder, uint32_t state,
                                 const struct branch *branches, size_t n, size_t at,
                                 uint32_t properties)
{
    for (;; at++) {
        size_t n_edges = 0;

        if (branches->n_bytes == at) {
            builder->automaton->states[state].returns = properties == OMMA_SCHEMA_NONE;
            branches++;
            n--;
        }
        for (size_t i = 0, k; i < n; i = k, n_edges++) {
            for (k = i + 1; k < n && branches[k].bytes[at] == branches[i].bytes[at]; k++) {
            }
            OMMA_TRY(add_branch(builder, state, branches + i, k - i, at, properties));
        }
        if (n_edges != 1) {
            break;
        }
        state = builder->automaton->edges[builder->automaton->states[state].first_edge].to;
        if (properties != OMMA_SCHEMA_NONE && at + 1 == branches->n_bytes) {
            return OMMA_OK;
        }
    }
    for (size_t i = 0, k, edge = 0; i < n; i = k, edge++) {
        uint32_t to =
            builder->automaton->edges[builder->automaton->states[state].first_edge + edge].to;

        for (k = i + 1; k < n && branches[k].bytes[at] == branches[i].bytes[at]; k++) {
        }
        if (properties == OMMA_SCHEMA_NONE || at + 1 < branches[i].n_bytes) {
            OMMA_TRY(add_trie(builder, to, branches + i, k - i, at + 1, properties));
        }
    }
    return OMMA_OK;
}

static enum omma_status build_texts(struct builder *builder, const struct omma_value *value,
                                    uint32_t *start)
{
    struct branch *branches = calloc(value->n_items, sizeof *branches);
    enum omma_status status;

    if (branches == NULL) {
        return omma_fail_memory(builder->error, value->n_items * sizeof *branches, "a schema");
    }
    for (size_t i = 0; i < value->n_items; i++) {
        branches[i] =
            (struct branch){.bytes = value->texts[i].bytes, .n_bytes = value->texts[i].n_bytes};
    }
    qsort(branches, value->n_items, sizeof *branches, compare_branches);
    status = add_state(builder, (struct omma_automaton_state){0}, start);
    if (status == OMMA_OK) {
        status = add_trie(builder, *start, branches, value->n_items, 0, OMMA_SCHEMA_NONE);
    }
    free(branches);
    return status;
}

/* ----------------------------------------------------------------------------------------------
 * Numbers and strings
 * ------------------------------------------------------------------------------------------- */

/* Up to n digits, the first of them read by an edge into *first; behind each of them the state may
 * return, and be left by one of the bytes of `leaves` to the state `left`. */
static enum omma_status build_digits(struct builder *builder, int n, const char *leaves,
                                     const uint32_t *left, uint32_t *first)
{
    uint32_t next = END;

    for (int i = 0; i < n; i++) {
        uint32_t state;

        OMMA_TRY(add_state(builder, (struct omma_automaton_state){.returns = true}, &state));
        if (i > 0) {
            OMMA_TRY(add_bytes(builder, state, '0', '9', next));
        }
        for (size_t k = 0; leaves[k] != '\0'; k++) {
            OMMA_TRY(add_bytes(builder, state, leaves[k], leaves[k], left[k]));
        }
        next = state;
    }
    *first = next;
    return OMMA_OK;
}

static enum omma_status build_number(struct builder *builder, bool is_integer, uint32_t *start)
{
    const char *leaves = is_integer ? "" : "eE.";
    const struct omma_automaton_state plain = {0};
    uint32_t digits, unsigned_start, exponent, exponent_digits, point, fraction, left[3] = {0};

    if (!is_integer) {
        OMMA_TRY(build_digits(builder, MAX_EXPONENT, "", NULL, &exponent_digits));
        OMMA_TRY(add_state(builder, plain, &unsigned_start));
        OMMA_TRY(add_bytes(builder, unsigned_start, '0', '9', exponent_digits));
        OMMA_TRY(add_state(builder, plain, &exponent));
        OMMA_TRY(add_bytes(builder, exponent, '0', '9', exponent_digits));
        OMMA_TRY(add_bytes(builder, exponent, '+', '+', unsigned_start));
        OMMA_TRY(add_bytes(builder, exponent, '-', '-', unsigned_start));
        left[0] = left[1] = exponent;
        OMMA_TRY(build_digits(builder, MAX_FRACTION, "eE", left, &fraction));
        OMMA_TRY(add_state(builder, plain, &point));
        OMMA_TRY(add_bytes(builder, point, '0', '9', fraction));
        left[2] = point;
    }
    OMMA_TRY(build_digits(builder, MAX_DIGITS, leaves, left, &digits));
    OMMA_TRY(build_digits(builder, 1, leaves, left, &fraction)); /* a zero stands alone */
    OMMA_TRY(add_state(builder, plain, &unsigned_start));
    OMMA_TRY(add_bytes(builder, unsigned_start, '0', '0', fraction));
    OMMA_TRY(add_bytes(builder, unsigned_start, '1', '9', digits));
    OMMA_TRY(add_state(builder, plain, start));
    OMMA_TRY(add_bytes(builder, *start, '0', '0', fraction));
    OMMA_TRY(add_bytes(builder, *start, '1', '9', digits));
    return add_bytes(builder, *start, '-', '-', unsigned_start);
}

/* A string from its first quote on; behind the last one the state `to`. */
static enum omma_status build_string(struct builder *builder, uint32_t min_chars,
                                     uint32_t max_chars, uint32_t to, uint32_t *inside)
{
    return add_state(
        builder,
        (struct omma_automaton_state){
            .is_string = true, .min_chars = min_chars, .max_chars = max_chars, .to = to},
        inside);
}

/* ----------------------------------------------------------------------------------------------
 * Arrays and objects
 * ------------------------------------------------------------------------------------------- */

/* State with white space first. */
static enum omma_status add_spaced(struct builder *builder, uint32_t *state)
{
    return add_state(builder, (struct omma_automaton_state){.spaces = true}, state);
}

static enum omma_status add_deep(struct builder *builder, uint32_t from, char byte, uint32_t to,
                                 uint16_t depth)
{
    return add_edge(builder, from,
                    (struct omma_automaton_edge){
                        .low = (uint8_t)byte, .high = (uint8_t)byte, .depth = depth, .to = to});
}

static enum omma_status build_array(struct builder *builder, const struct omma_value *value,
                                    uint32_t *start)
{
    uint16_t depth = builder->tree->values[value->item].depth;
    uint32_t first, behind, more;

    OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, start));
    OMMA_TRY(add_spaced(builder, &first));
    OMMA_TRY(add_spaced(builder, &behind));
    OMMA_TRY(add_spaced(builder, &more));
    OMMA_TRY(add_bytes(builder, *start, '[', '[', first));
    OMMA_TRY(add_bytes(builder, first, ']', ']', END));
    OMMA_TRY(add_call(builder, first, value->item, behind));
    OMMA_TRY(add_bytes(builder, behind, ']', ']', END));
    OMMA_TRY(add_deep(builder, behind, ',', more, depth));
    return add_call(builder, more, value->item, behind);
}

static enum omma_status build_map(struct builder *builder, const struct omma_value *value,
                                  uint32_t *start)
{
    uint16_t depth = builder->tree->values[value->item].depth;
    uint32_t first, name, colon, item, behind, more;

    OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, start));
    OMMA_TRY(add_spaced(builder, &first));
    OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, &colon));
    OMMA_TRY(build_string(builder, 0, UINT32_MAX, colon, &name));
    OMMA_TRY(add_spaced(builder, &item));
    OMMA_TRY(add_spaced(builder, &behind));
    OMMA_TRY(add_spaced(builder, &more));
    OMMA_TRY(add_bytes(builder, *start, '{', '{', first));
    OMMA_TRY(add_bytes(builder, first, '}', '}', END));
    OMMA_TRY(add_deep(builder, first, '"', name, depth));
    OMMA_TRY(add_bytes(builder, colon, ':', ':', item));
    OMMA_TRY(add_call(builder, item, value->item, behind));
    OMMA_TRY(add_bytes(builder, behind, '}', '}', END));
    OMMA_TRY(add_deep(builder, behind, ',', more, depth));
    return add_bytes(builder, more, '"', '"', name);
}

/* Properties in the automaton's table, from *first on. */
static enum omma_status add_properties(struct builder *builder, const struct omma_value *value,
                                       uint32_t *first)
{
    struct omma_automaton *automaton = builder->automaton;
    uint32_t last = (uint32_t)value->n_items;

    *first = automaton->n_properties;
    for (size_t i = 0; i < value->n_items; i++) {
        GROW(builder, properties, n_properties, properties_room);
        automaton->properties[automaton->n_properties++] = (struct omma_automaton_property){
            .depth = builder->tree->values[value->properties[i].value].depth};
    }
    for (size_t i = value->n_items; i-- > 0;) {
        last = value->properties[i].is_required ? (uint32_t)i : last;
        automaton->properties[*first + i].last = last;
    }
    return OMMA_OK;
}

/* A place within an object where properties from i on may come, the first ones or behind a comma.
 * names: the root of their trie. */
static enum omma_status add_place(struct builder *builder, const struct omma_value *value,
                                  uint32_t first, size_t i, uint32_t state, uint32_t names)
{
    size_t last = value->n_items, depth = OMMA_SCHEMA_NEVER;
    uint32_t more = state;

    if (i < value->n_items) {
        last = builder->automaton->properties[first + i].last;
    }
    for (size_t k = i; k < value->n_items && k <= last; k++) {
        depth = omma_min(depth, builder->automaton->properties[first + k].depth);
    }
    if (last == value->n_items) { /* nothing is required any more */
        OMMA_TRY(add_bytes(builder, state, '}', '}', END));
    }
    if (i == value->n_items) {
        return OMMA_OK;
    }
    if (i > 0) {
        OMMA_TRY(add_spaced(builder, &more));
        OMMA_TRY(add_deep(builder, state, ',', more, (uint16_t)depth));
    }
    return add_edge(
        builder, more,
        (struct omma_automaton_edge){
            .low = '"', .high = '"', .depth = (uint16_t)depth, .to = names, .count = (uint32_t)i});
}

static enum omma_status build_properties(struct builder *builder, const struct omma_value *value,
                                         struct branch *branches, uint32_t *start)
{
    uint32_t first, names, opened;

    OMMA_TRY(add_properties(builder, value, &first));
    OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, start));
    OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, &names));
    builder->automaton->states[names].properties = first;
    OMMA_TRY(add_spaced(builder, &opened));
    OMMA_TRY(add_bytes(builder, *start, '{', '{', opened));
    OMMA_TRY(add_place(builder, value, first, 0, opened, names));
    for (size_t i = 0; i < value->n_items; i++) {
        const struct omma_value_property *property = &value->properties[i];
        uint32_t item, behind;

        branches[i] = (struct branch){
            .bytes = property->name + 1, .n_bytes = property->n_name - 1, .member = (uint32_t)i};
        OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, &branches[i].to));
        OMMA_TRY(add_spaced(builder, &item));
        OMMA_TRY(add_spaced(builder, &behind));
        OMMA_TRY(add_bytes(builder, branches[i].to, ':', ':', item));
        OMMA_TRY(add_call(builder, item, property->value, behind));
        OMMA_TRY(add_place(builder, value, first, i + 1, behind, names));
    }
    if (value->n_items == 0) {
        return OMMA_OK;
    }
    qsort(branches, value->n_items, sizeof *branches, compare_branches);
    return add_trie(builder, names, branches, value->n_items, 0, first);
}

static enum omma_status build_object(struct builder *builder, const struct omma_value *value,
                                     uint32_t *start)
{
    struct branch *branches = calloc(value->n_items + 1, sizeof *branches);
    enum omma_status status;

    if (branches == NULL) {
        return omma_fail_memory(builder->error, value->n_items * sizeof *branches, "a schema");
    }
    status = build_properties(builder, value, branches, start);
    free(branches);
    return status;
}

static enum omma_status build_union(struct builder *builder, const struct omma_value *value,
                                    uint32_t *start)
{
    OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, start));
    for (size_t i = 0; i < value->n_items; i++) {
        OMMA_TRY(add_call(builder, *start, value->alternatives[i], END));
    }
    return OMMA_OK;
}

static enum omma_status build_value(struct builder *builder, const struct omma_value *value,
                                    uint32_t *start)
{
    uint32_t inside;

    switch (value->kind) {
    case OMMA_VALUE_UNION:
        return build_union(builder, value, start);
    case OMMA_VALUE_OBJECT:
        return build_object(builder, value, start);
    case OMMA_VALUE_MAP:
        return build_map(builder, value, start);
    case OMMA_VALUE_ARRAY:
        return build_array(builder, value, start);
    case OMMA_VALUE_STRING:
        OMMA_TRY(build_string(builder, value->min_chars, value->max_chars, END, &inside));
        OMMA_TRY(add_state(builder, (struct omma_automaton_state){0}, start));
        return add_bytes(builder, *start, '"', '"', inside);
    case OMMA_VALUE_NUMBER:
    case OMMA_VALUE_INTEGER:
        return build_number(builder, value->kind == OMMA_VALUE_INTEGER, start);
    case OMMA_VALUE_TEXTS:
        return build_texts(builder, value, start);
    }
    return omma_fail(builder->error, OMMA_STATUS_INTERNAL, "schema: a value of kind %d",
                     (int)value->kind);
}

static enum omma_status build_all(struct builder *builder)
{
    const struct omma_value_tree *tree = builder->tree;
    struct omma_automaton *automaton = builder->automaton;
    uint32_t end;

    automaton->nodes = calloc(tree->n_values, sizeof *automaton->nodes);
    if (automaton->nodes == NULL) {
        return omma_fail_memory(builder->error, tree->n_values * sizeof *automaton->nodes,
                                "a schema");
    }
    automaton->n_nodes = (uint32_t)tree->n_values;
    automaton->root = tree->root;
    OMMA_TRY(add_state(builder, (struct omma_automaton_state){.returns = true}, &end));
    for (size_t i = 0; i < tree->n_values; i++) {
        const struct omma_value *value = &tree->values[i];

        automaton->nodes[i].depth = value->depth;
        automaton->nodes[i].nests = value->nests;
        OMMA_TRY(build_value(builder, value, &automaton->nodes[i].start));
    }
    return OMMA_OK;
}

enum omma_status omma_automaton_build(const struct omma_value_tree *tree,
                                      struct omma_automaton *automaton, struct omma_error *error)
{
    struct builder builder = {.tree = tree, .automaton = automaton, .error = error};
    enum omma_status status;

    *automaton = (struct omma_automaton){0};
    status = build_all(&builder);
    if (status != OMMA_OK) {
        omma_automaton_free(automaton);
    }
    return status;
}
