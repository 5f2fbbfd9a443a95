/* /proc/cpuinfo, whose fields differ by architecture, and the tables of doc/performance.md. */
#include "platform/known_cpu.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double read_tolerance = 0.10, peak_tolerance = 0.03;

/* Sorted by CPU and threads.  Zen 3 is Milan (models 0 to 15), Zen 4 Genoa and Bergamo. */
static const struct omma_known_read reads[] = {
    {"AMD EPYC, Zen 3", "AuthenticAMD", 25, 0, 15, 1, 20, 20},
    {"AMD EPYC, Zen 3", "AuthenticAMD", 25, 0, 15, 2, 27, 27},
    {"AMD EPYC, Zen 4", "AuthenticAMD", 25, 16, 175, 1, 25, 31},
    {"AMD EPYC, Zen 4", "AuthenticAMD", 25, 16, 175, 2, 30, 60},
    {"AMD EPYC, Zen 5", "AuthenticAMD", 26, 0, 255, 1, 38, 42},
    {"AMD EPYC, Zen 5", "AuthenticAMD", 26, 0, 255, 2, 43, 97},
    {NULL},
};

/* Sorted by CPU and tier.  Those of whole chains, int8 of avx2 and avx512, are as measured. */
static const struct omma_known_peaks peaks[] = {
    {"AMD EPYC, Zen 3", "AuthenticAMD", 25, 0, 15, "avx2", 16, 0, 0},
    {"AMD EPYC, Zen 4", "AuthenticAMD", 25, 16, 175, "avx2", 16, 0, 25.8},
    {"AMD EPYC, Zen 4", "AuthenticAMD", 25, 16, 175, "avx512", 16, 0, 23.7},
    {"AMD EPYC, Zen 4", "AuthenticAMD", 25, 16, 175, "avx512vnni", 16, 0, 64},
    {"AMD EPYC, Zen 4", "AuthenticAMD", 25, 16, 175, "avx512bf16", 16, 32, 64},
    {"AMD EPYC, Zen 5", "AuthenticAMD", 26, 0, 255, "avx2", 16, 0, 0},
    {"AMD EPYC, Zen 5", "AuthenticAMD", 26, 0, 255, "avx512", 32, 0, 0},
    {"AMD EPYC, Zen 5", "AuthenticAMD", 26, 0, 255, "avx512vnni", 32, 0, 128},
    {"AMD EPYC, Zen 5", "AuthenticAMD", 26, 0, 255, "avx512bf16", 32, 64, 128},
    {NULL},
};

/* The value of "key : value" if the line has that key, else NULL.  The line's end is cut. */
static const char *value_of(char *line, const char *key)
{
    size_t length = strlen(key);
    char *colon = strchr(line, ':');

    if (strncmp(line, key, length) != 0 || colon == NULL ||
        strspn(line + length, " \t") != (size_t)(colon - line) - length) {
        return NULL;
    }
    colon += strspn(colon, ": \t");
    colon[strcspn(colon, "\n")] = '\0';
    return colon;
}

static void take_text(char *text, size_t capacity, const char *value)
{
    if (value != NULL && text[0] == '\0') {
        snprintf(text, capacity, "%s", value);
    }
}

static void take_number(unsigned *number, const char *value)
{
    if (value != NULL) {
        *number = (unsigned)strtoul(value, NULL, 0);
    }
}

void omma_cpu_identify(const char *root, struct omma_cpu_id *id)
{
    char path[PATH_MAX], line[256];
    FILE *file = NULL;

    *id = (struct omma_cpu_id){.name = ""};
    if ((size_t)snprintf(path, sizeof path, "%s/proc/cpuinfo", root) < sizeof path) {
        file = fopen(path, "re");
    }
    while (file != NULL && fgets(line, sizeof line, file) != NULL && line[0] != '\n') {
        take_text(id->name, sizeof id->name, value_of(line, "model name"));
        take_text(id->vendor, sizeof id->vendor, value_of(line, "vendor_id"));
        take_text(id->vendor, sizeof id->vendor, value_of(line, "CPU implementer"));
        take_number(&id->family, value_of(line, "cpu family"));
        take_number(&id->family, value_of(line, "CPU architecture"));
        take_number(&id->model, value_of(line, "model"));
        take_number(&id->model, value_of(line, "CPU part"));
    }
    if (file != NULL) {
        fclose(file);
    }
    if (id->name[0] == '\0' && id->vendor[0] != '\0') {
        snprintf(id->name, sizeof id->name, "%s %u 0x%x", id->vendor, id->family, id->model);
    } else if (id->name[0] == '\0') {
        snprintf(id->name, sizeof id->name, "unknown");
    }
}

/* A CPU's models of one vendor and family. */
static bool is_among(const struct omma_cpu_id *id, const char *vendor, unsigned family,
                     unsigned first_model, unsigned last_model)
{
    return strcmp(vendor, id->vendor) == 0 && family == id->family && first_model <= id->model &&
           id->model <= last_model;
}

const struct omma_known_read *omma_known_reads(void)
{
    return reads;
}

const struct omma_known_read *omma_known_read_find(const struct omma_cpu_id *id, size_t n_threads)
{
    for (const struct omma_known_read *row = reads; row->title != NULL; row++) {
        if (is_among(id, row->vendor, row->family, row->first_model, row->last_model) &&
            row->n_threads == n_threads) {
            return row;
        }
    }
    return NULL;
}

bool omma_known_read_confirms(const struct omma_known_read *row, double bytes_per_s)
{
    return bytes_per_s >= (1 - read_tolerance) * row->low * 1e9 &&
           bytes_per_s <= (1 + read_tolerance) * row->high * 1e9;
}

const struct omma_known_peaks *omma_known_peaks(void)
{
    return peaks;
}

const struct omma_known_peaks *omma_known_peaks_find(const struct omma_cpu_id *id, const char *isa)
{
    for (const struct omma_known_peaks *row = peaks; row->title != NULL; row++) {
        if (is_among(id, row->vendor, row->family, row->first_model, row->last_model) &&
            strcmp(row->isa, isa) == 0) {
            return row;
        }
    }
    return NULL;
}

bool omma_known_peak_confirms(double known, double per_cycle)
{
    return known > 0 && fabs(per_cycle / known - 1) <= peak_tolerance;
}
