/*
 * examination.h - what omma doctor found out: the machine, the tier, its limits, and where a
 * model's weights lie.
 */
#ifndef OMMA_TOOLS_DOCTOR_EXAMINATION_H
#define OMMA_TOOLS_DOCTOR_EXAMINATION_H

#include "api/omma.h"

struct examination {
    const struct omma_machine *machine;
    const char *isa; /* the tier in use */
    bool is_best;    /* of those that were built and that this CPU has */
    bool is_measured;
    struct omma_limits limits; /* of all threads */
    const struct omma_limits
        *node_limits; /* [n_nodes]: each node's cores alone, at its own memory */
    const double
        *node_reads; /* [n_nodes][n_nodes]: bytes/s that a node's cores read of each node */
    const struct omma_model_info *model; /* NULL: none was named */
    const struct omma_engine_info *engine;
    size_t n_placements;
    const struct omma_node_placement *placements;
};

/* Called for each piece of advice: one sentence of what is so, one of what to do. */
typedef void (*advice_fn)(void *user, const char *finding, const char *remedy);

/* What could be better, most important first; returns how many there were. */
size_t give_advice(const struct examination *examination, advice_fn tell, void *user);

/* Write all of it. */
void print_examination(const struct examination *examination);
enum omma_status write_examination(const struct examination *examination, struct omma_error *error);

#endif
