/*
 * cpu_quota.h - how much processor time the control groups of this process grant.
 */
#ifndef OMMA_PLATFORM_CPU_QUOTA_H
#define OMMA_PLATFORM_CPU_QUOTA_H

#include <stddef.h>

/*
 * The quota in whole cores, rounded down, at least 1; SIZE_MAX if there is none.  root is prepended
 * to /proc/self/cgroup and /sys/fs/cgroup.  The smallest quota from the process's group up to the
 * root counts.  Version 2: cpu.max ("QUOTA PERIOD" or "max PERIOD", microseconds); version 1:
 * cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us of the cpu controller.  What cannot be read or
 * makes no sense is no quota.  Source: Linux, Documentation/admin-guide/cgroup-v2.rst and
 * scheduler/sched-bwc.rst.
 */
size_t omma_cpu_quota_cores(const char *root);

#endif
