/*
 * cgroup.h - what the control groups of this process grant.
 *
 * root is prepended to /proc/self/cgroup and /sys/fs/cgroup.  The smallest grant from the process's
 * group up to the root counts.  What cannot be read or makes no sense limits nothing.  Source:
 * Linux, Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
 */
#ifndef OMMA_PLATFORM_CGROUP_H
#define OMMA_PLATFORM_CGROUP_H

#include <stddef.h>

/* The quota of processor time in whole cores, rounded down, at least 1; SIZE_MAX: none.  Version 2:
 * cpu.max
 * ("QUOTA PERIOD" or "max PERIOD", microseconds); version 1: cpu.cfs_quota_us (-1: none) and
 * cpu.cfs_period_us. */
size_t omma_cgroup_cores(const char *root);

/* The memory that the group may hold, page cache included; SIZE_MAX: no limit.  Version 2:
 * memory.max (bytes or "max"); version 1: memory.limit_in_bytes. */
size_t omma_cgroup_memory_bytes(const char *root);

#endif
