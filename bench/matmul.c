/*
 * matmul [THREADS [TIER]]: products of the released models' shapes, beside the limits measured in
 * the same run.  Weights are bf16 and come from memory, as in a model: each call takes the next
 * ones of a buffer far larger than the caches.  One row of x is decoding and is compared with the
 * speed of reading; more rows are prefill and vision, compared with the peak of the tier's
 * multiply-add.
 *
 * A call takes a slice of the weight's rows that takes a few milliseconds, and the best of many
 * calls counts: on a machine that others use too, some are left alone.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/setup.h"
#include "base/checked.h"
#include "platform/clock.h"
#include "tensor/matmul.h"

enum { WEIGHT_BYTES = 512 << 20, MAX_M = 1025 };

static const double measure_s = 0.25;
static const double slice_products = 1e9, slice_bytes = 64e6;

struct shape {
    const char *name;
    size_t n, k; /* weight [n][k] */
};

static const struct shape shapes[] = {
    {"ViT-300M qkv", 3072, 1024}, {"ViT-300M fc1", 4096, 1024}, {"ViT-300M fc2", 1024, 4096},
    {"1B q", 896, 896},           {"1B gate, up", 4864, 896},   {"1B down", 896, 4864},
    {"8B q", 3584, 3584},         {"8B gate, up", 18944, 3584}, {"8B down", 3584, 18944},
};

static const size_t rows[] = {1, 4, 64, 256, 1025};

/* One product, and what it works on. */
struct product {
    const struct omma_compute *compute;
    struct omma_operand x;
    struct omma_linear linear;
    struct omma_output output;
    size_t m;
};

static void multiply(struct omma_thread *self, void *argument)
{
    struct product *product = argument;

    omma_matmul(self, product->compute, product->m, &product->x, &product->linear,
                &product->output);
}

/* Rows of the weight that a call takes: whole panels for each thread. */
static size_t slice_rows(const struct omma_team *team, const struct shape *shape, size_t m)
{
    size_t unit = OMMA_PANEL_COLUMNS * omma_team_n_threads(team);
    double k = (double)shape->k;
    double n = fmin(slice_products / ((double)m * k), slice_bytes / (2 * k));

    return omma_min(shape->n, omma_round_up((size_t)n, unit));
}

/* Seconds of the best call over n rows of the weight, which go round through the buffer. */
static double best_seconds(struct omma_team *team, struct product *product, const char *weights,
                           size_t n, size_t k)
{
    size_t bytes = n * k * 2, offset = 0;
    double started = omma_clock_now(), best_s = 1e30;

    for (int call = 0; call < 5 || omma_clock_now() - started < measure_s; call++) {
        double begin, seconds;

        if (offset + bytes > WEIGHT_BYTES) {
            offset = 0;
        }
        product->linear.weight = (struct omma_matrix){
            .data = weights + offset, .dtype = OMMA_DTYPE_BF16, .n_rows = n, .n_columns = k};
        offset += bytes;
        begin = omma_clock_now();
        omma_team_run(team, multiply, product);
        seconds = omma_clock_now() - begin;
        best_s = seconds < best_s ? seconds : best_s;
    }
    return best_s;
}

static void print_shape(struct bench_setup *setup, struct product *product, const char *weights,
                        const struct shape *shape)
{
    double peak =
        product->x.dtype == OMMA_DTYPE_BF16 ? setup->limits.bf16.per_s : setup->limits.f32.per_s;

    printf("%-13s %5zu x %5zu", shape->name, shape->n, shape->k);
    product->output.f32_stride = shape->n;
    product->x.stride = omma_operand_stride(product->compute, shape->k);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t m = rows[i], n = slice_rows(setup->team, shape, m);
        double weights_per_s;

        product->m = m;
        weights_per_s =
            (double)(n * shape->k) / best_seconds(setup->team, product, weights, n, shape->k);
        if (m <= OMMA_GEMV_MAX_M) {
            printf("  %5.1f GB/s %3.0f%%", 2e-9 * weights_per_s,
                   200 * weights_per_s / setup->limits.read_bytes_per_s);
        } else {
            double rate = (double)m * weights_per_s;

            printf("  %5.0f G/s %3.0f%%", 1e-9 * rate, 100 * rate / peak);
        }
        fflush(stdout);
    }
    printf("\n");
}

/* bf16 values of about 1/64, either sign, so that sums stay small. */
static void fill_bf16(size_t n, uint16_t *values)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = (uint16_t)(0x3C80 | (i * 40503 & 0x807F));
    }
}

int main(int n_arguments, char **arguments)
{
    struct bench_setup setup;
    struct omma_compute compute;
    struct product product = {.compute = &compute};
    uint16_t *weights = malloc(WEIGHT_BYTES);
    size_t x_bytes;
    void *x;
    int status = bench_setup_open(n_arguments, arguments, omma_matmul_scratch_bytes(), &setup);

    if (status != 0) {
        free(weights);
        return status;
    }
    compute = (struct omma_compute){
        .kernels = setup.kernels,
        .operand = setup.kernels.probe_bf16_dot != NULL ? OMMA_DTYPE_BF16 : OMMA_DTYPE_F32,
    };
    x_bytes = omma_operand_bytes(&compute, MAX_M, 18944);
    /* aligned, as an arena's memory is: vectors that straddle lines halve the speed of a few rows
     */
    x = aligned_alloc(64, omma_round_up(x_bytes, 64));
    product.x = (struct omma_operand){.data = x, .dtype = compute.operand};
    product.output = (struct omma_output){.kind = OMMA_OUTPUT_STORE,
                                          .f32 = calloc((size_t)MAX_M * 18944, sizeof(float))};
    if (weights == NULL || x == NULL || product.output.f32 == NULL) {
        fprintf(stderr, "matmul: out of memory\n");
        status = OMMA_STATUS_RESOURCES;
    } else {
        fill_bf16(WEIGHT_BYTES / 2, weights);
        memset(x, 0, x_bytes);
        bench_setup_print(&setup);
        printf("%-27s", "weight");
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            printf("  %8zu rows ", rows[i]);
        }
        printf("\n");
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            print_shape(&setup, &product, (const char *)weights, &shapes[i]);
        }
    }
    free(weights);
    free(product.x.data);
    free(product.output.f32);
    bench_setup_close(&setup);
    return status;
}
