/*
 * topology.h - the cores that this process may use, and their caches.
 *
 * A core counts if one of its hardware threads is in the affinity mask of the thread that opens the
 * topology and in the cpuset; it counts once, however many hardware threads it has.  A quota of the
 * cgroup (cgroup.h) lowers the number, to 1 at least.  Cores are numbered 0 .. n_cores - 1 in
 * hwloc's logical order, so that neighbours share caches.
 *
 * Open it on a thread that has not been bound to one core yet: a bound thread's mask is that core.
 */
#ifndef OMMA_PLATFORM_TOPOLOGY_H
#define OMMA_PLATFORM_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct omma_topology;

/* All NULL (or options NULL): this machine. */
struct omma_topology_options {
    const char *synthetic; /* hwloc's description of a machine, "package:2 core:8 pu:2" */
    const char *xml_path;  /* or a machine recorded by lstopo */
    const char *mask;      /* of such a machine: the PUs allowed, "0-3,8"; NULL: all */
    const char *root;      /* where proc and sys lie, for the quota; NULL: "" (this machine), no
                              quota (one described) */
};

/* Fails with OMMA_STATUS_USAGE if the description cannot be read or allows no PU, else with
 * OMMA_STATUS_RESOURCES. */
enum omma_status omma_topology_open(const struct omma_topology_options *options,
                                    struct omma_topology **topology, struct omma_error *error);
/* Sets *topology to NULL; it may be NULL before. */
void omma_topology_close(struct omma_topology **topology);

/* Threads that can compute at full speed at the same time; at least 1. */
size_t omma_topology_n_cores(const struct omma_topology *topology);

/* The operating system's number of core i's first allowed PU; i < n_cores. */
size_t omma_topology_pu(const struct omma_topology *topology, size_t i);

/*
 * Bind the calling thread to core i modulo n_cores, or, where a quota leaves fewer cores than the
 * mask holds, to the mask: which of its cores are idle only the operating system knows.  False if
 * that failed or the topology is not this machine's; work goes on unbound then.  Any thread may
 * call it.
 */
bool omma_topology_bind(const struct omma_topology *topology, size_t i);

/* Give the calling thread back the mask that was found on opening; false as above. */
bool omma_topology_unbind(const struct omma_topology *topology);

/* Data that a core's L2 holds; 0 if unknown. */
size_t omma_topology_l2_bytes(const struct omma_topology *topology);

/* What the L3 caches of the allowed cores hold together; 0 if there is none or it is unknown. */
size_t omma_topology_l3_bytes(const struct omma_topology *topology);

size_t omma_topology_page_bytes(void);

#endif
