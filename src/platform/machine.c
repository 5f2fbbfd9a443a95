/*
 * Cores, caches and nodes are the topology's; memory and settings stand in files of one line or of
 * "Name: number kB" lines.  Source: Linux, Documentation/admin-guide/mm/transhuge.rst,
 * sysctl/vm.rst, sysctl/kernel.rst, and filesystems/proc.rst.
 */
#include "platform/machine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/cgroup.h"
#include "platform/known_cpu.h"

/* Of a file under root: its first line, or the one that `name` begins with, without its end. */
static bool read_line(const char *root, const char *path, const char *name, char *line, int n_bytes)
{
    char whole[PATH_MAX];
    bool is_found = false;
    FILE *file;

    if ((size_t)snprintf(whole, sizeof whole, "%s%s", root, path) >= sizeof whole) {
        return false;
    }
    file = fopen(whole, "re");
    if (file == NULL) {
        return false;
    }
    while (!is_found && fgets(line, n_bytes, file) != NULL) {
        is_found = name == NULL || strstr(line, name) != NULL;
    }
    fclose(file);
    line[is_found ? strcspn(line, "\n") : 0] = '\0';
    return is_found;
}

/* The number behind "name" in a file of "MemTotal:  1234 kB" or "Node 0 MemTotal: 1234 kB"; 0 if
 * there is none. */
static uint64_t read_number(const char *root, const char *path, const char *name)
{
    char line[256];

    if (!read_line(root, path, name, line, sizeof line)) {
        return 0;
    }
    return strtoull(strstr(line, name) + strlen(name), NULL, 10);
}

static uint64_t read_kilobytes(const char *root, const char *path, const char *name)
{
    return read_number(root, path, name) * 1024;
}

/* A text of one line. */
static void read_text(const char *root, const char *path, char *text, size_t n_bytes)
{
    text[0] = '\0';
    read_line(root, path, NULL, text, (int)n_bytes);
}

/* The word in brackets of "always [madvise] never". */
static void read_choice(const char *root, const char *path, char *choice, size_t n_bytes)
{
    char line[128];
    const char *open, *close;

    choice[0] = '\0';
    if (!read_line(root, path, NULL, line, sizeof line)) {
        return;
    }
    open = strchr(line, '[');
    close = open != NULL ? strchr(open, ']') : NULL;
    if (close != NULL) {
        snprintf(choice, n_bytes, "%.*s", (int)(close - open - 1), open + 1);
    }
}

static bool is_on(const char *root, const char *path)
{
    char line[32];

    return read_line(root, path, NULL, line, sizeof line) && strtol(line, NULL, 10) != 0;
}

/* Add the run of numbers first to last to a list; "..." where it does not fit. */
static void add_run(char *list, size_t n_bytes, size_t first, size_t last)
{
    size_t used = strlen(list);
    char run[48];

    if (used >= 3 && strcmp(list + used - 3, "...") == 0) {
        return;
    }
    if (first == last) {
        snprintf(run, sizeof run, "%s%zu", used > 0 ? "," : "", first);
    } else {
        snprintf(run, sizeof run, "%s%zu-%zu", used > 0 ? "," : "", first, last);
    }
    snprintf(list + used, n_bytes - used, "%s", used + strlen(run) + 4 < n_bytes ? run : "...");
}

static void list_cores(const struct omma_topology *topology, size_t node,
                       struct omma_machine_node *found)
{
    size_t first = 0, last = 0;

    for (size_t i = 0; i < omma_topology_n_mask_cores(topology); i++) {
        size_t pu = omma_topology_pu(topology, i);

        if (omma_topology_node(topology, i) != node) {
            continue;
        }
        if (found->n_cores > 0 && pu != last + 1) {
            add_run(found->cpus, sizeof found->cpus, first, last);
        }
        if (found->n_cores == 0 || pu != last + 1) {
            first = pu;
        }
        last = pu;
        found->n_cores++;
    }
    add_run(found->cpus, sizeof found->cpus, first, last);
}

