/*
 * A machine may have nodes without memory (a socket with empty slots), without cores (CXL, HBM),
 * and both.  A node without cores is given the cores of what it hangs on, so several nodes may
 * claim a PU: the one with the fewest cores is its own, the first of these where they are alike, as
 * firmware numbers the nodes of the cores first.
 */
#include "platform/topology_nodes.h"

#include <stdbool.h>

static hwloc_obj_t node_at(hwloc_topology_t machine, int i)
{
    return hwloc_get_obj_by_type(machine, HWLOC_OBJ_NUMANODE, (unsigned)i);
}

static int count_nodes(hwloc_topology_t machine)
{
    return hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_NUMANODE);
}

static bool has_memory(hwloc_obj_t node, hwloc_const_nodeset_t usable)
{
    return node->attr->numanode.local_memory > 0 && hwloc_bitmap_isset(usable, node->os_index);
}

/* The node that a PU belongs to, whatever memory it has; NULL if none claims it. */
static hwloc_obj_t own_node(hwloc_topology_t machine, hwloc_obj_t pu)
{
    hwloc_obj_t own = NULL;

    for (int i = 0; i < count_nodes(machine); i++) {
        hwloc_obj_t node = node_at(machine, i);

        if (hwloc_bitmap_isset(node->cpuset, pu->os_index) &&
            (own == NULL || hwloc_bitmap_weight(node->cpuset) < hwloc_bitmap_weight(own->cpuset))) {
            own = node;
        }
    }
    return own;
}

/* The usable node at the least distance from a node; NULL if the machine tells no distances. */
static hwloc_obj_t nearest_by_distance(hwloc_topology_t machine, hwloc_obj_t from,
                                       hwloc_const_nodeset_t usable)
{
    struct hwloc_distances_s *distances = NULL;
    unsigned n_matrices = 1;
    hwloc_uint64_t least = UINT64_MAX;
    hwloc_obj_t nearest = NULL;

    if (hwloc_distances_get_by_type(machine, HWLOC_OBJ_NUMANODE, &n_matrices, &distances,
                                    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0 ||
        n_matrices == 0) {
        return NULL;
    }
    for (int i = 0; i < count_nodes(machine); i++) {
        hwloc_obj_t node = node_at(machine, i);
        hwloc_uint64_t there, back;

        if (has_memory(node, usable) &&
            hwloc_distances_obj_pair_values(distances, from, node, &there, &back) == 0 &&
            there < least) {
            least = there;
            nearest = node;
        }
    }
    hwloc_distances_release(machine, distances);
    return nearest;
}

/* The first usable node below the lowest object above the PU that has one. */
static hwloc_obj_t nearest_by_tree(hwloc_topology_t machine, hwloc_obj_t pu,
                                   hwloc_const_nodeset_t usable)
{
    for (hwloc_obj_t above = pu->parent; above != NULL; above = above->parent) {
        for (int i = 0; i < count_nodes(machine); i++) {
            hwloc_obj_t node = node_at(machine, i);

            if (has_memory(node, usable) && hwloc_bitmap_isset(above->nodeset, node->os_index)) {
                return node;
            }
        }
    }
    return NULL;
}

hwloc_obj_t omma_topology_memory_node(hwloc_topology_t machine, hwloc_obj_t pu,
                                      hwloc_const_nodeset_t usable)
{
    hwloc_obj_t own = own_node(machine, pu), nearest = NULL;

    if (own != NULL && has_memory(own, usable)) {
        return own;
    }
    if (own != NULL) {
        nearest = nearest_by_distance(machine, own, usable);
    }
    if (nearest == NULL) {
        nearest = nearest_by_tree(machine, pu, usable);
    }
    if (nearest == NULL) { /* memory is not told at all */
        nearest = own != NULL ? own : node_at(machine, 0);
    }
    return nearest;
}
