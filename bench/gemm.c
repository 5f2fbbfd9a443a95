/*
 * gemm [THREADS [TIER [bf16|int8]]]: products of many rows of x with the weights of the released
 * models, as rows of a mapped file, beside the peak of the tier's multiply-add.
 *
 * Peak and product take turns of some 20 ms, and the median of nine ratios counts.  Each product
 * takes the next rows of a file far larger than the caches, so that reading and packing them are
 * in it; of a weight that would take too long, some rows.  Exit code 1 where a product stays below
 * the target: 90 % in bf16 and 85 % in int8 on one thread, 88 % and 80 % on more.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/setup.h"
#include "base/checked.h"
#include "platform/clock.h"
#include "tensor/matmul.h"

enum { WEIGHT_BYTES = 768 << 20, MAX_M = 1025, MAX_K = 29568, MAX_N = 29568, N_PAIRS = 9 };

static const double turn_s = 0.02;
static const double most_products = 1e10; /* of a call: some 50 ms */

static const struct shape {
    const char *model, *name;
    size_t n, k; /* weight [n][k] */
} shapes[] = {
    {"1B", "q", 896, 896},
    {"1B", "gate", 4864, 896},
    {"1B", "down", 896, 4864},
    {"8B", "q", 3584, 3584},
    {"8B", "gate", 18944, 3584},
    {"8B", "down", 3584, 18944},
    {"78B", "q", 8192, 8192},
    {"78B", "gate", 29568, 8192},
    {"78B", "down", 8192, 29568},
    {"ViT-300M", "qkv", 3072, 1024},
    {"ViT-300M", "proj", 1024, 1024},
    {"ViT-300M", "fc1", 4096, 1024},
    {"ViT-300M", "fc2", 1024, 4096},
    {"ViT-6B", "qkv", 9600, 3200},
    {"ViT-6B", "proj", 3200, 3200},
    {"ViT-6B", "fc1", 12800, 3200},
    {"ViT-6B", "fc2", 3200, 12800},
};

static const size_t rows[] = {512, 1025};

struct bench {
    struct bench_setup setup;
    struct omma_compute compute;
    bool is_int8;
    const char *weights; /* a mapped file */
    size_t offset;       /* of the next matrix in it */
    float *scales;       /* [MAX_N], of int8 weights */
    void *x;
    uint64_t (*probe)(uint64_t n_rounds);
    const struct omma_peak *peak;

    /* one turn */
    size_t m;
    struct omma_operand operand;
    struct omma_linear linear;
    struct omma_output output;
    uint64_t n_rounds;
};

static void multiply(struct omma_thread *self, void *argument)
{
    struct bench *bench = argument;

    omma_matmul(self, &bench->compute, bench->m, &bench->operand, &bench->linear, &bench->output);
}

static void probe(struct omma_thread *self, void *argument)
{
    struct bench *bench = argument;

    (void)self;
    bench->probe(bench->n_rounds);
}

/* Multiply-adds a second of the probe on all threads. */
static double probe_rate(struct bench *bench)
{
    double n_threads = (double)omma_team_n_threads(bench->setup.team);
    double begin = omma_clock_now();

    omma_team_run(bench->setup.team, probe, bench);
    return n_threads * (double)bench->n_rounds * bench->peak->per_step * OMMA_PROBE_STEPS /
           (omma_clock_now() - begin);
}

static void next_weight(struct bench *bench, const struct shape *shape)
{
    enum omma_dtype dtype = bench->is_int8 ? OMMA_DTYPE_I8 : OMMA_DTYPE_BF16;
    size_t n_bytes = shape->n * shape->k * omma_dtype_bytes(dtype);

    if (bench->offset + n_bytes > WEIGHT_BYTES) {
        bench->offset = 0;
    }
    bench->linear.weight = (struct omma_matrix){.data = bench->weights + bench->offset,
                                                .dtype = dtype,
                                                .n_rows = shape->n,
                                                .n_columns = shape->k};
    if (bench->is_int8) {
        bench->linear.weight.scales = bench->scales;
        bench->linear.weight.scales_stride = shape->n;
        bench->linear.weight.group = shape->k;
    }
    bench->offset += omma_round_up(n_bytes, 64);
}

/* As much of a weight as a call takes: whole panels for each thread. */
static struct shape cut(const struct bench *bench, const struct shape *whole)
{
    size_t unit = OMMA_PANEL_COLUMNS * omma_team_n_threads(bench->setup.team);
    size_t n = (size_t)(most_products / ((double)bench->m * (double)whole->k));
    struct shape shape = *whole;

    shape.n = omma_min(whole->n, omma_round_up(n, unit));
    return shape;
}

