/*
 * Every thread notes when it began and ended a pass; the pass took from the first beginning to the
 * last end, so that a thread that leaves a barrier late makes the rate worse, never better.
 *
 * A peak is a best pass, for nothing can make registers faster than they are, and it is held
 * against the clock.  A bandwidth is a median: what others on the machine leave changes from pass
 * to pass, and what is compared with it lasts longer than one.
 */
#include "platform/limits.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checked.h"
#include "platform/cgroup.h"
#include "platform/clock.h"
#include "platform/known_cpu.h"
#include "platform/topology.h"

enum {
    PAGE_BYTES = 4096, /* the unit of struct omma_limits_probes */
    MIN_READ_BYTES = 256 << 20,
    N_READ_PASSES = 9,
    N_COMPUTE_PASSES = 50,
    CHAIN_LENGTH = 1 << 18,
};

/* Shorter than a time slice, so that on a busy machine some passes run undisturbed. */
static const double compute_pass_s = 0.003;

/* Streams of a thread, and bytes that each prefetches ahead. */
static const struct pattern {
    size_t n_streams, prefetch_bytes;
} patterns[] = {{1, 0}, {1, 4096}, {4, 0}, {4, 4096}, {8, 0}, {8, 1024}, {8, 4096}};

enum { N_PATTERNS = sizeof patterns / sizeof *patterns };

/* One thread's part of one pass, on a cache line of its own. */
struct lap {
    _Alignas(64) double begin, end;
    double clock_hz;
    uint64_t n_done;
};

/* What the threads share; thread 0 writes it, between barriers. */
struct measurement {
    const struct omma_limits_probes *probes;
    struct lap *laps; /* [n_threads] */

    char *memory;
    size_t n_pages;
    bool is_ours; /* the threads touch the memory first */
    struct pattern pattern;
    double read_rates[N_READ_PASSES];

    uint64_t (*compute)(uint64_t n_rounds); /* NULL: the clock alone */
    uint64_t n_rounds;
    double best_rate, best_clock_hz; /* of one pass */
    double clock_hz;                 /* the highest of all */
};

/* Thread 0, after the barrier behind a pass: its rate. */
static double pass_rate(const struct measurement *measurement, size_t n_threads)
{
    double begin = INFINITY, end = 0, n_done = 0;

    for (size_t i = 0; i < n_threads; i++) {
        begin = fmin(begin, measurement->laps[i].begin);
        end = fmax(end, measurement->laps[i].end);
        n_done += (double)measurement->laps[i].n_done;
    }
    return end > begin ? n_done / (end - begin) : 0;
}

/* ------------------------------------------------------------------------------------------------
 * Reading
 * --------------------------------------------------------------------------------------------- */

static void touch(struct omma_thread *self, void *argument)
{
    struct measurement *measurement = argument;
    struct omma_range part = omma_team_range(self, measurement->n_pages);

    memset(measurement->memory + part.begin * PAGE_BYTES, 1, (part.end - part.begin) * PAGE_BYTES);
}

