/* Arguments, team, kernels and limits of a bench. */
#include "config.h"

#include "bench/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bench_setup_open(int n_arguments, char **arguments, size_t scratch_bytes,
                     struct bench_setup *setup)
{
    struct omma_team_options options = {.scratch_bytes = scratch_bytes};
    enum omma_isa isa = omma_isa_best();
    struct omma_limits_probes probes;
    struct omma_error error;
    enum omma_status status;

    setup->team = NULL;
    if (n_arguments > 1) {
        options.n_threads = strtoul(arguments[1], NULL, 10);
    }
    if (n_arguments > 2 && arguments[2][0] != '\0') {
        isa = omma_isa_of_name(arguments[2]);
    }
    if (isa == OMMA_ISA_COUNT || !omma_isa_is_built(isa) || !omma_isa_is_usable(isa)) {
        fprintf(stderr, "%s: %s: no tier that this CPU can run\n", arguments[0], arguments[2]);
        return OMMA_STATUS_USAGE;
    }
    setup->kernels = omma_kernels_select(isa);
    probes = (struct omma_limits_probes){
        .f32_fma = setup->kernels.probe_f32_fma,
        .bf16_dot = setup->kernels.probe_bf16_dot,
        .i8_dot = setup->kernels.probe_i8_dot,
        .steps_per_round = OMMA_PROBE_STEPS,
        .read = setup->kernels.probe_read,
    };
    status = omma_team_create(&options, &setup->team, &error);
    if (status == OMMA_OK) {
        struct omma_limits_options memory = {.isa = omma_isa_name(isa)};

        status = omma_limits_of_team(setup->team, &probes, &memory, &setup->limits, &error);
    }
    if (status != OMMA_OK) {
        fprintf(stderr, "%s: %s\n", arguments[0], error.message);
        bench_setup_close(setup);
    }
    return status;
}

void bench_setup_close(struct bench_setup *setup)
{
    omma_team_destroy(&setup->team);
}

static void print_peak(const char *name, const struct omma_peak *peak)
{
    if (peak->per_s == 0) {
        printf("%-20snone on this tier\n", name);
        return;
    }
    printf("%-20s%.1f G/s, %.1f a cycle and thread; %g are known of this CPU%s\n", name,
           peak->per_s * 1e-9, peak->per_cycle, peak->known_per_cycle,
           peak->counts ? "" : ": does not count");
}

void bench_setup_print(const struct bench_setup *setup)
{
    const struct omma_limits *limits = &setup->limits;

    printf("CPU                 %s\n", limits->cpu);
    printf("tier                %s\n", limits->isa);
    printf("threads             %zu\n", limits->n_threads);
    printf("clock               %.2f GHz\n", limits->clock_hz * 1e-9);
    printf("read                %.1f GB/s (quartiles %.0f %% apart), %zu streams a thread, "
           "prefetch %zu, %s pages, %zu MiB%s\n",
           limits->read_bytes_per_s * 1e-9, 100 * limits->read_spread, limits->read_streams,
           limits->read_prefetch_bytes, limits->read_memory, limits->read_bytes >> 20,
           limits->read_counts ? "" : ": does not count");
    if (limits->known_high > 0) {
        printf("known of this CPU   %.0f to %.0f GB/s\n", limits->known_low * 1e-9,
               limits->known_high * 1e-9);
    } else {
        printf("known of this CPU   nothing with %zu threads: no row in doc/performance.md\n",
               limits->n_threads);
    }
    print_peak("f32 multiply-adds", &limits->f32);
    print_peak("bf16 multiply-adds", &limits->bf16);
    print_peak("int8 multiply-adds", &limits->i8);
}
