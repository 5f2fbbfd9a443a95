/*
 * weight_memory.h - where the weights lie that an engine's threads read.
 *
 * off      the files' pages, wherever the page cache has them.
 * shard    each matrix is cut by rows at the borders of panels where omma_team_node_range() puts
 * them: a node has the rows that its own threads multiply.  They are copied to huge pages of the
 *          node or, to stay mapped, the files' pages are moved there as far as the system does it.
 * mirror   each node has all rows.
 * auto     off on one node, shard on several; off with a warning where the copies do not fit.
 *
 * What is copied: the matrices of products (omma_weights_each_product()).  Tables that are read by
 * single rows (embeddings) stay mapped: a step reads a row of them.  Vectors (norms, biases,
 * scales) stay in the model's arena: they are read by all threads and live in caches.
 *
 * The bits of a result depend on none of this.
 */
#ifndef OMMA_ENGINE_WEIGHT_MEMORY_H
#define OMMA_ENGINE_WEIGHT_MEMORY_H

#include "api/omma.h"
#include "base/arena.h"
#include "model/model.h"
#include "platform/node_memory.h"
#include "platform/team.h"

struct omma_weight_memory_options {
    enum omma_numa numa;
    bool keep_mapped; /* shard moves pages and copies nothing */
    bool drop_cache;  /* give back the files' pages once they are copied */
    const char *root; /* of proc and sys, which tell what is free; NULL: nothing is asked */
    const struct omma_log *log;
};

/* "off", "shard" or "mirror". */
const char *omma_numa_name(enum omma_numa numa);

/* A matrix that is multiplied by, and its place among those that are dealt out with it. */
struct omma_placed_matrix {
    const struct omma_matrix *source; /* the model's */
    size_t first_panel, n_group_panels;
};

struct omma_weight_memory {
    const struct omma_weights *weights; /* for encoder and decoder */
    enum omma_numa numa;                /* never auto */
    bool is_copied;
    size_t n_matrices, n_nodes;
    struct omma_placed_matrix *matrices; /* [n_matrices] */
    struct omma_matrix **placed; /* [1 or n_nodes][n_matrices], where copied: those of weights, by
                                    shard, or of each mirror */
    struct omma_node_memory *nodes; /* [n_nodes], where copied */
    struct omma_arena arena;
};

/* By the thread that runs the team, which does the copying; model and team must outlive the result.
 * OMMA_STATUS_RESOURCES with the sizes if an explicit shard or mirror does not fit a node, or all
 * copies together the control group. */
enum omma_status omma_weight_memory_create(const struct omma_model *model, struct omma_team *team,
                                           const struct omma_weight_memory_options *options,
                                           struct omma_weight_memory **memory,
                                           struct omma_error *error);
void omma_weight_memory_destroy(struct omma_weight_memory **memory);

/* Where the weights lie that a node's threads read: omma.h.  From any thread. */
enum omma_status omma_weight_memory_audit(const struct omma_weight_memory *memory,
                                          const struct omma_team *team, size_t node,
                                          struct omma_node_placement *placement,
                                          struct omma_error *error);

#endif