/* The first pass, which brings pages and page tables, does not count. */
static void measure_read(struct omma_thread *self, void *argument)
{
    struct measurement *measurement = argument;
    struct omma_range part = omma_team_range(self, measurement->n_pages);
    size_t n_bytes = (part.end - part.begin) * PAGE_BYTES;
    const char *bytes = measurement->memory + part.begin * PAGE_BYTES;
    struct lap *lap = &measurement->laps[self->index];

    lap->n_done = n_bytes;
    for (int pass = -1; pass < N_READ_PASSES; pass++) {
        omma_team_barrier(self);
        lap->begin = omma_clock_now();
        measurement->probes->read(bytes, n_bytes, measurement->pattern.n_streams,
                                  measurement->pattern.prefetch_bytes);
        lap->end = omma_clock_now();
        omma_team_barrier(self);
        if (self->index == 0 && pass >= 0) {
            measurement->read_rates[pass] = pass_rate(measurement, self->n_threads);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Read in one pattern; note it if its median pass is better than what limits holds. */
static void read_in_pattern(struct omma_team *team, struct measurement *measurement,
                            struct pattern pattern, struct omma_limits *limits)
{
    double *rates = measurement->read_rates, median;

    measurement->pattern = pattern;
    omma_team_run(team, measure_read, measurement);
    qsort(rates, N_READ_PASSES, sizeof *rates, compare);
    median = rates[N_READ_PASSES / 2];
    if (median > limits->read_bytes_per_s) {
        limits->read_bytes_per_s = median;
        limits->read_spread = (rates[3 * N_READ_PASSES / 4] - rates[N_READ_PASSES / 4]) / median;
        limits->read_streams = pattern.n_streams;
        limits->read_prefetch_bytes = pattern.prefetch_bytes;
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

/* Eight times all L3 caches; 0 if they are unknown. */
static size_t beyond_caches(void)
{
    const struct omma_topology_options whole_machine = {.mask = "0-"};
    struct omma_topology *topology;
    size_t n_bytes = 0;

    if (omma_topology_open(&whole_machine, &topology, NULL) == OMMA_OK) {
        n_bytes = 8 * omma_topology_l3_bytes(topology);
        omma_topology_close(&topology);
    }
    return n_bytes;
}

static size_t default_read_bytes(void)
{
    size_t n_bytes = omma_max(beyond_caches(), MIN_READ_BYTES), available = available_bytes();

    return available != 0 ? omma_min(n_bytes, available / 4) : n_bytes;
}

/* A file without a name on a disk, whose page cache lies in memory as a checkpoint's does: larger
 * pieces than those of a memfd, which read a third slower.  -1: none can be had. */
static int open_file(size_t n_bytes)
{
    static const char *const folders[] = {"/var/tmp", "/tmp"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        int fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd >= 0 && posix_fallocate(fd, 0, (off_t)n_bytes) == 0) {
            return fd;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return -1;
}

/* Pages of a file, written by the calling thread in pieces, as a download writes them. */
static char *map_file(size_t n_bytes)
{
    enum { PIECE_BYTES = 1 << 20 };
    int fd = open_file(n_bytes);
    char *piece = fd >= 0 ? calloc(1, PIECE_BYTES) : NULL;
    void *bytes = MAP_FAILED;
    size_t n_written = 0;

    while (piece != NULL && n_written < n_bytes) {
        ssize_t n = write(fd, piece, omma_min(PIECE_BYTES, n_bytes - n_written));

        if (n <= 0) {
            break;
        }
        n_written += (size_t)n;
    }
    if (n_written == n_bytes) {
        bytes = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, fd, 0);
    }
    free(piece);
    if (fd >= 0) {
        close(fd);
    }
    return bytes != MAP_FAILED ? bytes : NULL;
}

static char *map_huge(size_t n_bytes)
{
    void *bytes = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (bytes == MAP_FAILED) {
        return NULL;
    }
    madvise(bytes, n_bytes, MADV_HUGEPAGE);
    return bytes;
}

/* Find the memory to read: the weights' own, or new pages of the same kind. */
static enum omma_status open_memory(struct omma_team *team,
                                    const struct omma_limits_options *options,
                                    struct measurement *measurement, struct omma_limits *limits,
                                    struct omma_error *error)
{
    size_t n_bytes = options->read_bytes != 0 ? options->read_bytes : default_read_bytes();

    n_bytes = omma_round_up(n_bytes, PAGE_BYTES);
    measurement->n_pages = n_bytes / PAGE_BYTES;
    measurement->is_ours = options->weights == NULL || options->weights_bytes < n_bytes;
    limits->read_bytes = n_bytes;
    if (!measurement->is_ours) {
        measurement->memory = (char *)options->weights; /* only read */
        limits->read_memory = "model";
        return OMMA_OK;
    }
    measurement->memory =
        options->memory == OMMA_LIMITS_FILE && options->topology == NULL ? map_file(n_bytes) : NULL;
    limits->read_memory = "file";
    if (measurement->memory == NULL) { /* where no file can be made, too */
        measurement->memory = map_huge(n_bytes);
        limits->read_memory = "huge";
        if (measurement->memory == NULL) {
            return omma_fail_memory(error, n_bytes, "measuring the speed of memory");
        }
        if (options->topology != NULL &&
            !omma_topology_bind_memory(options->topology, options->node, measurement->memory,
                                       n_bytes, false)) {
            munmap(measurement->memory, n_bytes);
            return omma_fail(error, OMMA_STATUS_RESOURCES, "node %zu: no memory can be had there",
                             omma_topology_node_number(options->topology, options->node));
        }
        omma_team_run(team, touch, measurement);
    }
    return OMMA_OK;
}

static void close_memory(struct measurement *measurement)
{
    if (measurement->is_ours) {
        munmap(measurement->memory, measurement->n_pages * PAGE_BYTES);
    }
}

static void judge_read(struct omma_limits *limits)
{
    const struct omma_known_read *row;
    struct omma_cpu_id id;

    omma_cpu_identify("", &id);
    row = omma_known_read_find(&id, limits->n_threads);
    snprintf(limits->cpu, sizeof limits->cpu, "%s", id.name);
    limits->known_low = row != NULL ? row->low * 1e9 : 0;
    limits->known_high = row != NULL ? row->high * 1e9 : 0;
    limits->read_counts = row != NULL && limits->read_bytes >= beyond_caches() &&
                          omma_known_read_confirms(row, limits->read_bytes_per_s);
}

/* ------------------------------------------------------------------------------------------------
 * Multiplying
 * --------------------------------------------------------------------------------------------- */

/* The rounds that take about compute_pass_s. */
static uint64_t find_rounds(uint64_t (*compute)(uint64_t n_rounds))
{
    for (uint64_t n_rounds = 64;; n_rounds *= 2) {
        double begin = omma_clock_now(), seconds;

        compute(n_rounds);
        seconds = omma_clock_now() - begin;
        if (seconds > compute_pass_s / 16 || n_rounds > UINT64_MAX / 4) {
            return (uint64_t)((double)n_rounds * fmax(1, compute_pass_s / seconds));
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

/* Thread 0, after the barrier behind a pass: keep the best, with the clock of its threads. */
static void keep_best(struct measurement *measurement, size_t n_threads)
{
    double rate = pass_rate(measurement, n_threads), clock_hz = 0;

    for (size_t i = 0; i < n_threads; i++) {
        clock_hz += measurement->laps[i].clock_hz / (double)n_threads;
        measurement->clock_hz = fmax(measurement->clock_hz, measurement->laps[i].clock_hz);
    }
    if (rate > measurement->best_rate) {
        measurement->best_rate = rate;
        measurement->best_clock_hz = clock_hz;
    }
}

/* The chain runs before and after the pass, when the core still has the clock that the pass gave
 * it; the faster of the two was not disturbed. */
static void measure_compute(struct omma_thread *self, void *argument)
{
    struct measurement *measurement = argument;
    struct lap *lap = &measurement->laps[self->index];

    if (self->index == 0 && measurement->compute != NULL) {
        measurement->n_rounds = find_rounds(measurement->compute);
    }
    for (int pass = 0; pass < N_COMPUTE_PASSES; pass++) {
        omma_team_barrier(self);
        lap->clock_hz = chain_rate();
        omma_team_barrier(self);
        lap->begin = omma_clock_now();
        lap->n_done =
            measurement->compute != NULL ? measurement->compute(measurement->n_rounds) : 0;
        lap->end = omma_clock_now();
        lap->clock_hz = fmax(lap->clock_hz, chain_rate());
        omma_team_barrier(self);
        if (self->index == 0) {
            keep_best(measurement, self->n_threads);
        }
    }
}

/* The peak of one probe; is it what the CPU is known to do, `known` a cycle? */
static struct omma_peak find_peak(struct omma_team *team, struct measurement *measurement,
                                  uint64_t (*compute)(uint64_t n_rounds), double known)
{
    struct omma_peak peak = {.known_per_cycle = known};

    measurement->compute = compute;
    measurement->best_rate = 0;
    if (compute == NULL) {
        return peak;
    }
    omma_team_run(team, measure_compute, measurement);
    peak.per_s = measurement->best_rate;
    peak.clock_hz = measurement->best_clock_hz;
    peak.per_step = (double)compute(1) / (double)measurement->probes->steps_per_round;
    if (peak.per_s > 0) {
        peak.per_cycle = peak.per_s / (peak.clock_hz * (double)omma_team_n_threads(team));
        peak.counts = omma_known_peak_confirms(known, peak.per_cycle);
    }
    return peak;
}

static void find_peaks(struct omma_team *team, struct measurement *measurement,
                       const struct omma_known_peaks *known, struct omma_limits *limits)
{
    const struct omma_limits_probes *probes = measurement->probes;
    const struct omma_known_peaks none = {0};
    struct omma_cpu_id id;

    if (known == NULL && limits->isa != NULL) {
        omma_cpu_identify("", &id);
        known = omma_known_peaks_find(&id, limits->isa);
    }
    known = known != NULL ? known : &none;
    limits->f32 = find_peak(team, measurement, probes->f32_fma, known->f32);
    limits->bf16 = find_peak(team, measurement, probes->bf16_dot, known->bf16);
    limits->i8 = find_peak(team, measurement, probes->i8_dot, known->i8);
    if (measurement->clock_hz == 0) { /* no probe at all */
        omma_team_run(team, measure_compute, measurement);
    }
    limits->clock_hz = measurement->clock_hz;
}

/* ------------------------------------------------------------------------------------------------
 * All of it
 * --------------------------------------------------------------------------------------------- */

static enum omma_status take_laps(struct omma_team *team, struct measurement *measurement,
                                  struct omma_error *error)
{
    size_t n_bytes = omma_team_n_threads(team) * sizeof *measurement->laps;

    measurement->laps = aligned_alloc(64, n_bytes);
    if (measurement->laps == NULL) {
        return omma_fail_memory(error, n_bytes, "measuring");
    }
    memset(measurement->laps, 0, n_bytes);
    return OMMA_OK;
}

enum omma_status omma_limits_of_team(struct omma_team *team,
                                     const struct omma_limits_probes *probes,
                                     const struct omma_limits_options *options,
                                     struct omma_limits *limits, struct omma_error *error)
{
    struct measurement measurement = {.probes = probes};
    struct omma_limits found = {
        .isa = options->isa, .n_threads = omma_team_n_threads(team), .read_memory = "none"};
    enum omma_status status = OMMA_OK;

    OMMA_TRY(take_laps(team, &measurement, error));
    if (probes->read != NULL) {
        OMMA_TRY_OR(status, done, open_memory(team, options, &measurement, &found, error));
        for (size_t i = 0; i < N_PATTERNS; i++) {
            read_in_pattern(team, &measurement, patterns[i], &found);
        }
        close_memory(&measurement);
    }
    judge_read(&found);
    find_peaks(team, &measurement, options->known_peaks, &found);
    *limits = found;
done:
    free(measurement.laps);
    return status;
}

enum omma_status omma_limits_read_of_team(struct omma_team *team,
                                          const struct omma_limits_probes *probes,
                                          const struct omma_limits_options *options,
                                          struct omma_limits *limits, struct omma_error *error)
{
    struct measurement measurement = {.probes = probes};
    struct omma_limits_options same = *options;
    struct pattern pattern = {limits->read_streams, limits->read_prefetch_bytes};
    enum omma_status status;

    if (probes->read == NULL || pattern.n_streams == 0) {
        return OMMA_OK;
    }
    same.read_bytes = limits->read_bytes;
    OMMA_TRY(take_laps(team, &measurement, error));
    OMMA_TRY_OR(status, done, open_memory(team, &same, &measurement, limits, error));
    limits->read_bytes_per_s = 0;
    read_in_pattern(team, &measurement, pattern, limits);
    close_memory(&measurement);
    judge_read(limits);
done:
    free(measurement.laps);
    return status;
}
