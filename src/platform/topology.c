/*
 * hwloc finds cores, caches and nodes; what this process may use of them is the mask of the calling
 * thread (which the cpuset has already cut), one PU a core, as many as the quota lets run.
 */
#include "platform/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/cgroup.h"
#include "platform/topology_nodes.h"

enum { MAX_CPU_NUMBER = 65535 };

struct core {
    hwloc_obj_t pu; /* the first allowed one */
    size_t node;
    size_t cache;
};

struct node {
    hwloc_obj_t memory;
    hwloc_bitmap_t mask; /* the allowed PUs of its cores */
};

struct omma_topology {
    hwloc_topology_t machine;
    hwloc_bitmap_t found; /* the mask of the thread that opened it */
    hwloc_bitmap_t mask;  /* all PUs allowed and chosen */
    bool is_this_machine;
    size_t n_mask_cores, n_cores, n_nodes;
    struct core *cores; /* [n_mask_cores] */
    struct node *nodes; /* [n_nodes] */
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
    topology->found = hwloc_bitmap_alloc();
    if (topology->mask == NULL || topology->found == NULL) {
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
    hwloc_bitmap_copy(topology->found, topology->mask);
    return OMMA_OK;
}

/* "0-3,8" into a set.  hwloc's own reader lets anything pass. */
static bool read_list(const char *list, hwloc_bitmap_t set)
{
    const char *at = list;

    for (;;) {
        unsigned long first, last;
        char *end;

        if (*at < '0' || *at > '9') {
            return false;
        }
        first = last = strtoul(at, &end, 10);
        if (*end == '-' && end[1] >= '0' && end[1] <= '9') {
            last = strtoul(end + 1, &end, 10);
        }
        if (last < first || last > MAX_CPU_NUMBER) {
            return false;
        }
        hwloc_bitmap_set_range(set, (unsigned)first, (int)last);
        if (*end == '\0') {
            return true;
        }
        if (*end != ',') {
            return false;
        }
        at = end + 1;
    }
}

/* Cut the mask down to the PUs that were chosen. */
static enum omma_status choose_cpus(struct omma_topology *topology, const char *cpus,
                                    struct omma_error *error)
{
    hwloc_bitmap_t chosen = hwloc_bitmap_alloc(), all = hwloc_bitmap_alloc();
    enum omma_status status = OMMA_OK;
    char *allowed = NULL;
    int other;

    if (chosen == NULL || all == NULL || hwloc_bitmap_list_asprintf(&allowed, topology->mask) < 0) {
        status = omma_fail(error, OMMA_STATUS_RESOURCES, "topology: %s", strerror(errno));
    } else if (!read_list(cpus, chosen)) {
        status = omma_fail(error, OMMA_STATUS_USAGE,
                           "cpus: expected numbers of CPUs, such as 0-3,8, found \"%s\"", cpus);
    } else if (!hwloc_bitmap_isincluded(chosen, topology->mask)) {
        hwloc_bitmap_andnot(all, chosen, topology->mask);
        other = hwloc_bitmap_first(all);
        hwloc_bitmap_copy(all, hwloc_topology_get_complete_cpuset(topology->machine));
        status = omma_fail(error, OMMA_STATUS_USAGE,
                           "cpus: expected some of %s, which this process may use, found %d: %s",
                           allowed, other,
                           hwloc_bitmap_isset(all, (unsigned)other)
                               ? "offline, or outside of the affinity mask or cpuset"
                               : "this machine has no such CPU");
    } else {
        hwloc_bitmap_copy(topology->mask, chosen);
    }
    free(allowed);
    hwloc_bitmap_free(all);
    hwloc_bitmap_free(chosen);
    return status;
}

/* Nodes whose memory this process may have. */
static enum omma_status find_usable_nodes(const struct omma_topology *topology,
                                          hwloc_nodeset_t *usable, struct omma_error *error)
{
    hwloc_nodeset_t bound = hwloc_bitmap_alloc();
    hwloc_membind_policy_t policy;

    *usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_nodeset(topology->machine));
    if (bound == NULL || *usable == NULL) {
        hwloc_bitmap_free(bound);
        return omma_fail(error, OMMA_STATUS_RESOURCES, "topology: %s", strerror(errno));
    }
    if (topology->is_this_machine &&
        hwloc_get_membind(topology->machine, bound, &policy,
                          HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET) == 0 &&
        policy == HWLOC_MEMBIND_BIND && hwloc_bitmap_intersects(bound, *usable)) {
        hwloc_bitmap_and(*usable, *usable, bound);
    }
    hwloc_bitmap_free(bound);
    return OMMA_OK;
}

