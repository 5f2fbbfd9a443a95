/*
 * known_cpu.h - which CPU this is; how fast known ones read memory, and how much they multiply.
 *
 * The tables are those of doc/performance.md, "Limits" (tests/platform/known_cpu.c keeps them
 * equal).  What is measured counts as a limit only beside a row.
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

/* Multiply-adds of elements a cycle, of a thread that has a core to itself, by the instructions of
 * one tier; 0: the tier has none, or it is not known. */
struct omma_known_peaks {
    const char *title;
    const char *vendor;
    unsigned family, first_model, last_model;
    const char *isa;
    double f32, bf16, i8;
};

/* All rows; the last one's title is NULL. */
const struct omma_known_peaks *omma_known_peaks(void);

/* The row of this CPU and tier; NULL if there is none. */
const struct omma_known_peaks *omma_known_peaks_find(const struct omma_cpu_id *id, const char *isa);

/* Whether what was measured a cycle is within 3 % of what is known; not if nothing is, 0. */
bool omma_known_peak_confirms(double known, double per_cycle);

#endif
