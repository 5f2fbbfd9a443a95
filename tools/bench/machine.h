/*
 * machine.h - a server that is described rather than measured: the MACHINE.json of omma-bench(1).
 */
#ifndef OMMA_BENCH_MACHINE_H
#define OMMA_BENCH_MACHINE_H

#include "tools/status.h"

/* Nodes are alike. */
struct bench_machine {
    char name[96], tier[32];
    size_t n_nodes, cores_per_node;
    double clock_hz;      /* of all cores at work with the tier's multiply-add */
    double f32_per_cycle; /* multiply-adds of a core; 0: not given */
    double bf16_per_cycle, i8_per_cycle;
    double read_bytes_per_s;    /* of a node's cores from its own memory */
    double between_bytes_per_s; /* of a node's cores from another's */
    double barrier_s;           /* of all threads */
};

/* Read a file of JSON.  OMMA_STATUS_USAGE with "path: field: expected X, found Y". */
enum omma_status bench_machine_read(const char *path, struct bench_machine *machine,
                                    struct omma_error *error);

/* The machine at hand, as its limits are. */
void bench_machine_here(const struct omma_limits *limits, struct bench_machine *machine);

#endif
