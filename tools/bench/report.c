/*
 * Four forms of one table.  Times are medians of the repetitions, fractions medians of theirs; a
 * fraction that does not count is left out, and the reason stands in its place.
 */
#include "tools/bench/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/json_out.h"
#include "tools/output.h"

const char *const bench_format_words[] = {"md", "csv", "json", "jsonl", NULL};

static double rate(const struct bench_test *test)
{
    return test->rate_per_sample / bench_median(&test->samples_s);
}

/* By how much the rate varies, to first order. */
static double rate_deviation(const struct bench_test *test)
{
    return rate(test) * bench_deviation(&test->samples_s) / bench_median(&test->samples_s);
}

static bool has_fraction(const struct bench_test *test)
{
    return test->bound != BENCH_UNBOUND && test->no_fraction == NULL;
}

/* What a test is compared with: "read bandwidth", "bf16 dot product"; NULL: nothing. */
static const char *bound_name(const struct bench_result *result, const struct bench_test *test)
{
    const char *name = NULL;

    if (test->bound == BENCH_READ) {
        return "read bandwidth";
    }
    if (test->bound != BENCH_UNBOUND) {
        bench_peak(result->engine, &result->limits, test->bound, &name);
    }
    return name;
}

/* ------------------------------------------------------------------------------------------------
 * Markdown
 * --------------------------------------------------------------------------------------------- */

static void print_peak(const char *name, const struct omma_peak *peak)
{
    if (peak->per_s > 0) {
        printf(", %s %.1f G/s (%.3g a cycle and thread at %.2f GHz", name, peak->per_s * 1e-9,
               peak->per_cycle, peak->clock_hz * 1e-9);
        if (!peak->counts) {
            printf(": does not count, %g known of this CPU", peak->known_per_cycle);
        }
        printf(")");
    }
}

static void print_limits(const struct omma_limits *limits)
{
    printf("limits: read %.1f GB/s of %s pages, %zu streams a thread",
           limits->read_bytes_per_s * 1e-9, limits->read_memory, limits->read_streams);
    if (limits->known_high > 0) {
        printf(" (%s%.0f to %.0f known of this CPU)",
               limits->read_counts ? "" : "does not count: ", limits->known_low * 1e-9,
               limits->known_high * 1e-9);
    }
    print_peak("f32", &limits->f32);
    print_peak("bf16", &limits->bf16);
    print_peak("int8", &limits->i8);
    printf("  \n");
}

static void print_head(const struct bench_result *result)
{
    const struct omma_model_info *model = result->model;
    const struct omma_engine_info *engine = result->engine;

    printf("model: %s: %s, %zu layers of %zu; %s, %zu of %zu; %s  \n", result->name,
           model->language_name, model->n_layers, model->hidden, model->vision_name,
           model->n_vision_layers, model->vision_hidden, model->weight_dtype);
    printf("CPU: %s, %zu threads; tier %s, precision %s, KV cache %s, gemm %s  \n",
           result->limits.cpu, engine->n_threads, engine->isa, engine->precision, engine->kv_dtype,
           engine->gemm);
    print_limits(&result->limits);
    if (result->peak_bytes > 0) {
        printf("memory: at most %.0f MB resident, %.0f MB of them no file's  \n",
               result->peak_bytes * 1e-6, result->peak_anonymous_bytes * 1e-6);
    }
}

static void print_row(const struct bench_result *result, const struct bench_test *test)
{
    printf("| %-14s | %10.2f | %8.2f |", test->name, 1e3 * bench_median(&test->samples_s),
           1e3 * bench_deviation(&test->samples_s));
    if (test->rate_unit != NULL) {
        printf(" %9.2f %-7s |", rate(test), test->rate_unit);
    } else {
        printf(" %17s |", "");
    }
    if (has_fraction(test)) {
        printf(" %5.1f %% of %s |\n", 100 * bench_median(&test->fractions),
               bound_name(result, test));
    } else {
        printf(" %s |\n", test->no_fraction != NULL ? test->no_fraction : "");
    }
}

static void print_markdown(const struct bench_result *result)
{
    print_head(result);
    printf("\n| %-14s | %10s | %8s | %17s | of the limit |\n", "test", "ms", "±", "rate");
    printf("|----------------|-----------:|---------:|------------------:|---|\n");
    for (size_t i = 0; i < result->tests.n_tests; i++) {
        print_row(result, &result->tests.tests[i]);
    }
    printf("\n%zu repetitions, medians and standard deviations\n", result->plan->n_repeats);
}

/* ------------------------------------------------------------------------------------------------
 * JSON
 * --------------------------------------------------------------------------------------------- */

static json_t *samples_json(const struct bench_samples *samples)
{
    json_t *list = json_array();

    for (size_t i = 0; i < samples->n_values; i++) {
        json_array_append_new(list, json_real(samples->values[i]));
    }
    return list;
}

static json_t *peak_json(const struct omma_peak *peak)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:b}", "per_s", peak->per_s, "per_step",
                     peak->per_step, "clock_hz", peak->clock_hz, "per_cycle", peak->per_cycle,
                     "known_per_cycle", peak->known_per_cycle, "counts", (int)peak->counts);
}

static json_t *limits_json(const struct omma_limits *limits)
{
    return json_pack("{s:f, s:f, s:s, s:I, s:I, s:I, s:f, s:f, s:b, s:f, s:o, s:o, s:o}",
                     "read_bytes_per_s", limits->read_bytes_per_s, "read_spread",
                     limits->read_spread, "read_memory", limits->read_memory, "read_streams",
                     (json_int_t)limits->read_streams, "read_prefetch_bytes",
                     (json_int_t)limits->read_prefetch_bytes, "read_bytes",
                     (json_int_t)limits->read_bytes, "known_low", limits->known_low, "known_high",
                     limits->known_high, "read_counts", (int)limits->read_counts, "clock_hz",
                     limits->clock_hz, "f32", peak_json(&limits->f32), "bf16",
                     peak_json(&limits->bf16), "int8", peak_json(&limits->i8));
}

