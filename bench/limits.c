/*
 * limits [THREADS [TIER]]: what this machine can do, against which every other figure is held: the
 * speed of reading memory, and of multiply-adds in registers.  Default: one thread a core, the best
 * tier.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/limits.h"
#include "simd/kernels.h"

/* "AMD EPYC", as the kernel has it. */
static void print_cpu(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    bool is_known = false;

    while (file != NULL && !is_known && fgets(line, sizeof line, file) != NULL) {
        is_known = strncmp(line, "model name", 10) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    printf("CPU                 %s", is_known ? strchr(line, ':') + 2 : "unknown\n");
}

static void print_limits(const struct omma_limits *limits, enum omma_isa isa)
{
    print_cpu();
    printf("tier                %s\n", omma_isa_name(isa));
    printf("threads             %zu\n", limits->n_threads);
    printf("read                %.1f GB/s\n", limits->read_bytes_per_s * 1e-9);
    printf("f32 multiply-adds   %.1f G/s\n", limits->f32_fma_per_s * 1e-9);
    printf("bf16 multiply-adds  %.1f G/s\n", limits->bf16_dot_per_s * 1e-9);
    printf("clock               %.2f GHz\n", limits->clock_hz * 1e-9);
    printf("f32 multiply-adds a cycle and thread   %.1f\n",
           limits->f32_fma_per_s / limits->clock_hz / (double)limits->n_threads);
    printf("bf16 multiply-adds a cycle and thread  %.1f\n",
           limits->bf16_dot_per_s / limits->clock_hz / (double)limits->n_threads);
}

int main(int n_arguments, char **arguments)
{
    struct omma_team_options options = {0};
    enum omma_isa isa = omma_isa_best();
    struct omma_limits_probes probes;
    struct omma_kernels kernels;
    struct omma_limits limits;
    struct omma_team *team = NULL;
    struct omma_error error;
    enum omma_status status;

    if (n_arguments > 1) {
        options.n_threads = strtoul(arguments[1], NULL, 10);
    }
    if (n_arguments > 2) {
        isa = omma_isa_of_name(arguments[2]);
    }
    if (isa == OMMA_ISA_COUNT || !omma_isa_is_built(isa) || !omma_isa_is_usable(isa)) {
        fprintf(stderr, "limits: %s: no tier that this CPU can run\n", arguments[2]);
        return OMMA_STATUS_USAGE;
    }
    kernels = omma_kernels_select(isa);
    probes = (struct omma_limits_probes){
        .f32_fma = kernels.probe_f32_fma,
        .bf16_dot = kernels.probe_bf16_dot,
        .read = kernels.probe_read,
    };
    status = omma_team_create(&options, &team, &error);
    if (status == OMMA_OK) {
        status = omma_limits_of_team(team, &probes, 0, &limits, &error);
    }
    omma_team_destroy(&team);
    if (status != OMMA_OK) {
        fprintf(stderr, "limits: %s\n", error.message);
        return status;
    }
    print_limits(&limits, isa);
    return 0;
}
