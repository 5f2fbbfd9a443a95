/*
 * Every thread notes when it began and ended a pass; the pass took from the first beginning to the
 * last end, so that a thread that leaves a barrier late makes the rate worse, never better.
 */
#include "platform/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "platform/cgroup.h"
#include "platform/clock.h"
#include "platform/topology.h"

enum {
    PAGE_BYTES = 4096, /* the unit of struct omma_limits_probes */
    N_READ_PASSES = 40,
    N_COMPUTE_PASSES = 80,
    N_CHAIN_PASSES = 8,
    CHAIN_LENGTH = 1 << 20,
};

/* Shorter than a time slice, so that on a busy machine some passes run undisturbed. */
static const double compute_pass_s = 0.003;

/* One thread's part of one pass, on a cache line of its own. */
struct lap {
    _Alignas(64) double begin, end;
    uint64_t n_done;
};

/* What the threads share; thread 0 writes it, between barriers. */
struct measurement {
    const struct omma_limits_probes *probes;
    char *memory;
    size_t n_pages;
    uint64_t (*compute)(uint64_t n_rounds); /* of one team run */
    uint64_t n_rounds;
    struct lap *laps; /* [n_threads] */
    double best_rate;
    double clock_hz;
};

/* Thread 0, after the barrier behind a pass: keep the rate if it is the best. */
static void keep_best(struct measurement *measurement, size_t n_threads)
{
    double begin = INFINITY, end = 0, n_done = 0;

    for (size_t i = 0; i < n_threads; i++) {
        begin = fmin(begin, measurement->laps[i].begin);
        end = fmax(end, measurement->laps[i].end);
        n_done += (double)measurement->laps[i].n_done;
    }
    if (end > begin) {
        measurement->best_rate = fmax(measurement->best_rate, n_done / (end - begin));
    }
}

static void measure_read(struct omma_thread *self, void *argument)
{
    struct measurement *measurement = argument;
    struct omma_range part = omma_team_range(self, measurement->n_pages);
    size_t n_bytes = (part.end - part.begin) * PAGE_BYTES;
    char *bytes = measurement->memory + part.begin * PAGE_BYTES;
    struct lap *lap = &measurement->laps[self->index];

    memset(bytes, 1, n_bytes);
    lap->n_done = n_bytes;
    for (int pass = 0; pass < N_READ_PASSES; pass++) {
        omma_team_barrier(self);
        lap->begin = omma_clock_now();
        measurement->probes->read(bytes, n_bytes);
        lap->end = omma_clock_now();
        omma_team_barrier(self);
        if (self->index == 0) {
            keep_best(measurement, self->n_threads);
        }
    }
}

/* The rounds that take about compute_pass_s. */
static uint64_t find_rounds(uint64_t (*compute)(uint64_t n_rounds))
{
    for (uint64_t n_rounds = 1024;; n_rounds *= 2) {
        double begin = omma_clock_now(), seconds;

        compute(n_rounds);
        seconds = omma_clock_now() - begin;
        if (seconds > compute_pass_s / 16 || n_rounds > UINT64_MAX / 4) {
            return (uint64_t)((double)n_rounds * fmax(1, compute_pass_s / seconds));
        }
    }
}

static void measure_compute(struct omma_thread *self, void *argument)
{
    struct measurement *measurement = argument;
    struct lap *lap = &measurement->laps[self->index];

    if (self->index == 0) {
        measurement->n_rounds = find_rounds(measurement->compute);
    }
    for (int pass = 0; pass < N_COMPUTE_PASSES; pass++) {
        omma_team_barrier(self);
        lap->begin = omma_clock_now();
        lap->n_done = measurement->compute(measurement->n_rounds);
        lap->end = omma_clock_now();
        omma_team_barrier(self);
        if (self->index == 0) {
            keep_best(measurement, self->n_threads);
        }
    }
}

/* Additions that depend on each other, one a cycle on every CPU.  The empty asm keeps the compiler
 * from adding them up; the second operand is a register, as some CPUs fold constants without a
 * cycle. */
static double chain_rate(void)
{
    uint64_t sum = 1, addend = 1;
    double begin = omma_clock_now();

    for (int i = 0; i < CHAIN_LENGTH; i += 16) {
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++) {
            sum += addend;
            __asm__ volatile("" : "+r"(sum), "+r"(addend));
        }
    }
    return CHAIN_LENGTH / (omma_clock_now() - begin);
}

