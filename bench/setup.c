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
    if (n_arguments > 2) {
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
        .read = setup->kernels.probe_read,
    };
    status = omma_team_create(&options, &setup->team, &error);
    if (status == OMMA_OK) {
        status = omma_limits_of_team(setup->team, &probes, 0, &setup->limits, &error);
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

/* "AMD EPYC", as the operating system has it. */
static void print_cpu(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    bool is_known = false;

    while (file != NULL && !is_known && fgets(line, sizeof line, file) != NULL) {
        is_known = strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    printf("CPU                 %s", is_known ? strchr(line, ':') + 2 : "unknown\n");
}

void bench_setup_print(const struct bench_setup *setup)
{
    const struct omma_limits *limits = &setup->limits;
    double cycles = limits->clock_hz * (double)limits->n_threads;

    print_cpu();
    printf("tier                %s\n", omma_isa_name(setup->kernels.isa));
    printf("threads             %zu\n", limits->n_threads);
    printf("clock               %.2f GHz\n", limits->clock_hz * 1e-9);
    printf("read                %.1f GB/s\n", limits->read_bytes_per_s * 1e-9);
    printf("f32 multiply-adds   %.1f G/s, %.1f a cycle and thread\n", limits->f32_fma_per_s * 1e-9,
           limits->f32_fma_per_s / cycles);
    printf("bf16 multiply-adds  %.1f G/s, %.1f a cycle and thread\n", limits->bf16_dot_per_s * 1e-9,
           limits->bf16_dot_per_s / cycles);
}