/* The number of a PU's node among those found, which it joins if it is new; n_nodes: no memory. */
static size_t join_node(struct omma_topology *topology, hwloc_obj_t pu,
                        hwloc_const_nodeset_t usable)
{
    hwloc_obj_t memory = omma_topology_memory_node(topology->machine, pu, usable);
    size_t i = 0;

    while (i < topology->n_nodes && topology->nodes[i].memory != memory) {
        i++;
    }
    if (i == topology->n_nodes) {
        hwloc_bitmap_t mask = hwloc_bitmap_alloc();

        if (mask == NULL) {
            return i;
        }
        topology->nodes[topology->n_nodes++] = (struct node){memory, mask};
    }
    hwloc_bitmap_set(topology->nodes[i].mask, pu->os_index);
    return i;
}

static bool is_of_one_node(const struct omma_topology *topology, hwloc_obj_t object, size_t node)
{
    for (size_t i = 0; i < topology->n_nodes; i++) {
        if (i != node && hwloc_bitmap_intersects(object->cpuset, topology->nodes[i].mask)) {
            return false;
        }
    }
    return true;
}

/* The largest cache above a PU that no core of another node shares, by its first PU. */
static size_t cache_of(const struct omma_topology *topology, hwloc_obj_t pu, size_t node)
{
    hwloc_obj_t last = pu;

    for (hwloc_obj_t above = pu->parent; above != NULL; above = above->parent) {
        if (hwloc_obj_type_is_dcache(above->type) && is_of_one_node(topology, above, node)) {
            last = above;
        }
    }
    return (size_t)hwloc_bitmap_first(last->cpuset);
}

static int by_node(const void *a, const void *b)
{
    const struct core *one = a, *other = b;

    if (one->node != other->node) {
        return one->node < other->node ? -1 : 1;
    }
    return one->pu->logical_index < other->pu->logical_index ? -1 : 1;
}

/* The first allowed PU of each core; a PU of no known core is one of its own. */
static enum omma_status find_cores(struct omma_topology *topology, hwloc_const_nodeset_t usable,
                                   struct omma_error *error)
{
    int n_pus = hwloc_get_nbobjs_by_type(topology->machine, HWLOC_OBJ_PU);
    size_t n = n_pus > 0 ? (size_t)n_pus : 1;
    hwloc_obj_t last_core = NULL;

    topology->cores = calloc(n, sizeof *topology->cores);
    topology->nodes = calloc(n, sizeof *topology->nodes);
    if (topology->cores == NULL || topology->nodes == NULL) {
        return omma_fail_memory(error, n * sizeof *topology->cores, "the topology");
    }
    for (int i = 0; i < n_pus; i++) {
        hwloc_obj_t pu = hwloc_get_obj_by_type(topology->machine, HWLOC_OBJ_PU, (unsigned)i);
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology->machine, HWLOC_OBJ_CORE, pu);
        size_t node;

        if (!hwloc_bitmap_isset(topology->mask, pu->os_index)) {
            continue;
        }
        node = join_node(topology, pu, usable);
        if (node == topology->n_nodes) {
            return omma_fail_memory(error, 1, "the topology");
        }
        if (core == NULL || core != last_core) {
            topology->cores[topology->n_mask_cores++] = (struct core){.pu = pu, .node = node};
        }
        last_core = core;
    }
    if (topology->n_mask_cores == 0) {
        return omma_fail(error, OMMA_STATUS_USAGE, "topology: no PU is allowed");
    }
    for (size_t i = 0; i < topology->n_mask_cores; i++) {
        struct core *core = &topology->cores[i];

        core->cache = cache_of(topology, core->pu, core->node);
    }
    qsort(topology->cores, topology->n_mask_cores, sizeof *topology->cores, by_node);
    return OMMA_OK;
}

enum omma_status omma_topology_open(const struct omma_topology_options *options,
                                    struct omma_topology **out, struct omma_error *error)
{
    static const struct omma_topology_options defaults;
    struct omma_topology *topology = calloc(1, sizeof *topology);
    hwloc_nodeset_t usable = NULL;
    enum omma_status status;
    size_t quota = SIZE_MAX;

