/*
 * matmul [THREADS [TIER]]: products of the released models' shapes, each beside the limit measured
 * just before it.  Weights are bf16 and come from memory, as in a model: each call takes the next
 * ones of a buffer far larger than the caches.  Up to 8 rows of x are decoding and are compared
 * with the speed of reading the same buffer; more rows are prefill and vision, compared with the
 * peak of the tier's multiply-add.
 *
 * A call takes a slice of the weight's rows that takes some milliseconds.  Limit and product take
 * turns, and the median of the ratios counts: what others on the machine take hits both alike.
 */
#include "config.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/setup.h"
#include "base/checked.h"
#include "platform/clock.h"
#include "tensor/matmul.h"

enum {
    WEIGHT_BYTES = 512 << 20,
    MAX_M = 1025,
    MAX_K = 29568,
    N_TURNS = 9,
    N_ROUNDS = 100000,
    READ_UNIT = 65536
};

static const double slice_products = 4e9, slice_bytes = 64e6;

struct shape {
    const char *name;
    size_t n, k; /* weight [n][k] */
    enum omma_output_kind output;
};

static const struct shape shapes[] = {
    {"1B q", 896, 896, OMMA_OUTPUT_STORE},
    {"1B gate, up", 4864, 896, OMMA_OUTPUT_OPERAND},
    {"1B down", 896, 4864, OMMA_OUTPUT_RESIDUAL},
    {"ViT-300M qkv", 3072, 1024, OMMA_OUTPUT_OPERAND},
    {"ViT-300M fc1", 4096, 1024, OMMA_OUTPUT_GELU},
    {"ViT-300M fc2", 1024, 4096, OMMA_OUTPUT_RESIDUAL},
    {"ViT-6B qkv", 9600, 3200, OMMA_OUTPUT_OPERAND},
    {"ViT-6B fc1", 12800, 3200, OMMA_OUTPUT_GELU},
    {"ViT-6B fc2", 3200, 12800, OMMA_OUTPUT_RESIDUAL},
    {"8B q", 3584, 3584, OMMA_OUTPUT_STORE},
    {"8B gate, up", 18944, 3584, OMMA_OUTPUT_OPERAND},
    {"8B down", 3584, 18944, OMMA_OUTPUT_RESIDUAL},
    {"78B q", 8192, 8192, OMMA_OUTPUT_STORE},
    {"78B gate, up", 29568, 8192, OMMA_OUTPUT_OPERAND},
    {"78B down", 8192, 29568, OMMA_OUTPUT_RESIDUAL},
};

static const size_t rows[] = {1, 4, 8, 512, 1025};

/* One product, and what it works on. */
struct product {
    const struct omma_compute *compute;
    const struct omma_limits *limits;
    struct omma_operand x;
    struct omma_linear linear;
    struct omma_output output;
    size_t m;
    _Atomic uint64_t n_done; /* multiply-adds or bytes of the limit */
};

static void multiply(struct omma_thread *self, void *argument)
{
    struct product *product = argument;

    omma_matmul(self, product->compute, product->m, &product->x, &product->linear,
                &product->output);
}

/* The limit's turn: multiply-adds in registers, or this thread's part of the weights read. */
static void probe(struct omma_thread *self, void *argument)
{
    struct product *product = argument;
    const struct omma_kernels *kernels = &product->compute->kernels;
    const struct omma_matrix *w = &product->linear.weight;
    struct omma_range part = omma_team_range(self, w->n_rows * w->n_columns * 2 / READ_UNIT);
    size_t n_bytes = (part.end - part.begin) * READ_UNIT;

    if (product->m > OMMA_GEMV_MAX_M) {
        product->n_done += (product->x.dtype == OMMA_DTYPE_BF16 ? kernels->probe_bf16_dot
                                                                : kernels->probe_f32_fma)(N_ROUNDS);
        return;
    }
    kernels->probe_read((const char *)w->data + part.begin * READ_UNIT, n_bytes,
                        product->limits->read_streams, product->limits->read_prefetch_bytes);
    product->n_done += n_bytes;
}

/* Rows of the weight that a call takes: whole panels for each thread. */
static size_t slice_rows(const struct omma_team *team, const struct shape *shape, size_t m)
{
    size_t unit = OMMA_PANEL_COLUMNS * omma_team_n_threads(team);
    double k = (double)shape->k;
    double n = fmin(slice_products / ((double)m * k), slice_bytes / (2 * k));

    return omma_min(shape->n, omma_round_up((size_t)n, unit));
}

