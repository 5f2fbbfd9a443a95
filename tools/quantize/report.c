/* A layer is a run of linears of the same part and number: they are told in that order. */
#include "tools/quantize/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void quantize_report_add(void *user, const struct omma_quantized_linear *linear)
{
    struct quantize_report *report = user;
    size_t n = report->n_linears;
    struct quantize_linear *grown = realloc(report->linears, (n + 1) * sizeof *grown);
    char *name = strdup(linear->name);

    if (grown != NULL) {
        report->linears = grown;
    }
    if (grown == NULL || name == NULL) {
        free(name);
        report->lacks_memory = true;
        return;
    }
    grown[n] = (struct quantize_linear){
        .name = name,
        .part = linear->part,
        .layer = linear->layer,
        .n_rows = linear->n_rows,
        .n_columns = linear->n_columns,
        .group = linear->group,
        .squares = linear->squares,
        .error_squares = linear->error_squares,
        .max_error = linear->max_error,
    };
    report->n_linears++;
}

void quantize_report_release(struct quantize_report *report)
{
    for (size_t i = 0; i < report->n_linears; i++) {
        free(report->linears[i].name);
    }
    free(report->linears);
    *report = (struct quantize_report){0};
}

size_t quantize_report_ungrouped(const struct quantize_report *report)
{
    size_t n = 0;

    for (size_t i = 0; i < report->n_linears; i++) {
        n += report->linears[i].group == report->linears[i].n_columns;
    }
    return n;
}

/* ------------------------------------------------------------------------------------------------
 * Layers
 * --------------------------------------------------------------------------------------------- */

static double relative_error(double squares, double error_squares)
{
    return squares > 0 ? sqrt(error_squares / squares) : 0;
}

/* Linears [begin, end) together. */
static struct quantize_linear sum_up(const struct quantize_report *report, size_t begin, size_t end)
{
    struct quantize_linear sum = {.part = ""};

    for (size_t i = begin; i < end; i++) {
        const struct quantize_linear *linear = &report->linears[i];

        sum.part = linear->part;
        sum.layer = linear->layer;
        sum.squares += linear->squares;
        sum.error_squares += linear->error_squares;
        sum.max_error = fmax(sum.max_error, linear->max_error);
    }
    return sum;
}

static size_t end_of_layer(const struct quantize_report *report, size_t begin)
{
    size_t end = begin;

    while (end < report->n_linears && report->linears[end].layer == report->linears[begin].layer &&
           strcmp(report->linears[end].part, report->linears[begin].part) == 0) {
        end++;
    }
    return end;
}

/* ------------------------------------------------------------------------------------------------
 * Text
 * --------------------------------------------------------------------------------------------- */

enum { COLUMN = 8 };

/* "q" of "...self_attn.q_proj.weight", "projection" of "...projection_layer.weight" */
static int short_name(const char *name, const char **begin)
{
    static const char *const endings[] = {".weight", "_proj", "_layer"};
    size_t n = strlen(name), at;

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(endings[i]);

        if (n > length && strncmp(name + n - length, endings[i], length) == 0) {
            n -= length;
        }
    }
    for (at = n; at > 0 && name[at - 1] != '.'; at--) {
    }
    *begin = name + at;
    return (int)(n - at);
}

static int column_width(const char *name)
{
    const char *begin;
    int n = short_name(name, &begin);

    return n + 2 > COLUMN ? n + 2 : COLUMN;
}

static void print_head(const struct quantize_report *report, size_t begin, size_t end)
{
    printf("%-12s", "");
    for (size_t i = begin; i < end; i++) {
        const char *name;
        int n = short_name(report->linears[i].name, &name);

        printf("%*.*s", column_width(report->linears[i].name), n, name);
    }
    printf("%*s  %9s\n", COLUMN, "all", "max error");
}

static void print_layer(const struct quantize_report *report, size_t begin, size_t end)
{
    struct quantize_linear sum = sum_up(report, begin, end);
    char label[32];

    snprintf(label, sizeof label, "%s %zu", sum.part, sum.layer);
    printf("%-12s", label);
    for (size_t i = begin; i < end; i++) {
        const struct quantize_linear *linear = &report->linears[i];

        printf("%*.3f", column_width(linear->name),
               100 * relative_error(linear->squares, linear->error_squares));
    }
    printf("%*.3f  %9.2e\n", COLUMN, 100 * relative_error(sum.squares, sum.error_squares),
           sum.max_error);
}

static void print_linear(const struct quantize_linear *linear)
{
    printf("%-64s %5zu x %-5zu %7.3f  %9.2e\n", linear->name, linear->n_rows, linear->n_columns,
           100 * relative_error(linear->squares, linear->error_squares), linear->max_error);
}

void quantize_report_print(const struct quantize_report *report, bool all_linears)
{
    struct quantize_linear total = sum_up(report, 0, report->n_linears);
    const char *part = "";

    printf("relative L2 error of the weights in per cent, and largest error\n");
    for (size_t begin = 0, end; begin < report->n_linears; begin = end) {
        end = end_of_layer(report, begin);
        if (all_linears) {
            for (size_t i = begin; i < end; i++) {
                print_linear(&report->linears[i]);
            }
            continue;
        }
        if (strcmp(part, report->linears[begin].part) != 0) {
            part = report->linears[begin].part;
            print_head(report, begin, end);
        }
        print_layer(report, begin, end);
    }
    printf("all %zu linears: %.3f %%, %.2e\n", report->n_linears,
           100 * relative_error(total.squares, total.error_squares), total.max_error);
}

/* ------------------------------------------------------------------------------------------------
 * JSON
 * --------------------------------------------------------------------------------------------- */

static json_t *linear_json(const struct quantize_linear *linear)
{
    return json_pack("{s:o, s:s, s:I, s:I, s:I, s:I, s:f, s:f}", "name",
                     json_out_string(linear->name), "part", linear->part, "layer",
                     (json_int_t)linear->layer, "rows", (json_int_t)linear->n_rows, "columns",
                     (json_int_t)linear->n_columns, "group", (json_int_t)linear->group,
                     "relative_error", relative_error(linear->squares, linear->error_squares),
                     "max_error", linear->max_error);
}

void quantize_report_json(const struct quantize_report *report, struct json_out *out)
{
    json_t *linears = json_array(), *layers = json_array();
    struct quantize_linear total = sum_up(report, 0, report->n_linears);
    int failed = 0;

    for (size_t begin = 0, end; begin < report->n_linears; begin = end) {
        struct quantize_linear sum;

        end = end_of_layer(report, begin);
        sum = sum_up(report, begin, end);
        for (size_t i = begin; i < end; i++) {
            failed |= json_array_append_new(linears, linear_json(&report->linears[i]));
        }
        failed |= json_array_append_new(layers,
                                        json_pack("{s:s, s:I, s:f, s:f}", "part", sum.part, "layer",
                                                  (json_int_t)sum.layer, "relative_error",
                                                  relative_error(sum.squares, sum.error_squares),
                                                  "max_error", sum.max_error));
    }
    out->is_complete = out->is_complete && failed == 0 && !report->lacks_memory;
    json_out_set(out, "linears", linears);
    json_out_set(out, "layers", layers);
    json_out_set(out, "total",
                 json_pack("{s:I, s:f, s:f}", "linears", (json_int_t)report->n_linears,
                           "relative_error", relative_error(total.squares, total.error_squares),
                           "max_error", total.max_error));
}