/* Thread 0 runs the chain while the others, and itself just before, multiply and add. */
static void measure_clock(struct omma_thread *self, void *argument)
{
    struct measurement *measurement = argument;

    if (self->index == 0 && measurement->compute != NULL) {
        measurement->n_rounds = find_rounds(measurement->compute);
    }
    for (int pass = 0; pass < N_CHAIN_PASSES; pass++) {
        omma_team_barrier(self);
        if (self->index == 0) {
            measurement->clock_hz = fmax(measurement->clock_hz, chain_rate());
        } else if (measurement->compute != NULL) {
            measurement->compute(measurement->n_rounds / 16);
        }
    }
}

/* What /proc/meminfo says can be had without swapping, or what the control group allows if that is
 * less; 0: unknown. */
static size_t available_bytes(void)
{
    size_t group_bytes = omma_cgroup_memory_bytes("");
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    size_t n_kib = 0;

    if (file == NULL) {
        return 0;
    }
    while (n_kib == 0 && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %zu kB", &n_kib) != 1) {
            n_kib = 0;
        }
    }
    fclose(file);
    return group_bytes / 1024 < n_kib ? group_bytes : n_kib * 1024;
}

static size_t default_read_bytes(void)
{
    const struct omma_topology_options whole_machine = {.mask = "0-"};
    struct omma_topology *topology;
    size_t n_bytes = (size_t)256 << 20, available = available_bytes();

    if (omma_topology_open(&whole_machine, &topology, NULL) == OMMA_OK) {
        size_t l3_bytes = omma_topology_l3_bytes(topology);

        n_bytes = 8 * l3_bytes > n_bytes ? 8 * l3_bytes : n_bytes;
        omma_topology_close(&topology);
    }
    return available != 0 && n_bytes > available / 4 ? available / 4 : n_bytes;
}

static enum omma_status measure_memory(struct omma_team *team, struct measurement *measurement,
                                       size_t n_bytes, struct omma_error *error)
{
    n_bytes = omma_round_up(n_bytes, PAGE_BYTES);
    measurement->memory =
        mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (measurement->memory == MAP_FAILED) {
        return omma_fail_memory(error, n_bytes, "measuring the speed of memory");
    }
    madvise(measurement->memory, n_bytes, MADV_HUGEPAGE);
    measurement->n_pages = n_bytes / PAGE_BYTES;
    measurement->best_rate = 0;
    omma_team_run(team, measure_read, measurement);
    munmap(measurement->memory, n_bytes);
    return OMMA_OK;
}

static double compute_rate(struct omma_team *team, struct measurement *measurement,
                           uint64_t (*compute)(uint64_t n_rounds))
{
    measurement->best_rate = 0;
    measurement->compute = compute;
    if (compute != NULL) {
        omma_team_run(team, measure_compute, measurement);
    }
    return measurement->best_rate;
}

enum omma_status omma_limits_of_team(struct omma_team *team,
                                     const struct omma_limits_probes *probes, size_t read_bytes,
                                     struct omma_limits *limits, struct omma_error *error)
{
    size_t n_threads = omma_team_n_threads(team);
    struct measurement measurement = {.probes = probes};
    enum omma_status status = OMMA_OK;
    struct omma_limits found = {.n_threads = n_threads};

    measurement.laps = aligned_alloc(64, n_threads * sizeof measurement.laps[0]);
    if (measurement.laps == NULL) {
        return omma_fail_memory(error, n_threads * sizeof measurement.laps[0], "measuring");
    }
    if (probes->read != NULL) {
        OMMA_TRY_OR(status, done,
                    measure_memory(team, &measurement,
                                   read_bytes != 0 ? read_bytes : default_read_bytes(), error));
        found.read_bytes_per_s = measurement.best_rate;
    }
    found.bf16_dot_per_s = compute_rate(team, &measurement, probes->bf16_dot);
    found.f32_fma_per_s = compute_rate(team, &measurement, probes->f32_fma);
    omma_team_run(team, measure_clock, &measurement);
    found.clock_hz = measurement.clock_hz;
    *limits = found;

done:
    free(measurement.laps);
    return status;
}
