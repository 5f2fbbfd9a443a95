/*
 * kernels [TIER... FAMILY...]: the matrix kernels of every tier that this CPU has, or of those
 * named, on one thread; of all families, or those named (gemv_i8).
 *
 * Products of a panel: multiply-adds beside the tier's own peak; the panel lies in L2, as it does
 * in a model.  GEMV, packing and weighted sums: bytes of weights beside the speed of reading, out
 * of a buffer far larger than the caches.  Limit and kernel take turns in slices of about a
 * millisecond of this thread's own time, and the median of the ratios counts: others on the machine
 * slow both alike.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "simd/kernels.h"

enum {
    N_TURNS = 25,
    MAX_K = 4864,
    MAX_M = 1025,
    STREAM_BYTES = 256 << 20,
    SLICE_BYTES = 8 << 20,
};

static const size_t sizes_k[] = {896, 1024, 4096, 4864};
static const size_t sizes_m[] = {1, 4, 12, 256, 512, 1025};

/* What the kernels work on. */
struct bench {
    struct omma_kernels kernels;
    void *a;         /* [MAX_M][MAX_K + 32] f32 or bf16 */
    void *panel;     /* [MAX_K][32] f32 */
    float *c;        /* [MAX_M][32], or y of a GEMV */
    int32_t *sums;   /* [MAX_M] of rows of bytes */
    char *stream;    /* STREAM_BYTES of weights */
    size_t position; /* of the next slice in the stream */
    int n_arguments;
    char **arguments;
};

/* Work of one slice; returns how much it did. */
typedef double (*work_fn)(struct bench *bench, size_t m, size_t k);

