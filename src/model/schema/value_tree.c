/* The tree's memory, and what is known once all of it was read. */
#include "model/schema/value_tree.h"

#include <stdlib.h>

#include "base/checked.h"
#include "model/schema/automaton.h"

void omma_value_tree_free(struct omma_value_tree *tree)
{
    omma_arena_free(&tree->arena);
    free(tree->values);
    *tree = (struct omma_value_tree){0};
}

enum omma_status omma_value_tree_add(struct omma_value_tree *tree, struct omma_value value,
                                     uint32_t *index, struct omma_error *error)
{
    if (tree->n_values == OMMA_SCHEMA_MAX_VALUES) {
        return omma_fail(error, OMMA_STATUS_USAGE, "schema: more than %d schemas in it",
                         OMMA_SCHEMA_MAX_VALUES);
    }
    if (tree->n_values == tree->capacity) {
        size_t capacity = omma_max(64, 2 * tree->capacity);
        struct omma_value *grown = realloc(tree->values, capacity * sizeof *grown);

        if (grown == NULL) {
            return omma_fail_memory(error, capacity * sizeof *grown, "a schema");
        }
        tree->values = grown;
        tree->capacity = capacity;
    }
    *index = (uint32_t)tree->n_values;
    tree->values[tree->n_values++] = value;
    return OMMA_OK;
}

/* Scratch of flattening: values seen from a union, and those of them still to look into. */
struct walk {
    bool *seen;      /* [n_values] */
    uint32_t *todo;  /* [n_values] */
    uint32_t *found; /* [n_values] alternatives that are no unions, in order */
};

/* Depth first, so that alternatives keep their order. */
static enum omma_status flatten(struct omma_value_tree *tree, uint32_t at, struct walk *walk,
                                const char *pointer, struct omma_error *error)
{
    struct omma_value *value = &tree->values[at];
    size_t n_todo = 1, n_found = 0;
    uint32_t *alternatives;

    for (size_t i = 0; i < tree->n_values; i++) {
        walk->seen[i] = false;
    }
    walk->todo[0] = at;
    while (n_todo > 0) {
        uint32_t top = walk->todo[--n_todo];
        const struct omma_value *seen = &tree->values[top];

        if (seen->kind != OMMA_VALUE_UNION) {
            walk->found[n_found++] = top;
            continue;
        }
        for (size_t i = seen->n_items; i-- > 0;) {
            uint32_t next = seen->alternatives[i];

            if (next == at) {
                return omma_fail(error, OMMA_STATUS_USAGE, "schema: %s: it is defined by itself",
                                 pointer);
            }
            if (!walk->seen[next]) {
                walk->seen[next] = true;
                walk->todo[n_todo++] = next;
            }
        }
    }
    if (n_found > OMMA_SCHEMA_MAX_CHOICES) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "schema: %s: expected at most %d alternatives, found %zu", pointer,
                         OMMA_SCHEMA_MAX_CHOICES, n_found);
    }
    alternatives = omma_arena_take(&tree->arena, n_found + 1, sizeof *alternatives);
    if (alternatives == NULL) {
        return omma_fail_memory(error, n_found * sizeof *alternatives, "a schema");
    }
    for (size_t i = 0; i < n_found; i++) {
        alternatives[i] = walk->found[i];
    }
    value->alternatives = alternatives;
    value->n_items = n_found;
    return OMMA_OK;
}

static enum omma_status flatten_all(struct omma_value_tree *tree, const char *const *pointers,
                                    struct omma_error *error)
{
    size_t n = tree->n_values + 1;
    struct walk walk = {calloc(n, sizeof *walk.seen), calloc(n, sizeof *walk.todo),
                        calloc(n, sizeof *walk.found)};
    enum omma_status status = OMMA_OK;

    if (walk.seen == NULL || walk.todo == NULL || walk.found == NULL) {
        status = omma_fail_memory(error, n * sizeof *walk.todo, "a schema");
    }
    for (uint32_t i = 0; i < tree->n_values && status == OMMA_OK; i++) {
        if (tree->values[i].kind == OMMA_VALUE_UNION) {
            status = flatten(tree, i, &walk, pointers[i], error);
        }
    }
    free(walk.seen);
    free(walk.todo);
    free(walk.found);
    return status;
}

/* The depth by what is known of other values' so far. */
static uint16_t depth_of(const struct omma_value_tree *tree, const struct omma_value *value)
{
    size_t least = OMMA_SCHEMA_NEVER, most = 0;

    switch (value->kind) {
    case OMMA_VALUE_UNION:
        for (size_t i = 0; i < value->n_items; i++) {
            least = omma_min(least, tree->values[value->alternatives[i]].depth);
        }
        return (uint16_t)least;
    case OMMA_VALUE_OBJECT:
        for (size_t i = 0; i < value->n_items; i++) {
            if (value->properties[i].is_required) {
                most = omma_max(most, tree->values[value->properties[i].value].depth);
            }
        }
        return (uint16_t)omma_min(most + 1, OMMA_SCHEMA_NEVER);
    case OMMA_VALUE_MAP:
    case OMMA_VALUE_ARRAY:
        return 1; /* empty */
    default:
        return 0;
    }
}

/* From "never" down until nothing changes; depths beyond what may be nested come to the same, so
 * the rounds are bounded. */
static void set_depths(struct omma_value_tree *tree)
{
    bool changed = true;

    for (size_t i = 0; i < tree->n_values; i++) {
        tree->values[i].depth = OMMA_SCHEMA_NEVER;
    }
    for (int round = 0; changed && round <= OMMA_SCHEMA_MAX_DEPTH + 1; round++) {
        changed = false;
        for (int pass = 0; pass < 2; pass++) { /* containers, then what unions make of them */
            for (size_t i = 0; i < tree->n_values; i++) {
                struct omma_value *value = &tree->values[i];
                uint16_t depth = depth_of(tree, value);

                if ((value->kind == OMMA_VALUE_UNION) == (pass == 1) && depth != value->depth) {
                    value->depth = depth;
                    changed = true;
                }
            }
        }
    }
}

enum omma_status omma_value_tree_finish(struct omma_value_tree *tree, const char *const *pointers,
                                        struct omma_error *error)
{
    OMMA_TRY(flatten_all(tree, pointers, error));
    set_depths(tree);
    if (tree->values[tree->root].depth > OMMA_SCHEMA_MAX_DEPTH) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "schema: no value of at most %d arrays and objects within each other fits",
                         OMMA_SCHEMA_MAX_DEPTH);
    }
    return OMMA_OK;
}
