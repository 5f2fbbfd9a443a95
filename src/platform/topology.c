/*
 * hwloc finds cores and caches; what this process may use of them is the mask of the calling thread
 * (which the cpuset has already cut), one PU a core, as many as the quota lets run.
 */
#include "platform/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/cgroup.h"

struct omma_topology {
    hwloc_topology_t machine;
    hwloc_bitmap_t mask; /* all PUs allowed */
    bool is_this_machine;
    size_t n_mask_cores, n_cores;
    hwloc_obj_t *pus; /* [n_mask_cores], the first allowed PU of each core */
};

/* Load the machine that the options describe, or this one. */
static enum omma_status load(struct omma_topology *topology,
                             const struct omma_topology_options *options, struct omma_error *error)
{
    if (hwloc_topology_init(&topology->machine) != 0) {
        topology->machine = NULL;
        return omma_fail(error, OMMA_STATUS_RESOURCES, "topology: %s", strerror(errno));
    }
    if (options->synthetic != NULL &&
        hwloc_topology_set_synthetic(topology->machine, options->synthetic) != 0) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "topology: expected a description of hwloc, found \"%s\"",
                         options->synthetic);
    }
    if (options->xml_path != NULL &&
        hwloc_topology_set_xml(topology->machine, options->xml_path) != 0) {
        return omma_fail(error, OMMA_STATUS_USAGE, "%s: expected hwloc's XML of a machine: %s",
                         options->xml_path, strerror(errno));
    }
    if (hwloc_topology_load(topology->machine) != 0) {
        return omma_fail(error,
                         options->xml_path != NULL ? OMMA_STATUS_USAGE : OMMA_STATUS_RESOURCES,
                         "topology: cannot be read: %s", strerror(errno));
    }
    topology->is_this_machine = hwloc_topology_is_thissystem(topology->machine);
    return OMMA_OK;
}

static enum omma_status find_mask(struct omma_topology *topology, const char *mask,
                                  struct omma_error *error)
{
    topology->mask = hwloc_bitmap_alloc();
    if (topology->mask == NULL) {
        return omma_fail(error, OMMA_STATUS_RESOURCES, "topology: %s", strerror(errno));
    }
    if (mask != NULL) {
        if (hwloc_bitmap_list_sscanf(topology->mask, mask) != 0) {
            return omma_fail(error, OMMA_STATUS_USAGE,
                             "mask: expected numbers of PUs, found \"%s\"", mask);
        }
    } else if (!topology->is_this_machine ||
               hwloc_get_cpubind(topology->machine, topology->mask, HWLOC_CPUBIND_THREAD) != 0) {
        hwloc_bitmap_fill(topology->mask);
    }
    hwloc_bitmap_and(topology->mask, topology->mask,
                     hwloc_topology_get_allowed_cpuset(topology->machine));
    return OMMA_OK;
}

/* The first allowed PU of each core, in logical order; a PU of no known core is one of its own. */
static enum omma_status find_cores(struct omma_topology *topology, struct omma_error *error)
{
    int n_pus = hwloc_get_nbobjs_by_type(topology->machine, HWLOC_OBJ_PU);
    hwloc_obj_t last_core = NULL;

    topology->pus = calloc(n_pus > 0 ? (size_t)n_pus : 1, sizeof topology->pus[0]);
    if (topology->pus == NULL) {
        return omma_fail_memory(error, (size_t)n_pus * sizeof topology->pus[0], "the topology");
    }
    for (int i = 0; i < n_pus; i++) {
        hwloc_obj_t pu = hwloc_get_obj_by_type(topology->machine, HWLOC_OBJ_PU, (unsigned)i);
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology->machine, HWLOC_OBJ_CORE, pu);

        if (!hwloc_bitmap_isset(topology->mask, pu->os_index) ||
            (core != NULL && core == last_core)) {
            continue;
        }
        last_core = core;
        topology->pus[topology->n_mask_cores++] = pu;
    }
    if (topology->n_mask_cores == 0) {
        return omma_fail(error, OMMA_STATUS_USAGE, "topology: no PU is allowed");
    }
    return OMMA_OK;
}

enum omma_status omma_topology_open(const struct omma_topology_options *options,
                                    struct omma_topology **out, struct omma_error *error)
{
    static const struct omma_topology_options defaults;
    struct omma_topology *topology = calloc(1, sizeof *topology);
    enum omma_status status;
    size_t quota = SIZE_MAX;

    *out = NULL;
    if (topology == NULL) {
        return omma_fail_memory(error, sizeof *topology, "the topology");
    }
    options = options != NULL ? options : &defaults;
    OMMA_TRY_OR(status, failed, load(topology, options, error));
    OMMA_TRY_OR(status, failed, find_mask(topology, options->mask, error));
    OMMA_TRY_OR(status, failed, find_cores(topology, error));
    if (options->root != NULL || topology->is_this_machine) {
        quota = omma_cgroup_cores(options->root != NULL ? options->root : "");
    }
    topology->n_cores = quota < topology->n_mask_cores ? quota : topology->n_mask_cores;
    *out = topology;
    return OMMA_OK;

failed:
    omma_topology_close(&topology);
    return status;
}

void omma_topology_close(struct omma_topology **topology)
{
    if (*topology == NULL) {
        return;
    }
    free((*topology)->pus);
    hwloc_bitmap_free((*topology)->mask);
    if ((*topology)->machine != NULL) {
        hwloc_topology_destroy((*topology)->machine);
    }
    free(*topology);
    *topology = NULL;
}

size_t omma_topology_n_cores(const struct omma_topology *topology)
{
    return topology->n_cores;
}

size_t omma_topology_pu(const struct omma_topology *topology, size_t i)
{
    return topology->pus[i]->os_index;
}

bool omma_topology_bind(const struct omma_topology *topology, size_t i)
{
    if (topology->n_cores < topology->n_mask_cores) {
        return omma_topology_unbind(topology);
    }
    return topology->is_this_machine &&
           hwloc_set_cpubind(topology->machine, topology->pus[i % topology->n_cores]->cpuset,
                             HWLOC_CPUBIND_THREAD) == 0;
}

bool omma_topology_unbind(const struct omma_topology *topology)
{
    return topology->is_this_machine &&
           hwloc_set_cpubind(topology->machine, topology->mask, HWLOC_CPUBIND_THREAD) == 0;
}

size_t omma_topology_l2_bytes(const struct omma_topology *topology)
{
    hwloc_obj_t cache =
        hwloc_get_ancestor_obj_by_type(topology->machine, HWLOC_OBJ_L2CACHE, topology->pus[0]);

    return cache != NULL ? cache->attr->cache.size : 0;
}

size_t omma_topology_l3_bytes(const struct omma_topology *topology)
{
    hwloc_obj_t last = NULL;
    size_t n_bytes = 0;

    for (size_t i = 0; i < topology->n_mask_cores; i++) {
        hwloc_obj_t cache =
            hwloc_get_ancestor_obj_by_type(topology->machine, HWLOC_OBJ_L3CACHE, topology->pus[i]);

        if (cache != NULL && cache != last) {
            n_bytes += cache->attr->cache.size;
            last = cache;
        }
    }
    return n_bytes;
}

size_t omma_topology_page_bytes(void)
{
    long n_bytes = sysconf(_SC_PAGESIZE);

    return n_bytes > 0 ? (size_t)n_bytes : 4096;
}
