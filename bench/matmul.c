/*
 * matmul [THREADS [TIER]]: products of the released models' shapes, beside the limits measured in
 * the same run.  Weights are bf16 and come from memory, as in a model: each call takes the next
 * ones of a buffer far larger than the caches.  One row of x is decoding and is compared with the
 * speed of reading; more rows are prefill and vision, compared with the peak of the tier's
 * multiply-add.  The best of several calls.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/setup.h"
#include "platform/clock.h"
#include "tensor/matmul.h"

enum { WEIGHT_BYTES = 512 << 20, MAX_M = 1025 };

static const double measure_s = 0.4;

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

/* Seconds of the best call, the weights going round through the buffer. */
static double best_seconds(struct omma_team *team, struct product *product, const char *weights,
                           const struct shape *shape)
{
    size_t bytes = shape->n * shape->k * 2, offset = 0;
    double started = omma_clock_now(), best_s = 1e30;

    for (int call = 0; call < 5 || omma_clock_now() - started < measure_s; call++) {
        double begin, seconds;

        if (offset + bytes > WEIGHT_BYTES) {
            offset = 0;
        }
        product->linear.weight =
            (struct omma_matrix){weights + offset, OMMA_DTYPE_BF16, shape->n, shape->k};
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
    double peak = product->x.dtype == OMMA_DTYPE_BF16 ? setup->limits.bf16_dot_per_s
                                                      : setup->limits.f32_fma_per_s;

    printf("%-13s %5zu x %5zu", shape->name, shape->n, shape->k);
    product->output.f32_stride = shape->n;
    product->x.stride = omma_operand_stride(product->compute, shape->k);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double seconds, products;

        product->m = rows[i];
        seconds = best_seconds(setup->team, product, weights, shape);
        products = (double)rows[i] * (double)(shape->n * shape->k);
        if (rows[i] <= OMMA_GEMV_MAX_M) {
            double rate = 2 * (double)(shape->n * shape->k) / seconds;

            printf("  %5.1f GB/s %3.0f%%", rate * 1e-9,
                   100 * rate / setup->limits.read_bytes_per_s);
        } else {
            printf("  %5.0f G/s %3.0f%%", products / seconds * 1e-9,
                   100 * products / seconds / peak);
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
    product.x = (struct omma_operand){calloc(1, x_bytes), compute.operand, 0};
    product.output = (struct omma_output){.kind = OMMA_OUTPUT_STORE,
                                          .f32 = calloc((size_t)MAX_M * 18944, sizeof(float))};
    if (weights == NULL || product.x.data == NULL || product.output.f32 == NULL) {
        fprintf(stderr, "matmul: out of memory\n");
        status = OMMA_STATUS_RESOURCES;
    } else {
        fill_bf16(WEIGHT_BYTES / 2, weights);
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