    *out = NULL;
    if (topology == NULL) {
        return omma_fail_memory(error, sizeof *topology, "the topology");
    }
    options = options != NULL ? options : &defaults;
    OMMA_TRY_OR(status, failed, load(topology, options, error));
    OMMA_TRY_OR(status, failed, find_mask(topology, options->mask, error));
    if (options->cpus != NULL) {
        OMMA_TRY_OR(status, failed, choose_cpus(topology, options->cpus, error));
    }
    OMMA_TRY_OR(status, failed, find_usable_nodes(topology, &usable, error));
    status = find_cores(topology, usable, error);
    hwloc_bitmap_free(usable);
    if (status != OMMA_OK) {
        goto failed;
    }
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
    for (size_t i = 0; i < (*topology)->n_nodes; i++) {
        hwloc_bitmap_free((*topology)->nodes[i].mask);
    }
    free((*topology)->nodes);
    free((*topology)->cores);
    hwloc_bitmap_free((*topology)->mask);
    hwloc_bitmap_free((*topology)->found);
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

size_t omma_topology_n_mask_cores(const struct omma_topology *topology)
{
    return topology->n_mask_cores;
}

size_t omma_topology_pu(const struct omma_topology *topology, size_t i)
{
    return topology->cores[i].pu->os_index;
}

size_t omma_topology_node(const struct omma_topology *topology, size_t i)
{
    return topology->cores[i].node;
}

size_t omma_topology_cache(const struct omma_topology *topology, size_t i)
{
    return topology->cores[i].cache;
}

size_t omma_topology_n_nodes(const struct omma_topology *topology)
{
    return topology->n_nodes;
}

size_t omma_topology_node_number(const struct omma_topology *topology, size_t node)
{
    return topology->nodes[node].memory->os_index;
}

bool omma_topology_bind(const struct omma_topology *topology, size_t i)
{
    const struct core *core = &topology->cores[i];
    hwloc_const_cpuset_t cpus = topology->n_cores < topology->n_mask_cores
                                    ? topology->nodes[core->node].mask
                                    : core->pu->cpuset;

    return topology->is_this_machine &&
           hwloc_set_cpubind(topology->machine, cpus, HWLOC_CPUBIND_THREAD) == 0;
}

bool omma_topology_unbind(const struct omma_topology *topology)
{
    return topology->is_this_machine &&
           hwloc_set_cpubind(topology->machine, topology->found, HWLOC_CPUBIND_THREAD) == 0;
}

bool omma_topology_bind_memory(const struct omma_topology *topology, size_t node, void *address,
                               size_t n_bytes, bool migrate)
{
    /* without HWLOC_MEMBIND_STRICT a full node sends pages elsewhere, and not the OOM killer here
     */
    int flags = HWLOC_MEMBIND_BYNODESET | (migrate ? HWLOC_MEMBIND_MIGRATE : 0);

    return topology->is_this_machine &&
           hwloc_set_area_membind(topology->machine, address, n_bytes,
                                  topology->nodes[node].memory->nodeset, HWLOC_MEMBIND_BIND,
                                  flags) == 0;
}

bool omma_topology_is_this_machine(const struct omma_topology *topology)
{
    return topology->is_this_machine;
}

static size_t count(const struct omma_topology *topology, hwloc_obj_type_t type)
{
    int n = hwloc_get_nbobjs_by_type(topology->machine, type);

    return n > 0 ? (size_t)n : 0;
}

void omma_topology_count(const struct omma_topology *topology, struct omma_topology_counts *counts)
{
    counts->n_packages = count(topology, HWLOC_OBJ_PACKAGE);
    counts->n_cores = count(topology, HWLOC_OBJ_CORE);
    counts->n_pus = count(topology, HWLOC_OBJ_PU);
}

/* A core's cache of the type. */
static size_t cache_bytes(const struct omma_topology *topology, hwloc_obj_type_t type)
{
    hwloc_obj_t cache =
        hwloc_get_ancestor_obj_by_type(topology->machine, type, topology->cores[0].pu);

    return cache != NULL ? cache->attr->cache.size : 0;
}

size_t omma_topology_l1_bytes(const struct omma_topology *topology)
{
    return cache_bytes(topology, HWLOC_OBJ_L1CACHE);
}

size_t omma_topology_l2_bytes(const struct omma_topology *topology)
{
    return cache_bytes(topology, HWLOC_OBJ_L2CACHE);
}

size_t omma_topology_l3_bytes(const struct omma_topology *topology)
{
    hwloc_obj_t last = NULL;
    size_t n_bytes = 0;

    for (size_t i = 0; i < topology->n_mask_cores; i++) {
        hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(topology->machine, HWLOC_OBJ_L3CACHE,
                                                           topology->cores[i].pu);

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
