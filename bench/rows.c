/*
 * rows [N]: the row kernels of every tier that this CPU has, on one thread, with rows of N elements
 * (1024) that lie in L1: G elements a second, the best of many passes.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "platform/clock.h"
#include "simd/kernels.h"

enum { MAX_N = 1 << 20, PASS_ELEMENTS = 1 << 16, N_PASSES = 400 };

/* What the kernels work on; values as activations have them. */
struct rows {
    size_t n;
    float *x, *weight, *bias, *y; /* [n] */
    uint16_t *half;               /* [n] */
};

static void run_f32_to_bf16(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->f32_to_bf16(rows->n, rows->x, rows->half);
}

static void run_bf16_to_f32(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->bf16_to_f32(rows->n, rows->half, rows->y);
}

static void run_f16_to_f32(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->f16_to_f32(rows->n, rows->half, rows->y);
}

static void run_round_bf16(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->round_bf16(rows->n, rows->x, rows->y);
}

static void run_rms_norm(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->rms_norm(rows->n, rows->x, rows->weight, 1e-6f, rows->y);
}

static void run_layer_norm(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->layer_norm(rows->n, rows->x, rows->weight, rows->bias, 1e-6f, rows->y);
}

static void run_gelu(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->gelu(rows->n, rows->x, rows->y);
}

static void run_silu_mul(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->silu_mul(rows->n, rows->x, rows->weight, rows->y);
}

static void run_add(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->add(rows->n, rows->bias, rows->y);
}

static void run_scale_add(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->scale_add(rows->n, rows->weight, rows->bias, rows->y);
}

static void run_scale(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->scale(rows->n, 0.999f, rows->y);
}

static void run_row_max(const struct omma_kernels *kernels, const struct rows *rows)
{
    rows->y[0] = kernels->row_max(rows->n, rows->x);
}

static void run_exp_sum(const struct omma_kernels *kernels, const struct rows *rows)
{
    rows->y[0] = kernels->exp_sum(rows->n, rows->x, 4, 0.125f, rows->y);
}

static void run_rope(const struct omma_kernels *kernels, const struct rows *rows)
{
    kernels->rope(rows->n / 2 * 2, rows->weight, rows->bias, rows->y);
}

struct entry {
    const char *name;
    void (*run)(const struct omma_kernels *kernels, const struct rows *rows);
};

static const struct entry entries[] = {
    {"f32_to_bf16", run_f32_to_bf16},
    {"bf16_to_f32", run_bf16_to_f32},
    {"f16_to_f32", run_f16_to_f32},
    {"round_bf16", run_round_bf16},
    {"rms_norm", run_rms_norm},
    {"layer_norm", run_layer_norm},
    {"gelu", run_gelu},
    {"silu_mul", run_silu_mul},
    {"add", run_add},
    {"scale_add", run_scale_add},
    {"scale", run_scale},
    {"row_max", run_row_max},
    {"exp_sum", run_exp_sum},
    {"rope", run_rope},
};

/* Fill with values from -4 to 4, so that no result is subnormal, infinite or NaN. */
static void fill(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        rows->x[i] = (float)(i * 37 % 1024) / 128 - 4;
        rows->weight[i] = 0.5f + (float)(i % 64) / 128;
        rows->bias[i] = (float)(i % 32) / 64 - 0.25f;
        rows->y[i] = rows->x[i];
        rows->half[i] = (uint16_t)(0x3000 + i % 0x1000);
    }
}

/* Elements a second in the best pass. */
static double measure(const struct entry *entry, const struct omma_kernels *kernels,
                      const struct rows *rows)
{
    size_t n_calls = PASS_ELEMENTS / rows->n + 1;
    double best_s = 1e30;

    fill(rows);
    for (int pass = 0; pass < N_PASSES; pass++) {
        double begin = omma_clock_now(), seconds;

        for (size_t call = 0; call < n_calls; call++) {
            entry->run(kernels, rows);
        }
        seconds = omma_clock_now() - begin;
        best_s = seconds < best_s ? seconds : best_s;
    }
    return (double)(n_calls * rows->n) / best_s;
}

static void print_table(const struct rows *rows)
{
    printf("%-12s", "G elements/s");
    for (enum omma_isa isa = 0; isa < OMMA_ISA_COUNT; isa++) {
        if (omma_isa_is_built(isa) && omma_isa_is_usable(isa)) {
            printf(" %12s", omma_isa_name(isa));
        }
    }
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        printf("\n%-12s", entries[i].name);
        for (enum omma_isa isa = 0; isa < OMMA_ISA_COUNT; isa++) {
            if (omma_isa_is_built(isa) && omma_isa_is_usable(isa)) {
                struct omma_kernels kernels = omma_kernels_select(isa);

                printf(" %12.2f", measure(&entries[i], &kernels, rows) * 1e-9);
            }
        }
    }
    printf("\n");
}

int main(int n_arguments, char **arguments)
{
    struct rows rows = {.n = n_arguments > 1 ? strtoul(arguments[1], NULL, 10) : 1024};
    float *floats;

    if (rows.n == 0 || rows.n > MAX_N) {
        fprintf(stderr, "rows: expected 1 to %d elements, found %s\n", MAX_N, arguments[1]);
        return 2;
    }
    floats = malloc(rows.n * (4 * sizeof(float) + sizeof(uint16_t)));
    if (floats == NULL) {
        fprintf(stderr, "rows: out of memory\n");
        return 6;
    }
    rows.x = floats;
    rows.weight = floats + rows.n;
    rows.bias = floats + 2 * rows.n;
    rows.y = floats + 3 * rows.n;
    rows.half = (uint16_t *)(floats + 4 * rows.n);
    print_table(&rows);
    free(floats);
    return 0;
}
