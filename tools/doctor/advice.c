/*
 * What to change on a machine.  Each rule looks at one thing and stays silent where it is unknown:
 * no advice is better than advice on a guess.
 */
#include "tools/doctor/examination.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct adviser {
    advice_fn tell;
    void *user;
    size_t n;
};

static void advise(struct adviser *adviser, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void advise(struct adviser *adviser, const char *remedy, const char *format, ...)
{
    char finding[300];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(finding, sizeof finding, format, arguments);
    va_end(arguments);
    adviser->tell(adviser->user, finding, remedy);
    adviser->n++;
}

static void look_at_tier(const struct examination *examination, struct adviser *adviser)
{
    if (!examination->is_best) {
        advise(adviser, "leave out --isa and OMMA_ISA",
               "the kernels of %s are in use, and this CPU can run better ones", examination->isa);
    } else if (strcmp(examination->isa, "scalar") == 0) {
        advise(adviser, "use a CPU with AVX2 and FMA, or a 64-bit Arm",
               "this CPU has none of the instruction sets that omma has kernels for");
    }
}

static void look_at_cores(const struct omma_machine *machine, struct adviser *adviser)
{
    if (machine->n_usable_cores < machine->n_allowed_cores) {
        advise(adviser,
               "raise cpu.max of the cgroup (docker: --cpus), or give it whole cores by a cpuset",
               "the cgroup's quota lets %zu of %zu cores compute at a time",
               machine->n_usable_cores, machine->n_allowed_cores);
    }
    if (machine->n_allowed_cores < machine->n_cores) {
        advise(adviser, "if that is not meant so: look at taskset, the cpuset, and --cpus",
               "this process may use %zu of the machine's %zu cores", machine->n_allowed_cores,
               machine->n_cores);
    }
    if (machine->offline_cpus[0] != '\0') {
        advise(adviser, "if that is not meant so: echo 1 > /sys/devices/system/cpu/cpuN/online",
               "CPUs %s are offline", machine->offline_cpus);
    }
    if (machine->governor[0] != '\0' && strcmp(machine->governor, "performance") != 0) {
        advise(adviser, "cpupower frequency-set -g performance", "the clock's governor is \"%s\"",
               machine->governor);
    }
}

static void look_at_memory(const struct omma_machine *machine, struct adviser *adviser)
{
    bool has_nodes = machine->n_nodes > 1;

    if (has_nodes && strcmp(machine->huge_pages, "never") == 0) {
        advise(adviser, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
               "transparent huge pages are switched off: the nodes' copies of weights get pages of "
               "4 KB");
    }
    if (has_nodes && machine->numa_balancing) {
        advise(adviser, "sysctl kernel.numa_balancing=0",
               "the kernel moves pages between nodes by itself, which the placement of weights "
               "makes needless");
    }
    if (has_nodes && machine->zone_reclaim) {
        advise(adviser, "sysctl vm.zone_reclaim_mode=0",
               "a full node drops cached pages, those of the model's files among them");
    }
    for (size_t i = 0; i < machine->n_nodes; i++) {
        const struct omma_machine_node *node = &machine->nodes[i];

        if (node->free_huge_pages > 0) {
            advise(adviser, "sysctl vm.nr_hugepages=0, if no other program uses them",
                   "node %zu keeps %llu huge pages of %llu KB reserved and free; omma does not use "
                   "these, but transparent ones",
                   node->number, (unsigned long long)node->free_huge_pages,
                   (unsigned long long)node->huge_page_bytes / 1024);
        }
    }
}

static void look_at_model(const struct examination *examination, struct adviser *adviser)
{
    const struct omma_machine *machine = examination->machine;
    uint64_t room = machine->available_bytes;
    uint64_t need = examination->model->mapped_bytes + examination->model->anonymous_bytes;

    if (machine->memory_limit_bytes < room) {
        room = machine->memory_limit_bytes;
    }
    if (room > 0 && need > room) {
        advise(adviser, "more memory, a larger memory.max, or omma quantize",
               "the model takes %.1f GB and %.1f GB can be had: its pages will be read from disk "
               "again and again",
               (double)need / 1e9, (double)room / 1e9);
    }
    for (size_t i = 0; i < examination->n_placements; i++) {
        const struct omma_node_placement *node = &examination->placements[i];

        if (node->n_remote > 0) {
            advise(adviser,
                   "--numa shard, or drop the page cache (echo 1 > /proc/sys/vm/drop_caches) "
                   "before the model is loaded",
                   "%.1f %% of the pages that node %zu's threads read lie on other nodes",
                   100.0 * (double)node->n_remote / (double)(node->n_local + node->n_remote),
                   node->node);
        }
    }
}

static void look_at_limits(const struct omma_limits *limits, struct adviser *adviser)
{
    if (limits->known_low > 0 && limits->read_bytes_per_s < 0.9 * limits->known_low) {
        advise(
            adviser,
            "look for other load, missing memory modules, and on a virtual machine for neighbours",
            "memory was read at %.1f GB/s, where this CPU has been seen to do %.1f to %.1f",
            limits->read_bytes_per_s / 1e9, limits->known_low / 1e9, limits->known_high / 1e9);
    }
}

size_t give_advice(const struct examination *examination, advice_fn tell, void *user)
{
    struct adviser adviser = {.tell = tell, .user = user};

    look_at_tier(examination, &adviser);
    look_at_cores(examination->machine, &adviser);
    look_at_memory(examination->machine, &adviser);
    if (examination->model != NULL) {
        look_at_model(examination, &adviser);
    }
    if (examination->is_measured) {
        look_at_limits(&examination->limits, &adviser);
    }
    return adviser.n;
}
