/*
 * report.h - the figures of a bench beside the limits of the machine, as Markdown, CSV or JSON.
 */
#ifndef OMMA_BENCH_REPORT_H
#define OMMA_BENCH_REPORT_H

#include "tools/bench/measure.h"

enum bench_format { BENCH_MD, BENCH_CSV, BENCH_JSON, BENCH_JSONL };

/* "md", "csv", "json", "jsonl", NULL */
extern const char *const bench_format_words[];

struct bench_result {
    const char *name; /* the model's path, or its shape */
    const struct omma_model_info *model;
    const struct omma_engine_info *engine;
    const struct bench_plan *plan;
    struct omma_limits limits;
    struct bench_tests tests;
    double peak_bytes, peak_anonymous_bytes; /* resident memory; 0: unknown */
};

/* Every format tells CPU, tier and threads. */
enum omma_status bench_report(const struct bench_result *result, enum bench_format format,
                              struct omma_error *error);

#endif
