/*
 * node_memory.h - memory of a NUMA node: taken there, moved there, and the proof of where it lies.
 */
#ifndef OMMA_PLATFORM_NODE_MEMORY_H
#define OMMA_PLATFORM_NODE_MEMORY_H

#include <stdint.h>

#include "base/status.h"
#include "platform/topology.h"

/* Anonymous memory whose pages come from a node, huge ones where the system has them. */
struct omma_node_memory {
    char *bytes; /* aligned to a huge page; NULL: none */
    size_t n_bytes;
};

/* Reserve n_bytes on a node of the topology; pages are taken as they are touched.  Where the node
 * cannot be bound to (no permission, another machine), the thread that touches a page first
 * decides. OMMA_STATUS_RESOURCES with what it is for if the address space is too small. */
enum omma_status omma_node_memory_init(const struct omma_topology *topology, size_t node,
                                       size_t n_bytes, const char *what,
                                       struct omma_node_memory *memory, struct omma_error *error);
void omma_node_memory_fini(struct omma_node_memory *memory);

/* Bring pages of a mapped file into memory, by the calling thread; those that are new come from its
 * own node. */
void omma_node_memory_populate(const void *address, size_t n_bytes);

/* What a node could give now: free pages, and those that hold files or can be reclaimed otherwise.
 * UINT64_MAX: unknown.  root as in topology.h.  Source: sys/devices/system/node/nodeN/meminfo, or
 * MemAvailable of proc/meminfo where there is one node; Linux, Documentation/filesystems/proc.rst.
 */
uint64_t omma_node_memory_available(const char *root, size_t node_number);

/* Where pages lie. */
struct omma_page_count {
    uint64_t n_asked;
    uint64_t n_local, n_remote; /* on the node asked for, on others */
    uint64_t n_absent; /* not in the page table: on disk, or not read by this process yet */
};

/* Ask for every step-th page that holds some of n_bytes from address on, and add to *count what is
 * on the node of that number.  OMMA_STATUS_RESOURCES if the system does not tell.  Source:
 * move_pages(2). */
enum omma_status omma_node_memory_count(const void *address, size_t n_bytes, size_t step,
                                        size_t node_number, struct omma_page_count *count,
                                        struct omma_error *error);

/* How many of n_bytes from address on (whole pages) are in huge pages; 0 also if unknown.  Source:
 * /proc/self/smaps. */
uint64_t omma_node_memory_huge_bytes(const void *address, size_t n_bytes);

#endif
