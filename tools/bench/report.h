/*
 * report.h - the figures of a bench beside the limits of the machine, as a table or as JSON.
 */
#ifndef OMMA_BENCH_REPORT_H
#define OMMA_BENCH_REPORT_H

#include "tools/bench/measure.h"

struct bench_result {
    const char *name; /* the model's path, or its shape */
    const struct omma_model_info *model;
    const struct omma_engine_info *engine;
    struct bench_plan plan;
    struct omma_limits limits;
    struct bench_samples start_s; /* none: a model generated in memory */
    struct bench_language language;
    struct bench_samples tile_s;
};

enum omma_status bench_report_text(const struct bench_result *result, struct omma_error *error);
enum omma_status bench_report_json(const struct bench_result *result, struct omma_error *error);

#endif