static double run_seconds(struct omma_team *team, omma_team_work_fn work, struct product *product)
{
    double begin = omma_clock_now();

    omma_team_run(team, work, product);
    return omma_clock_now() - begin;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Multiply-adds, or bytes of W, a second over n rows of the weight, which go round through the
 * buffer, and the ratio to the limit: medians of pairs. */
static void measure(struct omma_team *team, struct product *product, const char *weights, size_t n,
                    size_t k, double *rate, double *ratio)
{
    size_t bytes = n * k * 2, offset = 0;
    double work = product->m > OMMA_GEMV_MAX_M ? (double)(product->m * n * k) : (double)bytes;
    double rates[N_TURNS], ratios[N_TURNS];

    for (int turn = -1; turn < N_TURNS; turn++) { /* the first warms up */
        double seconds, limit;

        for (int i = 0; i < 2;
             i++) { /* each its own weights, lest the second finds them in a cache */
            offset = offset + 2 * bytes > WEIGHT_BYTES ? 0 : offset + bytes;
            product->linear.weight = (struct omma_matrix){
                .data = weights + offset, .dtype = OMMA_DTYPE_BF16, .n_rows = n, .n_columns = k};
            if (i == 0) {
                product->n_done = 0;
                seconds = run_seconds(team, probe, product);
                limit = (double)product->n_done / seconds;
            }
        }
        seconds = run_seconds(team, multiply, product);
        if (turn >= 0) {
            rates[turn] = work / seconds;
            ratios[turn] = rates[turn] / limit;
        }
    }
    qsort(rates, N_TURNS, sizeof *rates, compare);
    qsort(ratios, N_TURNS, sizeof *ratios, compare);
    *rate = rates[N_TURNS / 2];
    *ratio = ratios[N_TURNS / 2];
}

static void print_shape(struct bench_setup *setup, struct product *product, const char *weights,
                        const struct shape *shape)
{
    printf("%-13s %5zu x %5zu", shape->name, shape->n, shape->k);
    product->output.kind = shape->output;
    product->output.f32_stride = shape->n;
    product->output.operand.stride = omma_operand_stride(product->compute, shape->n);
    product->x.stride = omma_operand_stride(product->compute, shape->k);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double rate, ratio;

        product->m = rows[i];
        measure(setup->team, product, weights, slice_rows(setup->team, shape, rows[i]), shape->k,
                &rate, &ratio);
        printf("  %5.1f %s %3.0f%%", 1e-9 * rate, rows[i] <= OMMA_GEMV_MAX_M ? "GB/s" : "G/s ",
               100 * ratio);
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
    struct product product = {.compute = &compute, .limits = &setup.limits};
    uint16_t *weights = malloc(WEIGHT_BYTES);
    size_t x_bytes;
    void *x, *y;
    int status = bench_setup_open(n_arguments, arguments, omma_matmul_scratch_bytes(), &setup);

    if (status != 0) {
        free(weights);
        return status;
    }
    compute = (struct omma_compute){
        .kernels = setup.kernels,
        .operand = setup.kernels.probe_bf16_dot != NULL ? OMMA_DTYPE_BF16 : OMMA_DTYPE_F32,
    };
    x_bytes = omma_round_up(omma_operand_bytes(&compute, MAX_M, MAX_K), 64);
    /* aligned, as an arena's memory is: vectors that straddle lines halve the speed of a few rows
     */
    x = aligned_alloc(64, x_bytes);
    y = aligned_alloc(64, x_bytes);
    product.x = (struct omma_operand){.data = x, .dtype = compute.operand};
    product.output = (struct omma_output){
        .f32 = calloc((size_t)MAX_M * MAX_K, sizeof(float)),
        .operand = {.data = y, .dtype = compute.operand},
    };
    if (weights == NULL || x == NULL || y == NULL || product.output.f32 == NULL) {
        fprintf(stderr, "matmul: out of memory\n");
        status = OMMA_STATUS_RESOURCES;
    } else {
        fill_bf16(WEIGHT_BYTES / 2, weights);
        memset(x, 0, x_bytes);
        memset(y, 0, x_bytes);
        memset(product.output.f32, 0, (size_t)MAX_M * MAX_K * sizeof(float));
        bench_setup_print(&setup);
        printf("%-27s", "weight");
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            printf("  %10zu rows", rows[i]);
        }
        printf("\n");
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            print_shape(&setup, &product, (const char *)weights, &shapes[i]);
        }
    }
    free(weights);
    free(x);
    free(y);
    free(product.output.f32);
    bench_setup_close(&setup);
    return status;
}
