/*
 * A node's memory is one mapping, so that its huge pages are whole.  Pages are asked for with
 * move_pages(2) without nodes to move to, which only tells where they are.
 */
#include "platform/node_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"

enum {
    HUGE_PAGE = 2 << 20,
    PAGES_A_CALL = 1024,
};

enum omma_status omma_node_memory_init(const struct omma_topology *topology, size_t node,
                                       size_t n_bytes, const char *what,
                                       struct omma_node_memory *memory, struct omma_error *error)
{
    size_t rounded, total;
    char *bytes, *aligned;

    *memory = (struct omma_node_memory){0};
    if (n_bytes == 0) {
        return OMMA_OK;
    }
    if (!omma_checked_add(n_bytes, 2 * HUGE_PAGE, &total)) {
        return omma_fail_memory(error, n_bytes, what);
    }
    rounded = omma_round_up(n_bytes, HUGE_PAGE);
    total = rounded + HUGE_PAGE;
    bytes = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (bytes == MAP_FAILED) {
        return omma_fail_memory(error, n_bytes, what);
    }
    aligned = bytes + (HUGE_PAGE - (uintptr_t)bytes % HUGE_PAGE) % HUGE_PAGE;
    if (aligned > bytes) {
        munmap(bytes, (size_t)(aligned - bytes));
    }
    if (aligned + rounded < bytes + total) {
        munmap(aligned + rounded, (size_t)(bytes + total - aligned) - rounded);
    }
    madvise(aligned, rounded, MADV_HUGEPAGE); /* refused: ordinary pages, the same bits */
    omma_topology_bind_memory(topology, node, aligned, rounded, false);
    *memory = (struct omma_node_memory){aligned, rounded};
    return OMMA_OK;
}

void omma_node_memory_fini(struct omma_node_memory *memory)
{
    if (memory->bytes != NULL) {
        munmap(memory->bytes, memory->n_bytes);
        *memory = (struct omma_node_memory){0};
    }
}

void omma_node_memory_populate(const void *address, size_t n_bytes)
{
    size_t page = omma_topology_page_bytes();
    uintptr_t begin = (uintptr_t)address / page * page, end = (uintptr_t)address + n_bytes;

#ifdef MADV_POPULATE_READ
    if (madvise((void *)begin, end - begin, MADV_POPULATE_READ) == 0) {
        return;
    }
#endif
    for (uintptr_t at = begin; at < end; at += page) { /* Linux before 5.14 */
        (void)*(const volatile char *)at;
    }
}

/* Add up the fields of a meminfo file, in bytes; UINT64_MAX if there is none of them.  Lines are
 * "NAME: N kB", after "Node N " in a node's file. */
static uint64_t sum_fields(const char *path, const char *const *fields)
{
    uint64_t n_bytes = UINT64_MAX, kilobytes;
    char line[256], name[64];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return n_bytes;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Node %*u %63s %" SCNu64, name, &kilobytes) != 2 &&
            sscanf(line, "%63s %" SCNu64, name, &kilobytes) != 2) {
            continue;
        }
        for (size_t i = 0; fields[i] != NULL; i++) {
            if (strcmp(name, fields[i]) == 0) {
                n_bytes = (n_bytes == UINT64_MAX ? 0 : n_bytes) + kilobytes * 1024;
            }
        }
    }
    fclose(file);
    return n_bytes;
}

/* Whether the node of that number is the only one with memory. */
static bool is_only_node(const char *root, size_t node_number)
{
    char path[PATH_MAX], line[64] = "", expected[64];
    FILE *file;
    bool is_read;

    snprintf(path, sizeof path, "%s/sys/devices/system/node/has_memory", root);
    snprintf(expected, sizeof expected, "%zu\n", node_number);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    is_read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    return is_read && strcmp(line, expected) == 0;
}

uint64_t omma_node_memory_available(const char *root, size_t node_number)
{
    static const char *const node_fields[] = {
        "MemFree:", "Active(file):", "Inactive(file):", "SReclaimable:", NULL};
    static const char *const machine_fields[] = {"MemAvailable:", NULL};
    char path[PATH_MAX];

    /* the machine's figure is the better one: the kernel's own, and ballooned memory is in it */
    if (is_only_node(root, node_number)) {
        snprintf(path, sizeof path, "%s/proc/meminfo", root);
        return sum_fields(path, machine_fields);
    }
    snprintf(path, sizeof path, "%s/sys/devices/system/node/node%zu/meminfo", root, node_number);
    return sum_fields(path, node_fields);
}

/* Where n pages are: a node's number each, or -errno. */
static bool ask(void **pages, size_t n, int *nodes)
{
    return syscall(SYS_move_pages, 0, (unsigned long)n, pages, NULL, nodes, 0) == 0;
}

enum omma_status omma_node_memory_count(const void *address, size_t n_bytes, size_t step,
                                        size_t node_number, struct omma_page_count *count,
                                        struct omma_error *error)
{
    size_t page = omma_topology_page_bytes();
    uintptr_t at = (uintptr_t)address / page * page, end = (uintptr_t)address + n_bytes;
    void *pages[PAGES_A_CALL];
    int nodes[PAGES_A_CALL];

    while (at < end) {
        size_t n = 0;

        for (; n < PAGES_A_CALL && at < end; at += step * page) {
            pages[n++] = (void *)at;
        }
        if (!ask(pages, n, nodes)) {
            return omma_fail(error, OMMA_STATUS_RESOURCES,
                             "cannot ask for the nodes of pages: move_pages: %s", strerror(errno));
        }
        for (size_t i = 0; i < n; i++) {
            count->n_asked++;
            count->n_absent += nodes[i] < 0;
            count->n_local += nodes[i] >= 0 && (size_t)nodes[i] == node_number;
            count->n_remote += nodes[i] >= 0 && (size_t)nodes[i] != node_number;
        }
    }
    return OMMA_OK;
}

uint64_t omma_node_memory_huge_bytes(const void *address, size_t n_bytes)
{
    uintptr_t begin = (uintptr_t)address, end = begin + n_bytes;
    FILE *file = fopen("/proc/self/smaps", "re");
    uint64_t sum = 0, kilobytes;
    bool is_inside = false;
    char line[512];

    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        uintptr_t from, to;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
            is_inside = from < end && to > begin;
        } else if (is_inside && (sscanf(line, "AnonHugePages: %" SCNu64 " kB", &kilobytes) == 1 ||
                                 sscanf(line, "FilePmdMapped: %" SCNu64 " kB", &kilobytes) == 1 ||
                                 sscanf(line, "ShmemPmdMapped: %" SCNu64 " kB", &kilobytes) == 1)) {
            sum += kilobytes * 1024;
        }
    }
    fclose(file);
    return sum < n_bytes ? sum : n_bytes;
}
