/*
 * tests.h - what a bench measures: one test a line of its table, with the work behind it and the
 * limit of that work.
 */
#ifndef OMMA_BENCH_TESTS_H
#define OMMA_BENCH_TESTS_H

#include "tools/bench/list.h"
#include "tools/bench/samples.h"

/* What was asked for. */
struct bench_plan {
    struct bench_list prompts;     /* tokens of a prefill */
    struct bench_list new_tokens;  /* steps of a decoding */
    struct bench_list depths;      /* tokens in the cache before it */
    struct bench_list batches;     /* sequences side by side */
    struct bench_list tiles;       /* of a picture that is encoded */
    struct bench_list first_tiles; /* of a picture before the first token */
    bool preprocess;
    bool load; /* only where there are files */
    size_t n_repeats;
    uint64_t seed; /* of the prompts' ids */
};

enum bench_kind {
    BENCH_LOAD,
    BENCH_PREPROCESS,
    BENCH_PREFILL,
    BENCH_DECODE,
    BENCH_TILES,
    BENCH_FIRST_TOKEN,
};

enum bench_bound {
    BENCH_UNBOUND,
    BENCH_READ,          /* the read bandwidth */
    BENCH_PEAK_LANGUAGE, /* the peak of the multiply-add of the language model's linear layers */
    BENCH_PEAK_VISION,   /* and of the vision encoder's */
};

struct bench_test {
    enum bench_kind kind;
    char name[64]; /* as llama-bench has them: pp512, tg128, tg128@d4096; tg128@b4, vit13, ttft13 */
    size_t n_tokens, depth, n_sequences, n_tiles;
    const char *rate_unit; /* of rate_per_sample over a sample's seconds; NULL: the time alone */
    double rate_per_sample;
    enum bench_bound bound;
    double work; /* multiply-adds or bytes of a sample */

    struct bench_samples samples_s;
    struct bench_samples fractions; /* of the limit, of the repetitions whose limit counts */
    const char *no_fraction;        /* why there is none; NULL: the median of fractions is one */
};

struct bench_tests {
    struct bench_test *tests;
    size_t n_tests;
};

/* One test for each measurement of the plan, in the order of enum bench_kind.  kv_dtype: "bf16" or
 * "f32". */
enum omma_status bench_tests_create(const struct bench_plan *plan,
                                    const struct omma_model_info *model, const char *kv_dtype,
                                    struct bench_tests *tests, struct omma_error *error);
void bench_tests_destroy(struct bench_tests *tests);

#endif