/* Multiply-adds a second of products, for a turn at least. */
static double product_rate(struct bench *bench, const struct shape *whole)
{
    struct shape part = cut(bench, whole), *shape = &part;
    double begin = omma_clock_now(), done = 0, seconds = 0;

    while (seconds < turn_s) {
        next_weight(bench, shape);
        omma_team_run(bench->setup.team, multiply, bench);
        done += (double)bench->m * (double)shape->n * (double)shape->k;
        seconds = omma_clock_now() - begin;
    }
    return done / seconds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median ratio of product to peak. */
static double fraction(struct bench *bench, const struct shape *shape, size_t m)
{
    double ratios[N_PAIRS];

    bench->m = m;
    bench->output.f32_stride = shape->n;
    bench->operand = (struct omma_operand){
        .data = bench->x,
        .dtype = bench->compute.operand,
        .stride = omma_operand_stride(&bench->compute, shape->k),
    };
    if (bench->is_int8) {
        bench->operand.data = NULL;
        bench->operand.i8 = omma_i8_rows_carve(bench->x, m, shape->k, 0);
        for (size_t i = 0; i < m; i++) {
            bench->operand.i8.scales[i] = 1e-3f;
            bench->operand.i8.sums[i] = 0;
        }
    }
    product_rate(bench, shape); /* warms up */
    for (int i = 0; i < N_PAIRS; i++) {
        double peak = probe_rate(bench);

        ratios[i] = product_rate(bench, shape) / peak;
    }
    qsort(ratios, N_PAIRS, sizeof *ratios, compare);
    return ratios[N_PAIRS / 2];
}

/* All shapes; the number of products below the target. */
static int print_shapes(struct bench *bench, double target)
{
    int n_low = 0;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *shape = &shapes[i];

        printf("%-8s %-5s %5zu x %5zu ", shape->model, shape->name, shape->n, shape->k);
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
            double found = fraction(bench, shape, rows[j]);

            printf("  m %4zu %5.1f %%%s", rows[j], 100 * found, found < target ? " low" : "    ");
            fflush(stdout);
            n_low += found < target;
        }
        printf("\n");
    }
    return n_low;
}

/* A small bf16 of either sign. */
static uint16_t pattern(size_t i)
{
    return (uint16_t)(0x3C80 | (i * 40503 & 0x807F));
}

/* A file without a name, of bytes that are small numbers in bf16 and anything in int8. */
static const char *map_weights(void)
{
    enum { PIECE = 1 << 20 };
    FILE *file = tmpfile();
    uint16_t *piece = malloc(PIECE);
    void *bytes = MAP_FAILED;

    for (size_t i = 0; piece != NULL && i < PIECE / 2; i++) {
        piece[i] = pattern(i);
    }
    if (file != NULL && piece != NULL && setvbuf(file, NULL, _IOFBF, PIECE) == 0) {
        for (size_t n = 0; n < WEIGHT_BYTES; n += PIECE) {
            fwrite(piece, PIECE, 1, file);
        }
        if (fflush(file) == 0) {
            bytes = mmap(NULL, WEIGHT_BYTES, PROT_READ, MAP_SHARED, fileno(file), 0);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    free(piece);
    return bytes != MAP_FAILED ? bytes : NULL;
}

/* The multiply-add of the products: int8, bf16, or f32 where the tier has no other. */
static void choose_peak(struct bench *bench)
{
    const struct omma_kernels *kernels = &bench->setup.kernels;

    bench->compute = (struct omma_compute){.kernels = *kernels, .operand = OMMA_DTYPE_F32};
    bench->probe = kernels->probe_f32_fma;
    bench->peak = &bench->setup.limits.f32;
    if (bench->is_int8) {
        bench->compute.int8_activations = true;
        bench->probe = kernels->probe_i8_dot;
        bench->peak = &bench->setup.limits.i8;
    } else if (kernels->probe_bf16_dot != NULL) {
        bench->compute.operand = OMMA_DTYPE_BF16;
        bench->probe = kernels->probe_bf16_dot;
        bench->peak = &bench->setup.limits.bf16;
    }
}

static bool take_memory(struct bench *bench)
{
    size_t x_bytes = omma_round_up((size_t)MAX_M * (MAX_K + 64) * sizeof(float), 64);

    bench->weights = map_weights();
    bench->x = aligned_alloc(64, x_bytes);
    bench->scales = malloc(MAX_N * sizeof *bench->scales);
    bench->output = (struct omma_output){.kind = OMMA_OUTPUT_STORE,
                                         .f32 = malloc((size_t)MAX_M * MAX_N * sizeof(float))};
    if (bench->weights == NULL || bench->x == NULL || bench->scales == NULL ||
        bench->output.f32 == NULL) {
        return false;
    }
    for (size_t i = 0; i < x_bytes / 2; i++) {
        ((uint16_t *)bench->x)[i] = pattern(i);
    }
    memset(bench->output.f32, 0, (size_t)MAX_M * MAX_N * sizeof(float));
    for (size_t i = 0; i < MAX_N; i++) {
        bench->scales[i] = 1e-3f;
    }
    return true;
}

static int run(struct bench *bench)
{
    bool is_alone = omma_team_n_threads(bench->setup.team) == 1;
    double target = bench->is_int8 ? (is_alone ? 0.85 : 0.80) : (is_alone ? 0.90 : 0.88);
    int n_low;

    choose_peak(bench);
    if (bench->probe == NULL || !bench->peak->counts) {
        fprintf(stderr, "gemm: this tier has no such multiply-add, or its peak does not count\n");
        return OMMA_STATUS_RESOURCES;
    }
    if (!take_memory(bench)) {
        fprintf(stderr, "gemm: out of memory\n");
        return OMMA_STATUS_RESOURCES;
    }
    bench->n_rounds = (uint64_t)(turn_s * bench->peak->per_s /
                                 ((double)omma_team_n_threads(bench->setup.team) *
                                  bench->peak->per_step * OMMA_PROBE_STEPS)) +
                      1;
    bench_setup_print(&bench->setup);
    printf("weights             %s; target %.0f %% of the peak\n", bench->is_int8 ? "int8" : "bf16",
           100 * target);
    n_low = print_shapes(bench, target);
    printf("%d products below the target\n", n_low);
    return n_low > 0;
}

int main(int n_arguments, char **arguments)
{
    struct bench bench = {.is_int8 = n_arguments > 3 && strcmp(arguments[3], "int8") == 0};
    int status =
        bench_setup_open(n_arguments, arguments, omma_matmul_scratch_bytes(), &bench.setup);

    if (status == 0) {
        status = run(&bench);
        bench_setup_close(&bench.setup);
    }
    free(bench.x);
    free(bench.scales);
    free(bench.output.f32);
    return status;
}
