/* The plan's lists multiplied out. */
#include "tools/bench/tests.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/bench/work.h"

enum { MAX_TESTS = 2 + 3 * BENCH_MAX_LIST + BENCH_MAX_LIST * BENCH_MAX_LIST * BENCH_MAX_LIST };

static struct bench_test *add(struct bench_tests *tests, enum bench_kind kind)
{
    struct bench_test *test = &tests->tests[tests->n_tests++];

    *test = (struct bench_test){.kind = kind, .rate_per_sample = 1, .n_sequences = 1};
    return test;
}

static void add_prefills(struct bench_tests *tests, const struct bench_list *prompts,
                         const struct omma_model_info *model)
{
    for (size_t i = 0; i < prompts->n_values; i++) {
        struct bench_test *test = add(tests, BENCH_PREFILL);

        test->n_tokens = prompts->values[i];
        test->rate_unit = "t/s";
        test->rate_per_sample = (double)test->n_tokens;
        test->bound = BENCH_PEAK_LANGUAGE;
        test->work = bench_prefill_work(model, test->n_tokens);
        snprintf(test->name, sizeof test->name, "pp%zu", test->n_tokens);
    }
}

/* tg128, with @d4096 for a depth and @b4 for a batch where there is one. */
static void name_decode(struct bench_test *test)
{
    size_t n = (size_t)snprintf(test->name, sizeof test->name, "tg%zu", test->n_tokens);

    if (test->depth > 0) {
        n += (size_t)snprintf(test->name + n, sizeof test->name - n, "@d%zu", test->depth);
    }
    if (test->n_sequences > 1) {
        snprintf(test->name + n, sizeof test->name - n, "@b%zu", test->n_sequences);
    }
}

static void add_decode(struct bench_tests *tests, size_t n_tokens, size_t depth, size_t n_sequences,
                       const struct omma_model_info *model, const char *kv_dtype)
{
    struct bench_test *test = add(tests, BENCH_DECODE);
    /* the cache holds depth + 1 tokens before the first step that counts */
    double mean_depth = (double)depth + 1 + ((double)n_tokens + 1) / 2;

    test->n_tokens = n_tokens;
    test->depth = depth;
    test->n_sequences = n_sequences;
    test->rate_unit = "t/s";
    test->rate_per_sample = (double)n_sequences;
    test->bound = BENCH_READ;
    test->work = bench_decode_bytes(model, mean_depth, n_sequences, kv_dtype);
    name_decode(test);
}

static void add_tiles(struct bench_tests *tests, const struct bench_list *tiles,
                      enum bench_kind kind, const struct omma_model_info *model)
{
    for (size_t i = 0; i < tiles->n_values; i++) {
        struct bench_test *test = add(tests, kind);

        test->n_tiles = tiles->values[i];
        if (kind == BENCH_TILES) {
            test->rate_unit = "tiles/s";
            test->rate_per_sample = (double)test->n_tiles;
            test->bound = BENCH_PEAK_VISION;
            test->work = (double)test->n_tiles * bench_tile_work(model);
        }
        snprintf(test->name, sizeof test->name, "%s%zu", kind == BENCH_TILES ? "vit" : "ttft",
                 test->n_tiles);
    }
}

enum omma_status bench_tests_create(const struct bench_plan *plan,
                                    const struct omma_model_info *model, const char *kv_dtype,
                                    struct bench_tests *tests, struct omma_error *error)
{
    tests->n_tests = 0;
    tests->tests = calloc(MAX_TESTS, sizeof *tests->tests);
    if (tests->tests == NULL) {
        return fail_memory(error);
    }
    if (plan->load) {
        snprintf(add(tests, BENCH_LOAD)->name, sizeof tests->tests->name, "load");
    }
    if (plan->preprocess) {
        snprintf(add(tests, BENCH_PREPROCESS)->name, sizeof tests->tests->name, "preprocess");
    }
    add_prefills(tests, &plan->prompts, model);
    for (size_t n = 0; n < plan->new_tokens.n_values; n++) {
        for (size_t d = 0; d < plan->depths.n_values; d++) {
            for (size_t b = 0; b < plan->batches.n_values; b++) {
                add_decode(tests, plan->new_tokens.values[n], plan->depths.values[d],
                           plan->batches.values[b], model, kv_dtype);
            }
        }
    }
    add_tiles(tests, &plan->tiles, BENCH_TILES, model);
    add_tiles(tests, &plan->first_tiles, BENCH_FIRST_TOKEN, model);
    return OMMA_OK;
}

void bench_tests_destroy(struct bench_tests *tests)
{
    free(tests->tests);
    *tests = (struct bench_tests){.tests = NULL};
}
