/*
 * topology.h - the cores that this process may use, their caches, and the NUMA nodes of their
 * memory.
 *
 * A core counts if one of its hardware threads is in the affinity mask of the thread that opens the
 * topology and in the cpuset; it counts once, however many hardware threads it has.  A quota of the
 * cgroup (cgroup.h) lowers the number that can compute at a time, to 1 at least.
 *
 * A node counts if it holds the memory of one of these cores: the core's own node, or the nearest
 * that has memory and is allowed (cpuset, numactl --membind).  Cores are numbered node by node, and
 * in hwloc's logical order inside a node, so that neighbours share caches.
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
    const char *cpus;      /* the PUs to use of those allowed, "0-3,8"; NULL: all */
    const char *root;      /* where proc and sys lie, for the quota; NULL: "" (this machine), no
                              quota (one described) */
};

/* Fails with OMMA_STATUS_USAGE if the description cannot be read or allows no PU, or if cpus is no
 * list of PUs that this process may use, else with OMMA_STATUS_RESOURCES. */
enum omma_status omma_topology_open(const struct omma_topology_options *options,
                                    struct omma_topology **topology, struct omma_error *error);
/* Sets *topology to NULL; it may be NULL before. */
void omma_topology_close(struct omma_topology **topology);

/* Threads that can compute at full speed at the same time; at least 1. */
size_t omma_topology_n_cores(const struct omma_topology *topology);

/* Cores to choose from; more than n_cores only where a quota leaves fewer. */
size_t omma_topology_n_mask_cores(const struct omma_topology *topology);

/* Of core i < n_mask_cores: the operating system's number of its first allowed PU; its node, from 0
 * on without gaps; a number that the cores have in common that share a last cache, at a node. */
size_t omma_topology_pu(const struct omma_topology *topology, size_t i);
size_t omma_topology_node(const struct omma_topology *topology, size_t i);
size_t omma_topology_cache(const struct omma_topology *topology, size_t i);

/* Nodes; at least 1.  The operating system's number of one. */
size_t omma_topology_n_nodes(const struct omma_topology *topology);
size_t omma_topology_node_number(const struct omma_topology *topology, size_t node);

/*
 * Bind the calling thread to core i < n_mask_cores, or, where a quota leaves fewer cores than the
 * mask holds, to all allowed PUs of the core's node: which of them are idle only the operating
 * system knows.  False if that failed (the core went offline) or the topology is not this
 * machine's; work goes on unbound then.  Any thread may call it.
 */
bool omma_topology_bind(const struct omma_topology *topology, size_t i);

/* Give the calling thread back the mask that was found on opening; false as above. */
bool omma_topology_unbind(const struct omma_topology *topology);

/* Let pages of n_bytes from address on (whole pages) come from a node as long as it has free ones;
 * with migrate, also move those there that exist already.  False as above. */
bool omma_topology_bind_memory(const struct omma_topology *topology, size_t node, void *address,
                               size_t n_bytes, bool migrate);

/* Whether it is this machine, and not one described. */
bool omma_topology_is_this_machine(const struct omma_topology *topology);

/* What the whole machine has, allowed or not: packages, cores, and PUs (hardware threads) that are
 * online. */
struct omma_topology_counts {
    size_t n_packages, n_cores, n_pus;
};

void omma_topology_count(const struct omma_topology *topology, struct omma_topology_counts *counts);

/* Data that a core's L1 holds; 0 if unknown. */
size_t omma_topology_l1_bytes(const struct omma_topology *topology);

/* Data that a core's L2 holds; 0 if unknown. */
size_t omma_topology_l2_bytes(const struct omma_topology *topology);

/* What the L3 caches of the allowed cores hold together; 0 if there is none or it is unknown. */
size_t omma_topology_l3_bytes(const struct omma_topology *topology);

size_t omma_topology_page_bytes(void);

#endif
