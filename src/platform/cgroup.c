/*
 * Walks from the process's control group up to the root of the mounted hierarchy.  In a container
 * /proc/self/cgroup may name a path of the host that is not mounted here: files that are missing
 * are passed over, and the walk always ends at the mount, which is the container's own group then.
 */
#include "platform/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line of DIR/NAME, without its end; false if it cannot be read. */
static bool read_line(const char *dir, const char *name, char *line, int n_bytes)
{
    char path[PATH_MAX];
    FILE *file;
    bool is_read;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
        return false;
    }
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    is_read = fgets(line, n_bytes, file) != NULL;
    fclose(file);
    return is_read;
}

/* "QUOTA PERIOD" in microseconds; anything else, "max" and -1 included, is no quota. */
static size_t cores_of(const char *quota_text, const char *period_text)
{
    char *end;
    long long quota, period;

    quota = strtoll(quota_text, &end, 10);
    if (end == quota_text || quota <= 0) {
        return SIZE_MAX;
    }
    period = strtoll(period_text, &end, 10);
    if (end == period_text || period <= 0) {
        return SIZE_MAX;
    }
    return quota < period ? 1 : (size_t)(quota / period);
}

/* What one group at dir grants; SIZE_MAX: no limit. */
typedef size_t (*group_fn)(const char *dir);

/* The quota of one group, version 2 or 1. */
static size_t group_cores(const char *dir)
{
    char first[64], second[64];
    char *space;

    if (read_line(dir, "cpu.max", first, sizeof first)) {
        space = strchr(first, ' ');
        return space != NULL ? cores_of(first, space + 1) : SIZE_MAX;
    }
    if (read_line(dir, "cpu.cfs_quota_us", first, sizeof first) &&
        read_line(dir, "cpu.cfs_period_us", second, sizeof second)) {
        return cores_of(first, second);
    }
    return SIZE_MAX;
}

static size_t group_memory_bytes(const char *dir)
{
    char line[64], *end;
    unsigned long long n_bytes;

    if (!read_line(dir, "memory.max", line, sizeof line) &&
        !read_line(dir, "memory.limit_in_bytes", line, sizeof line)) {
        return SIZE_MAX;
    }
    n_bytes = strtoull(line, &end, 10);
    return end == line || line[0] == '-' || n_bytes == 0 ? SIZE_MAX : (size_t)n_bytes;
}

/* The least grant of MOUNT/GROUP and all groups above it. */
static size_t hierarchy_least(const char *root, const char *mount, const char *group,
                              group_fn grant)
{
    char path[PATH_MAX];
    size_t least = SIZE_MAX, n_mount;
    int n;

    if (strstr(group, "/..") != NULL) { /* a group outside of the cgroup namespace */
        group = "";
    }
    n = snprintf(path, sizeof path, "%s/sys/fs/cgroup%s", root, mount);
    if (n < 0 || (size_t)n + strlen(group) >= sizeof path) {
        return SIZE_MAX;
    }
    n_mount = (size_t)n;
    strcpy(path + n_mount, group);
    for (;;) {
        size_t here = grant(path);
        char *slash = strrchr(path + n_mount, '/');

        least = here < least ? here : least;
        if (slash == NULL) {
            return least;
        }
        *slash = '\0';
    }
}

/* Whether the word is one of those between commas. */
static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = words; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, n) == 0 && (at[n] == '\0' || at[n] == ',')) {
            return true;
        }
    }
    return false;
}

/* One line of /proc/self/cgroup, "ID:CONTROLLERS:GROUP"; no controllers: version 2. */
static size_t line_least(const char *root, char *line, const char *controller, group_fn grant)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    char mount[64];
    size_t least, unified;

    if (group == NULL) {
        return SIZE_MAX;
    }
    *group++ = '\0';
    controllers++;
    group[strcspn(group, "\n")] = '\0';
    if (controllers[0] == '\0') {
        least = hierarchy_least(root, "", group, grant);
        unified = hierarchy_least(root, "/unified", group, grant); /* beside version 1 */
        return least < unified ? least : unified;
    }
    if (!has_word(controllers, controller) ||
        (size_t)snprintf(mount, sizeof mount, "/%s", controllers) >= sizeof mount) {
        return SIZE_MAX;
    }
    least = hierarchy_least(root, mount, group, grant);
    if (least == SIZE_MAX) { /* mounted under the name of the one controller */
        snprintf(mount, sizeof mount, "/%s", controller);
        least = hierarchy_least(root, mount, group, grant);
    }
    return least;
}

static size_t least_of_process(const char *root, const char *controller, group_fn grant)
{
    char path[PATH_MAX], *line = NULL;
    size_t least = SIZE_MAX, n_bytes = 0;
    FILE *file;

    if ((size_t)snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= sizeof path) {
        return SIZE_MAX;
    }
    file = fopen(path, "re");
    if (file == NULL) {
        return SIZE_MAX;
    }
    while (getline(&line, &n_bytes, file) >= 0) {
        size_t here = line_least(root, line, controller, grant);

        least = here < least ? here : least;
    }
    free(line);
    fclose(file);
    return least;
}

size_t omma_cgroup_cores(const char *root)
{
    return least_of_process(root, "cpu", group_cores);
}

size_t omma_cgroup_memory_bytes(const char *root)
{
    return least_of_process(root, "memory", group_memory_bytes);
}
