/*
 * report.h - a comparison as a table for people or one JSON object for programs, on standard
 * output.
 */
#ifndef OMMA_COMPARE_REPORT_H
#define OMMA_COMPARE_REPORT_H

#include "tools/compare/comparison.h"

struct compare_context {
    const struct compare_dump *dump;
    const struct omma_model_info *model;
    const struct omma_engine_info *engine;
    size_t prefill_chunk; /* tokens a pass */
};

enum omma_status compare_report_text(const struct compare_context *context,
                                     const struct comparison *comparison, struct omma_error *error);
enum omma_status compare_report_json(const struct compare_context *context,
                                     const struct comparison *comparison, struct omma_error *error);

#endif
