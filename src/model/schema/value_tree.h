/*
 * value_tree.h - what a JSON schema allows, as sets of values: read from the schema, and refused by
 * keyword and JSON pointer where it asks for what cannot be held to.
 */
#ifndef OMMA_SCHEMA_VALUE_TREE_H
#define OMMA_SCHEMA_VALUE_TREE_H

#include "base/arena.h"
#include "base/status.h"

enum {
    OMMA_SCHEMA_MAX_VALUES = 10000,
};

enum omma_value_kind {
    OMMA_VALUE_UNION,
    OMMA_VALUE_OBJECT, /* the properties, in their order, and no others */
    OMMA_VALUE_MAP,    /* an object of any names */
    OMMA_VALUE_ARRAY,
    OMMA_VALUE_STRING,
    OMMA_VALUE_NUMBER,
    OMMA_VALUE_INTEGER,
    OMMA_VALUE_TEXTS, /* one of these JSON texts */
};

struct omma_value_property {
    const char *name; /* as JSON, with its quotes */
    size_t n_name;
    uint32_t value;
    bool is_required;
};

struct omma_value_text {
    const char *bytes;
    size_t n_bytes;
};

/* Values are referred to by their index. */
struct omma_value {
    enum omma_value_kind kind;
    bool nests;
    uint16_t depth; /* arrays and objects within each other that a value has at least;
                       OMMA_SCHEMA_NEVER: without an end */
    uint32_t item;  /* of a map and an array */
    uint32_t min_chars, max_chars;          /* of a string, Unicode characters */
    const uint32_t *alternatives;           /* [n_items] of a union, none of which is a union */
    struct omma_value_property *properties; /* [n_items] */
    const struct omma_value_text *texts;    /* [n_items] no two the same */
    size_t n_items;
};

struct omma_value_tree {
    struct omma_arena arena;
    struct omma_value *values;
    size_t n_values, capacity;
    uint32_t root;
};

/* text NULL: any JSON object.  OMMA_STATUS_USAGE for what is no JSON, no schema, or not supported.
 * The tree is freed in any case of failure. */
enum omma_status omma_value_tree_read(const char *text, size_t n_bytes,
                                      struct omma_value_tree *tree, struct omma_error *error);
void omma_value_tree_free(struct omma_value_tree *tree);

/* For the reader alone: a value, index in *index. */
enum omma_status omma_value_tree_add(struct omma_value_tree *tree, struct omma_value value,
                                     uint32_t *index, struct omma_error *error);

/* For the reader alone: unions of unions become one, and depths are set.  pointers[n_values] name
 * the values in messages. */
enum omma_status omma_value_tree_finish(struct omma_value_tree *tree, const char *const *pointers,
                                        struct omma_error *error);

#endif
