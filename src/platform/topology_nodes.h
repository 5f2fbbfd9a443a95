/*
 * topology_nodes.h - which NUMA node serves a core: a part of topology.c.
 */
#ifndef OMMA_PLATFORM_TOPOLOGY_NODES_H
#define OMMA_PLATFORM_TOPOLOGY_NODES_H

#include <hwloc.h>

/* The node of a PU's memory, of those in usable that have memory: the node of its own; where that
 * has none, the nearest by the machine's distances or, without these, by the tree.  Not NULL as
 * long as the machine has a node. */
hwloc_obj_t omma_topology_memory_node(hwloc_topology_t machine, hwloc_obj_t pu,
                                      hwloc_const_nodeset_t usable);

#endif
