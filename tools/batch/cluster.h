/*
 * cluster.h - the processes that compute a run together, started by mpirun or its like, and their
 * messages.
 *
 * Two sources have it, one of which a program links: cluster_mpi.c, and cluster_alone.c, which
 * knows that there is nobody else.  Called from the main thread alone.  Nothing here waits, or
 * burns a core while it has nothing to do, but what says so.
 */
#ifndef OMMA_TOOLS_BATCH_CLUSTER_H
#define OMMA_TOOLS_BATCH_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/status.h"

/* A process of several. */
struct cluster;

struct cluster_message {
    int kind; /* at least 0; what it means is the users' affair */
    size_t from;
    char *bytes; /* [n_bytes] and a NUL behind them, to be freed */
    size_t n_bytes;
};

/* *cluster: NULL for a process that is alone.  OMMA_STATUS_USAGE if it was started as one of
 * several and omma was built without MPI. */
enum omma_status cluster_open(struct cluster **cluster, struct omma_error *error);

/* Waits for the others to come here, too; all messages must have been received. */
void cluster_close(struct cluster **cluster);

/* End all processes at once, with this exit code. */
void cluster_abort(struct cluster *cluster, int code);

size_t cluster_rank(const struct cluster *cluster); /* 0 to size - 1 */
size_t cluster_size(const struct cluster *cluster);
const char *cluster_host(const struct cluster *cluster); /* where this process runs */

/* The bytes are copied.  Messages from one process to another come in their order. */
enum omma_status cluster_send(struct cluster *cluster, size_t to, int kind, const void *bytes,
                              size_t n_bytes, struct omma_error *error);

/* The next message that is there; *got false: there is none now. */
enum omma_status cluster_receive(struct cluster *cluster, struct cluster_message *message,
                                 bool *got, struct omma_error *error);

#endif
