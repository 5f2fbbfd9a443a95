/*
 * automaton.h - a pushdown automaton over the bytes of JSON texts.
 *
 * A node is a set of values: it begins in a state, and ends where a state returns.  A state reads
 * bytes along its edges, or calls nodes, behind which another state goes on.  What may come is a
 * set of configurations, a stack of states to return to each: alternatives are followed side by
 * side. Every configuration in a set can be completed, since whatever would nest deeper than
 * OMMA_SCHEMA_MAX_DEPTH with the least that has to follow is never entered.
 */
#ifndef OMMA_SCHEMA_AUTOMATON_H
#define OMMA_SCHEMA_AUTOMATON_H

#include "base/status.h"
#include "model/schema/string_state.h"

enum {
    OMMA_SCHEMA_MAX_DEPTH = 64,   /* arrays and objects within each other */
    OMMA_SCHEMA_MAX_INDENT = 32,  /* spaces behind a newline */
    OMMA_SCHEMA_MAX_CHOICES = 64, /* configurations side by side; further ones are not followed */
    OMMA_SCHEMA_NEVER = 65535,    /* the depth of a value without an end */
};

#define OMMA_SCHEMA_NONE UINT32_MAX

struct omma_automaton_edge {
    uint8_t low, high; /* bytes, both included */
    uint16_t depth;    /* that what has to follow nests at least */
    uint32_t to;
    uint32_t count; /* for the state it leads to, if that does not keep its own */
    /* of a key: the properties whose names go on here, ascending */
    uint32_t first_member, n_members;
};

struct omma_automaton_call {
    uint32_t node, next;
};

struct omma_automaton_state {
    uint32_t first_edge, n_edges;
    uint32_t first_call, n_calls;
    uint32_t
        properties; /* of a state within a key: its object's first one; else OMMA_SCHEMA_NONE */
    uint32_t min_chars, max_chars, to; /* of a string: its length, and the state behind its end */
    bool is_string;                    /* the state is the inside of a string */
    bool spaces;  /* white space may come first: a space, or a newline with up to
                     OMMA_SCHEMA_MAX_INDENT spaces */
    bool returns; /* the node may end here */
};

struct omma_automaton_node {
    uint32_t start;
    uint16_t depth; /* that its values nest at least */
    bool nests;     /* it is an array or object itself */
};

/* Names come in the order of properties, optional ones may be left out: once one with the index i
 * may come, so may those up to last, the first required one. */
struct omma_automaton_property {
    uint32_t last;
    uint16_t depth; /* of its value */
};

struct omma_automaton {
    struct omma_automaton_node *nodes;
    struct omma_automaton_state *states;
    struct omma_automaton_edge *edges;
    struct omma_automaton_call *calls;
    struct omma_automaton_property *properties; /* of all objects, one after the other */
    uint32_t *members;                          /* indices within an object */
    uint32_t n_nodes, n_states, n_edges, n_calls, n_properties, n_members;
    uint32_t root; /* node */
};

void omma_automaton_free(struct omma_automaton *automaton);

struct omma_automaton_config {
    uint32_t state;
    uint32_t stack; /* 0: the bottom, else an index of struct omma_automaton_run */
    uint32_t count; /* white space taken; within a key: the first property allowed; within a string:
                       characters */
    uint16_t depth;
    uint16_t inside; /* of a string: enum omma_string_state */
};

struct omma_automaton_set {
    uint32_t n_configs;
    bool is_complete; /* the text may end here */
    struct omma_automaton_config configs[OMMA_SCHEMA_MAX_CHOICES];
};

struct omma_automaton_frame {
    uint32_t parent, next;
    uint32_t moved; /* for omma_automaton_compact() */
    uint16_t depth;
};

/* Stacks of a run, which share their lower parts. */
struct omma_automaton_run {
    const struct omma_automaton *automaton;
    struct omma_automaton_frame *frames; /* [n_frames], the first one unused */
    uint32_t n_frames, capacity;
    bool failed; /* memory was short: the sets are not to be used */
};

enum omma_status omma_automaton_run_init(struct omma_automaton_run *run,
                                         const struct omma_automaton *automaton,
                                         struct omma_error *error);
void omma_automaton_run_fini(struct omma_automaton_run *run);

/* What may come first. */
void omma_automaton_begin(struct omma_automaton_run *run, struct omma_automaton_set *set);

/* What may come behind a byte; empty and not complete if the byte may not come. from and to differ.
 * Setting run->n_frames back to what it was makes all sets since then void, and frees their room.
 */
void omma_automaton_step(struct omma_automaton_run *run, const struct omma_automaton_set *from,
                         uint8_t byte, struct omma_automaton_set *to);

/* Keep the stacks of this set only. */
void omma_automaton_compact(struct omma_automaton_run *run, struct omma_automaton_set *set);

/* Characters that may still come in a string, if a configuration is between two of them; 0 if none
 * is.  *is_alone: all configurations are so. */
uint32_t omma_automaton_text_room(const struct omma_automaton *automaton,
                                  const struct omma_automaton_set *set, bool *is_alone);

#endif
