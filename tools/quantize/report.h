/*
 * report.h - what rounding to int8 made of each linear layer: gathered as it is told, then shown as
 * a table by layers or as JSON.
 */
#ifndef OMMA_TOOLS_QUANTIZE_REPORT_H
#define OMMA_TOOLS_QUANTIZE_REPORT_H

#include "tools/json_out.h"

struct quantize_linear {
    char *name; /* of the weight */
    const char *part;
    size_t layer, n_rows, n_columns, group;
    double squares, error_squares, max_error;
};

struct quantize_report {
    struct quantize_linear *linears;
    size_t n_linears;
    bool lacks_memory; /* some were left out */
};

/* omma_quantize_options.linear; user: the report. */
void quantize_report_add(void *user, const struct omma_quantized_linear *linear);
void quantize_report_release(struct quantize_report *report);

/* Linears with one scale a row though groups were asked for. */
size_t quantize_report_ungrouped(const struct quantize_report *report);

/* The table on standard output; with all_linears a line for each. */
void quantize_report_print(const struct quantize_report *report, bool all_linears);

/* Members "linears", "layers" and "total". */
void quantize_report_json(const struct quantize_report *report, struct json_out *out);

#endif
