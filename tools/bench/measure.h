/*
 * measure.h - running the tests: each is repeated, the first time that only warms up left out.
 */
#ifndef OMMA_BENCH_MEASURE_H
#define OMMA_BENCH_MEASURE_H

#include "tools/bench/tests.h"
#include "tools/message.h"

/* What the tests run on. */
struct bench_subject {
    struct omma_engine *engine;
    const struct omma_model_info *model;
    const struct omma_engine_info *info;
    const char *path;  /* the model's folder; NULL: generated in memory */
    const char *image; /* a picture file for BENCH_PREPROCESS and BENCH_FIRST_TOKEN */
    const struct omma_engine_options *options; /* for starting anew */
};

/* Measure all tests, filling samples and fractions.  *limits are those of the run; the read
 * bandwidth is measured again beside each decoding. */
enum omma_status bench_run(const struct bench_subject *subject, const struct bench_plan *plan,
                           const struct omma_limits *limits, struct bench_tests *tests,
                           struct messages *messages, struct omma_error *error);

/* The peak that bounds the products of the language model, or of the vision encoder; *name says
 * which multiply-add it is. */
const struct omma_peak *bench_peak(const struct omma_engine_info *info,
                                   const struct omma_limits *limits, enum bench_bound bound,
                                   const char **name);

#endif