static double thread_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double rate(work_fn work, struct bench *bench, size_t m, size_t k)
{
    double begin = thread_seconds(), done = work(bench, m, k);

    return done / (thread_seconds() - begin);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The kernel's rate and, as a percentage, its ratio to the limit's. */
static void measure(work_fn limit, work_fn work, struct bench *bench, size_t m, size_t k,
                    const char *unit)
{
    double rates[N_TURNS], ratios[N_TURNS];

    for (int i = 0; i < N_TURNS; i++) {
        double limit_rate = rate(limit, bench, m, k);

        rates[i] = rate(work, bench, m, k);
        ratios[i] = rates[i] / limit_rate;
    }
    qsort(rates, N_TURNS, sizeof *rates, compare);
    qsort(ratios, N_TURNS, sizeof *ratios, compare);
    printf("  %6.1f %s %3.0f%%", 1e-9 * rates[N_TURNS / 2], unit, 100 * ratios[N_TURNS / 2]);
    fflush(stdout);
}

/* ---- limits -----------------------------------------------------------------------------------
 */

static double limit_f32_fma(struct bench *bench, size_t m, size_t k)
{
    (void)m, (void)k;
    return (double)bench->kernels.probe_f32_fma(25000);
}

static double limit_bf16_dot(struct bench *bench, size_t m, size_t k)
{
    (void)m, (void)k;
    return (double)bench->kernels.probe_bf16_dot(25000);
}

static double limit_i8_dot(struct bench *bench, size_t m, size_t k)
{
    (void)m, (void)k;
    return (double)bench->kernels.probe_i8_dot(200000);
}

/* The next slice of the stream, of rows of row_bytes. */
static const void *next_slice(struct bench *bench, size_t row_bytes, size_t *n_rows)
{
    const void *slice;

    *n_rows = SLICE_BYTES / row_bytes / OMMA_PANEL_COLUMNS * OMMA_PANEL_COLUMNS;
    if (bench->position + *n_rows * row_bytes > STREAM_BYTES) {
        bench->position = 0;
    }
    slice = bench->stream + bench->position;
    bench->position += *n_rows * row_bytes;
    return slice;
}

static double limit_read(struct bench *bench, size_t m, size_t k)
{
    size_t n_rows;
    const void *slice = next_slice(bench, 4096, &n_rows);

    (void)m, (void)k;
    bench->kernels.probe_read(slice, n_rows * 4096, 1, 0);
    return (double)(n_rows * 4096);
}

/* ---- products of a panel ----------------------------------------------------------------------
 */

/* Calls that take about a millisecond at 100 G multiply-adds a second. */
static size_t n_calls(size_t m, size_t k)
{
    return 100000000 / (m * k * OMMA_PANEL_COLUMNS) + 1;
}

static double work_gemm_f32(struct bench *bench, size_t m, size_t k)
{
    size_t n = n_calls(m, k);

    for (size_t i = 0; i < n; i++) {
        bench->kernels.gemm_f32(m, OMMA_PANEL_COLUMNS, k, bench->a, k + 16, bench->panel, bench->c,
                                OMMA_PANEL_COLUMNS, false);
    }
    return (double)(n * m * k * OMMA_PANEL_COLUMNS);
}

static double work_gemm_bf16(struct bench *bench, size_t m, size_t k)
{
    size_t n = n_calls(m, k);

    for (size_t i = 0; i < n; i++) {
        bench->kernels.gemm_bf16(m, OMMA_PANEL_COLUMNS, k, bench->a, k + 32, bench->panel, bench->c,
                                 OMMA_PANEL_COLUMNS, false);
    }
    return (double)(n * m * k * OMMA_PANEL_COLUMNS);
}

static double work_gemm_i8(struct bench *bench, size_t m, size_t k)
{
    size_t n = n_calls(m, k);

    for (size_t i = 0; i < n; i++) {
        bench->kernels.gemm_i8(m, OMMA_PANEL_COLUMNS, k, bench->a, k + 64, bench->sums,
                               bench->panel, (int32_t *)(void *)bench->c, OMMA_PANEL_COLUMNS,
                               false);
    }
    return (double)(n * m * k * OMMA_PANEL_COLUMNS);
}

/* ---- streams ----------------------------------------------------------------------------------
 */

static double work_gemv_f32_f32w(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const void *w = next_slice(bench, k * 4, &n);

    bench->kernels.gemv_f32_f32w(m, n, k, bench->a, k + 16, w, k, bench->c, n);
    return (double)(n * k * 4);
}

static double work_gemv_f32_bf16w(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const void *w = next_slice(bench, k * 2, &n);

    bench->kernels.gemv_f32_bf16w(m, n, k, bench->a, k + 16, w, k, bench->c, n);
    return (double)(n * k * 2);
}

static double work_gemv_bf16_bf16w(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const void *w = next_slice(bench, k * 2, &n);

    bench->kernels.gemv_bf16_bf16w(m, n, k, bench->a, k + 32, w, k, bench->c, n);
    return (double)(n * k * 2);
}

static double work_gemv_i8(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const void *w = next_slice(bench, k, &n);

    bench->kernels.gemv_i8(m, n, k, bench->a, k + 64, bench->sums, w, k,
                           (int32_t *)(void *)bench->c, n);
    return (double)(n * k);
}

static double work_gemv_f32_i8w(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const void *w = next_slice(bench, k, &n);

    bench->kernels.gemv_f32_i8w(m, n, k, bench->a, k + 16, w, k, bench->c, n);
    return (double)(n * k);
}

static double work_gemv_bf16_i8w(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const void *w = next_slice(bench, k, &n);

    bench->kernels.gemv_bf16_i8w(m, n, k, bench->a, k + 32, w, k, bench->c, n);
    return (double)(n * k);
}

/* m query heads over keys of 64 elements. */
static double work_weighted_sum_bf16(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const void *v = next_slice(bench, 64 * 2, &n);

    (void)k;
    bench->kernels.weighted_sum_bf16(m, 64, n, bench->a, 0, v, 64, bench->c, 64);
    return (double)(n * 64 * 2);
}

static double work_pack_rows_bf16(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const uint16_t *w = next_slice(bench, k * 2, &n);

    (void)m;
    for (size_t j = 0; j < n; j += OMMA_PANEL_COLUMNS) {
        bench->kernels.pack_rows_bf16(OMMA_PANEL_COLUMNS, k, w + j * k, k, bench->panel);
    }
    return (double)(n * k * 2);
}

static double work_pack_rows_i8(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const int8_t *w = next_slice(bench, k, &n);

    (void)m;
    for (size_t j = 0; j < n; j += OMMA_PANEL_COLUMNS) {
        bench->kernels.pack_rows_i8(OMMA_PANEL_COLUMNS, k, w + j * k, k, bench->panel);
    }
    return (double)(n * k);
}

static double work_pack_rows_f32_bf16(struct bench *bench, size_t m, size_t k)
{
    size_t n;
    const uint16_t *w = next_slice(bench, k * 2, &n);

    (void)m;
    for (size_t j = 0; j < n; j += OMMA_PANEL_COLUMNS) {
        bench->kernels.pack_rows_f32_bf16(OMMA_PANEL_COLUMNS, k, w + j * k, k, bench->panel);
    }
    return (double)(n * k * 2);
}

/* ---- what is asked for ------------------------------------------------------------------------
 */

static bool is_family(const char *name)
{
    size_t i = 0;

    while (omma_kernels_family(i) != NULL && strcmp(omma_kernels_family(i), name) != 0) {
        i++;
    }
    return omma_kernels_family(i) != NULL;
}

/* Whether an argument names it, or none names any of its kind. */
static bool is_wanted(const struct bench *bench, const char *name, bool family)
{
    bool any = false;

    for (int i = 1; i < bench->n_arguments; i++) {
        if (strcmp(bench->arguments[i], name) == 0) {
            return true;
        }
        any = any || is_family(bench->arguments[i]) == family;
    }
    return !any;
}

/* ---- the table --------------------------------------------------------------------------------
 */

static void print_gemm(struct bench *bench, const char *name, work_fn limit, work_fn work)
{
    for (size_t i = 0; is_wanted(bench, name, true) && i < sizeof sizes_k / sizeof *sizes_k; i++) {
        printf("%-18s k %4zu", name, sizes_k[i]);
        for (size_t j = 0; j < sizeof sizes_m / sizeof *sizes_m; j++) {
            measure(limit, work, bench, sizes_m[j], sizes_k[i], "G/s");
        }
        printf("\n");
    }
}

static void print_stream(struct bench *bench, const char *name, work_fn work, size_t max_m)
{
    static const size_t ms[] = {1, 2, 3, 4, 6, 8};

    for (size_t i = 0; is_wanted(bench, name, true) && i < sizeof sizes_k / sizeof *sizes_k; i++) {
        printf("%-18s k %4zu", name, sizes_k[i]);
        for (size_t j = 0; j < sizeof ms / sizeof *ms && ms[j] <= max_m; j++) {
            measure(limit_read, work, bench, ms[j], sizes_k[i], "GB/s");
        }
        printf("\n");
    }
}

static void print_tier(struct bench *bench)
{
    const struct omma_kernels *kernels = &bench->kernels;

    printf("\ntier %s\nproducts of a panel, G multiply-adds/s and %% of the peak, m",
           omma_isa_name(kernels->isa));
    for (size_t j = 0; j < sizeof sizes_m / sizeof *sizes_m; j++) {
        printf(" %zu", sizes_m[j]);
    }
    printf("\n");
    print_gemm(bench, "gemm_f32", limit_f32_fma, work_gemm_f32);
    print_gemm(bench, "gemm_bf16", kernels->probe_bf16_dot != NULL ? limit_bf16_dot : limit_f32_fma,
               work_gemm_bf16);
    if (kernels->probe_i8_dot != NULL) {
        print_gemm(bench, "gemm_i8", limit_i8_dot, work_gemm_i8);
    }
    printf("streams, GB/s of weights and %% of reading, m 1 2 3 4 6 8\n");
    print_stream(bench, "gemv_f32_f32w", work_gemv_f32_f32w, OMMA_GEMV_MAX_M);
    print_stream(bench, "gemv_f32_bf16w", work_gemv_f32_bf16w, OMMA_GEMV_MAX_M);
    print_stream(bench, "gemv_bf16_bf16w", work_gemv_bf16_bf16w, OMMA_GEMV_MAX_M);
    print_stream(bench, "gemv_i8", work_gemv_i8, OMMA_GEMV_MAX_M);
    print_stream(bench, "gemv_f32_i8w", work_gemv_f32_i8w, OMMA_GEMV_MAX_M);
    print_stream(bench, "gemv_bf16_i8w", work_gemv_bf16_i8w, OMMA_GEMV_MAX_M);
    print_stream(bench, "weighted_sum_bf16", work_weighted_sum_bf16, OMMA_GEMV_MAX_M);
    print_stream(bench, "pack_rows_bf16", work_pack_rows_bf16, 1);
    print_stream(bench, "pack_rows_i8", work_pack_rows_i8, 1);
    print_stream(bench, "pack_rows_f32_bf16", work_pack_rows_f32_bf16, 1);
}

/* Zeroed pages that are there before the first measurement. */
static void *memory(size_t n_bytes)
{
    void *bytes = aligned_alloc(4096, (n_bytes + 4095) / 4096 * 4096);

    if (bytes == NULL) {
        fprintf(stderr, "kernels: out of memory\n");
        exit(EXIT_FAILURE);
    }
    memset(bytes, 0, n_bytes);
    return bytes;
}

int main(int n_arguments, char **arguments)
{
    struct bench bench = {
        .a = memory((size_t)MAX_M * (MAX_K + 32) * sizeof(float)),
        .panel = memory((size_t)MAX_K * OMMA_PANEL_COLUMNS * sizeof(float)),
        .c = memory(SLICE_BYTES),
        .sums = memory(MAX_M * sizeof(int32_t)),
        .stream = memory(STREAM_BYTES),
        .n_arguments = n_arguments,
        .arguments = arguments,
    };

    for (size_t i = 0; i < STREAM_BYTES; i += 4096) {
        bench.stream[i] = 1;
    }
    for (enum omma_isa isa = 0; isa < OMMA_ISA_COUNT; isa++) {
        if (omma_isa_is_built(isa) && omma_isa_is_usable(isa) &&
            is_wanted(&bench, omma_isa_name(isa), false)) {
            bench.kernels = omma_kernels_select(isa);
            print_tier(&bench);
        }
    }
    free(bench.a);
    free(bench.panel);
    free(bench.c);
    free(bench.sums);
    free(bench.stream);
    return 0;
}
