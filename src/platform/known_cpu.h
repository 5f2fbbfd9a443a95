/*
 * known_cpu.h - which CPU this is, and how fast the ones that were measured read memory.
 *
 * The table is the one of doc/performance.md, "Read bandwidth" (tests/platform/known_cpu.c keeps
 * them equal).  A measured bandwidth counts as a limit only beside a row.
 */
#ifndef OMMA_PLATFORM_KNOWN_CPU_H
#define OMMA_PLATFORM_KNOWN_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* Of the first processor in /proc/cpuinfo.  x86: vendor_id, cpu family, model; Arm: CPU implementer
 * as vendor ("0x41"), CPU architecture, CPU part. */
struct omma_cpu_id {
    char name[96]; /* "AMD EPYC"; without a name, vendor and numbers; "unknown" */
    char vendor[24];
    unsigned family, model;
};

/* root is prepended to /proc/cpuinfo; "": this machine. */
void omma_cpu_identify(const char *root, struct omma_cpu_id *id);

/* What n_threads on cores of their own read together, in GB/s: the lowest and the highest median of
 * a run.  They lie apart on virtual machines, whose neighbours take their share. */
struct omma_known_read {
    const char *title; /* "AMD EPYC, Zen 4" */
    const char *vendor;
    unsigned family, first_model, last_model;
    size_t n_threads;
    double low, high;
};

/* All rows; the last one's title is NULL. */
const struct omma_known_read *omma_known_reads(void);

/* The row of this CPU and number of threads; NULL if there is none. */
const struct omma_known_read *omma_known_read_find(const struct omma_cpu_id *id, size_t n_threads);

/* Whether a bandwidth is within 10 % of the row: not below the lowest, nor above the highest, by
 * more. */
bool omma_known_read_confirms(const struct omma_known_read *row, double bytes_per_s);

#endif