static void set_figures(struct json_out *out, const struct bench_result *result,
                        const struct bench_test *test)
{
    const char *bound = bound_name(result, test);

    json_out_set(out, "test", json_string(test->name));
    json_out_set(out, "median_s", json_real(bench_median(&test->samples_s)));
    json_out_set(out, "deviation_s", json_real(bench_deviation(&test->samples_s)));
    json_out_set(out, "min_s", json_real(bench_minimum(&test->samples_s)));
    json_out_set(out, "max_s", json_real(bench_maximum(&test->samples_s)));
    json_out_set(out, "samples_s", samples_json(&test->samples_s));
    json_out_set(out, "rate", test->rate_unit != NULL ? json_real(rate(test)) : json_null());
    json_out_set(out, "unit", test->rate_unit != NULL ? json_string(test->rate_unit) : json_null());
    json_out_set(out, "limit", bound != NULL ? json_string(bound) : json_null());
    json_out_set(out, "work", bound != NULL ? json_real(test->work) : json_null());
    json_out_set(out, "fraction",
                 has_fraction(test) ? json_real(bench_median(&test->fractions)) : json_null());
    json_out_set(out, "no_fraction",
                 test->no_fraction != NULL ? json_string(test->no_fraction) : json_null());
}

static void set_subject(struct json_out *out, const struct bench_result *result)
{
    const struct omma_model_info *model = result->model;
    const struct omma_engine_info *engine = result->engine;

    json_out_set(out, "cpu", json_out_string(result->limits.cpu));
    json_out_set(out, "isa", json_string(engine->isa));
    json_out_set(out, "n_threads", json_integer((json_int_t)engine->n_threads));
    json_out_set(out, "precision", json_string(engine->precision));
    json_out_set(out, "kv_dtype", json_string(engine->kv_dtype));
    json_out_set(out, "gemm", json_string(engine->gemm));
    json_out_set(out, "model", json_out_string(result->name));
    json_out_set(out, "weight_dtype", json_string(model->weight_dtype));
    json_out_set(out, "n_layers", json_integer((json_int_t)model->n_layers));
    json_out_set(out, "n_vision_layers", json_integer((json_int_t)model->n_vision_layers));
    json_out_set(out, "peak_bytes", json_real(result->peak_bytes));
    json_out_set(out, "peak_anonymous_bytes", json_real(result->peak_anonymous_bytes));
}

static enum omma_status write_json(const struct bench_result *result, struct omma_error *error)
{
    struct json_out out = json_out_object();
    json_t *list = json_array();

    set_subject(&out, result);
    json_out_set(&out, "limits", limits_json(&result->limits));
    for (size_t i = 0; i < result->tests.n_tests; i++) {
        struct json_out row = json_out_object();

        set_figures(&row, result, &result->tests.tests[i]);
        if (!row.is_complete || json_array_append_new(list, row.value) != 0) {
            out.is_complete = false;
        }
    }
    json_out_set(&out, "tests", list);
    return json_out_write(&out, stdout, false, error);
}

/* A line a test, each with all that says what was measured. */
static enum omma_status write_lines(const struct bench_result *result, struct omma_error *error)
{
    for (size_t i = 0; i < result->tests.n_tests; i++) {
        struct json_out row = json_out_object();

        set_subject(&row, result);
        set_figures(&row, result, &result->tests.tests[i]);
        json_out_set(&row, "limits", limits_json(&result->limits));
        TRY(json_out_write(&row, stdout, true, error));
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * CSV
 * --------------------------------------------------------------------------------------------- */

/* A quoted field, quotes doubled. */
static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        printf(*text == '"' ? "\"\"" : "%c", *text);
    }
    printf("\",");
}

static void print_csv(const struct bench_result *result)
{
    printf("cpu,isa,threads,precision,kv_dtype,weight_dtype,model,layers,vision_layers,test,"
           "median_ms,deviation_ms,rate,rate_deviation,unit,limit,fraction\n");
    for (size_t i = 0; i < result->tests.n_tests; i++) {
        const struct bench_test *test = &result->tests.tests[i];
        const char *bound = bound_name(result, test);

        print_quoted(result->limits.cpu);
        printf("%s,%zu,%s,%s,%s,", result->engine->isa, result->engine->n_threads,
               result->engine->precision, result->engine->kv_dtype, result->model->weight_dtype);
        print_quoted(result->name);
        printf("%zu,%zu,%s,%.6g,%.6g,", result->model->n_layers, result->model->n_vision_layers,
               test->name, 1e3 * bench_median(&test->samples_s),
               1e3 * bench_deviation(&test->samples_s));
        if (test->rate_unit != NULL) {
            printf("%.6g,%.6g,%s,", rate(test), rate_deviation(test), test->rate_unit);
        } else {
            printf(",,,");
        }
        printf("%s,", bound != NULL ? bound : "");
        if (has_fraction(test)) {
            printf("%.4f", bench_median(&test->fractions));
        }
        printf("\n");
    }
}

enum omma_status bench_report(const struct bench_result *result, enum bench_format format,
                              struct omma_error *error)
{
    switch (format) {
    case BENCH_MD:
        print_markdown(result);
        break;
    case BENCH_CSV:
        print_csv(result);
        break;
    case BENCH_JSON:
        TRY(write_json(result, error));
        break;
    case BENCH_JSONL:
        TRY(write_lines(result, error));
        break;
    }
    return output_flush(error);
}