static void describe_node(const struct omma_topology *topology, const char *root, size_t node,
                          uint64_t huge_page_bytes, struct omma_machine_node *found)
{
    char path[80];

    found->number = omma_topology_node_number(topology, node);
    list_cores(topology, node, found);
    snprintf(path, sizeof path, "/sys/devices/system/node/node%zu/meminfo", found->number);
    found->memory_bytes = read_kilobytes(root, path, "MemTotal:");
    found->free_bytes = read_kilobytes(root, path, "MemFree:");
    found->huge_page_bytes = huge_page_bytes;
    found->free_huge_pages = read_number(root, path, "HugePages_Free:");
}

static void describe_cores(const struct omma_topology *topology, struct omma_machine *machine)
{
    struct omma_topology_counts counts;

    omma_topology_count(topology, &counts);
    machine->n_packages = counts.n_packages;
    machine->n_cores = counts.n_cores;
    machine->n_cpus = counts.n_pus;
    machine->n_allowed_cores = omma_topology_n_mask_cores(topology);
    machine->n_usable_cores = omma_topology_n_cores(topology);
    machine->l1_bytes = omma_topology_l1_bytes(topology);
    machine->l2_bytes = omma_topology_l2_bytes(topology);
    machine->l3_bytes = omma_topology_l3_bytes(topology);
}

static void describe_system(const char *root, struct omma_machine *machine)
{
    struct omma_cpu_id id;
    size_t limit = omma_cgroup_memory_bytes(root);

    omma_cpu_identify(root, &id);
    snprintf(machine->cpu, sizeof machine->cpu, "%s", id.name);
    machine->memory_bytes = read_kilobytes(root, "/proc/meminfo", "MemTotal:");
    machine->available_bytes = read_kilobytes(root, "/proc/meminfo", "MemAvailable:");
    /* version 1 says "none" by a number larger than any memory */
    machine->memory_limit_bytes =
        limit == SIZE_MAX || (machine->memory_bytes > 0 && limit > machine->memory_bytes)
            ? UINT64_MAX
            : limit;
    read_choice(root, "/sys/kernel/mm/transparent_hugepage/enabled", machine->huge_pages,
                sizeof machine->huge_pages);
    read_text(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", machine->governor,
              sizeof machine->governor);
    read_text(root, "/sys/devices/system/cpu/offline", machine->offline_cpus,
              sizeof machine->offline_cpus);
    machine->numa_balancing = is_on(root, "/proc/sys/kernel/numa_balancing");
    machine->zone_reclaim = is_on(root, "/proc/sys/vm/zone_reclaim_mode");
}

enum omma_status omma_machine_describe(const struct omma_topology_options *options,
                                       struct omma_machine **out, struct omma_error *error)
{
    const char *root = options->root != NULL ? options->root : "";
    struct omma_topology *topology = NULL;
    struct omma_machine_node *nodes;
    struct omma_machine *machine;
    uint64_t huge_page_bytes;

    *out = NULL;
    OMMA_TRY(omma_topology_open(options, &topology, error));
    machine = calloc(1, sizeof *machine);
    nodes = calloc(omma_topology_n_nodes(topology), sizeof *nodes);
    if (machine == NULL || nodes == NULL) {
        free(machine);
        free(nodes);
        omma_topology_close(&topology);
        return omma_fail_memory(error, sizeof *machine, "the machine's description");
    }
    machine->n_nodes = omma_topology_n_nodes(topology);
    machine->nodes = nodes;
    describe_cores(topology, machine);
    describe_system(root, machine);
    huge_page_bytes = read_kilobytes(root, "/proc/meminfo", "Hugepagesize:");
    for (size_t node = 0; node < machine->n_nodes; node++) {
        describe_node(topology, root, node, huge_page_bytes, &nodes[node]);
    }
    omma_topology_close(&topology);
    *out = machine;
    return OMMA_OK;
}

enum omma_status omma_machine_open(const char *cpus, struct omma_machine **machine,
                                   struct omma_error *error)
{
    const struct omma_topology_options options = {.cpus = cpus};

    return omma_machine_describe(&options, machine, error);
}

void omma_machine_close(struct omma_machine **machine)
{
    if (*machine != NULL) {
        free((void *)(*machine)->nodes);
        free(*machine);
        *machine = NULL;
    }
}
