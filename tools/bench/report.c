/*
 * Figures and their shares of the limits.  Shares are of the median: a prefill's and a tile's of
 * the peak of the multiply-add in use, a decoding step's of the read bandwidth.
 */
#include "tools/bench/report.h"

#include <stdio.h>
#include <string.h>

#include "tools/bench/work.h"
#include "tools/json_out.h"
#include "tools/output.h"

/* One line of the table: a time, the work behind it, and the limit of that work. */
struct figure {
    const char *name; /* in JSON */
    char label[64];
    const char *rate_unit;  /* NULL: no rate */
    double per_second;      /* how many of rate_unit one sample is: tokens of a prompt, 1 */
    const char *limit_name; /* NULL: no limit */
    double work, limit;     /* multiply-adds or bytes a sample, and a second */
    const struct bench_samples *samples_s;
};

enum { N_FIGURES = 4 };

/* Multiply-adds per second of what the engine multiplies with; *name says which. */
static double peak(const struct bench_result *result, const char **name)
{
    bool is_bf16 = strcmp(result->engine->precision, "bf16") == 0;

    if (is_bf16 && result->limits.bf16.per_s > 0) {
        *name = "bf16 dot product";
        return result->limits.bf16.per_s;
    }
    *name = "f32 multiply-add";
    return result->limits.f32.per_s;
}

/* A step reads on average what the cache holds halfway through. */
static double mean_depth(const struct bench_result *result)
{
    return (double)result->plan.n_prompt_tokens + (double)result->plan.n_new_tokens / 2;
}

static void fill_figures(const struct bench_result *result, struct figure figures[N_FIGURES])
{
    const char *peak_name;
    double limit = peak(result, &peak_name);
    size_t n_prompt = result->plan.n_prompt_tokens;

    figures[0] = (struct figure){
        .name = "start", .label = "start to first prefill step", .samples_s = &result->start_s};
    figures[1] = (struct figure){.name = "prefill",
                                 .rate_unit = "tokens/s",
                                 .per_second = (double)n_prompt,
                                 .limit_name = "peak",
                                 .work = bench_prefill_work(result->model, n_prompt),
                                 .limit = limit,
                                 .samples_s = &result->language.prefill_s};
    snprintf(figures[1].label, sizeof figures[1].label, "prefill of %zu tokens", n_prompt);
    figures[2] = (struct figure){
        .name = "decode",
        .rate_unit = "tokens/s",
        .per_second = 1,
        .limit_name = "read bandwidth",
        .work = bench_decode_bytes(result->model, mean_depth(result), result->engine->kv_dtype),
        .limit = result->limits.read_bytes_per_s,
        .samples_s = &result->language.step_s};
    snprintf(figures[2].label, sizeof figures[2].label, "decode at depth %zu to %zu", n_prompt,
             n_prompt + result->plan.n_new_tokens);
    figures[3] = (struct figure){.name = "tile",
                                 .label = "one tile",
                                 .rate_unit = "tiles/s",
                                 .per_second = 1,
                                 .limit_name = "peak",
                                 .work = bench_tile_work(result->model),
                                 .limit = limit,
                                 .samples_s = &result->tile_s};
}

/* Share of the limit that the median reaches. */
static double share(const struct figure *figure)
{
    double median = bench_median(figure->samples_s);

    return median > 0 && figure->limit > 0 ? figure->work / median / figure->limit : 0;
}

/* The processor's name as the kernel tells it, into name. */
static void cpu_name(char *name, size_t capacity)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(name, capacity, "unknown CPU");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *value = strstr(line, ": ");

        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            value[strcspn(value, "\n")] = '\0';
            snprintf(name, capacity, "%s", value + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void print_head(const struct bench_result *result)
{
    const struct omma_model_info *model = result->model;
    const struct omma_engine_info *engine = result->engine;
    const struct omma_limits *limits = &result->limits;
    char cpu[256];

    cpu_name(cpu, sizeof cpu);
    printf("model    %s: %s, %zu layers of %zu; %s, %zu of %zu; %s\n", result->name,
           model->language_name, model->n_layers, model->hidden, model->vision_name,
           model->n_vision_layers, model->vision_hidden, model->weight_dtype);
    printf("machine  %s, %zu thread%s\n", cpu, engine->n_threads,
           engine->n_threads == 1 ? "" : "s");
    printf("engine   %s, precision %s, KV cache %s, gemm %s\n", engine->isa, engine->precision,
           engine->kv_dtype, engine->gemm);
    printf("limits   read %.1f GB/s, f32 multiply-add %.0f G/s, ", limits->read_bytes_per_s / 1e9,
           limits->f32.per_s / 1e9);
    if (limits->bf16.per_s > 0) {
        printf("bf16 dot product %.0f G/s, ", limits->bf16.per_s / 1e9);
    }
    printf("clock %.2f GHz\n", limits->clock_hz / 1e9);
}

static void print_figure(const struct figure *figure)
{
    double median = bench_median(figure->samples_s);

    printf("%-30s  %9.4f  %9.4f  %9.4f", figure->label, median, bench_minimum(figure->samples_s),
           bench_maximum(figure->samples_s));
    if (figure->rate_unit != NULL) {
        printf("  %8.2f %-8s", figure->per_second / median, figure->rate_unit);
    }
    if (figure->limit_name != NULL) {
        printf("  %5.1f %% of %s", 100 * share(figure), figure->limit_name);
    }
    printf("\n");
}

enum omma_status bench_report_text(const struct bench_result *result, struct omma_error *error)
{
    struct figure figures[N_FIGURES];
    const char *peak_name;

    fill_figures(result, figures);
    print_head(result);
    printf("\n%-30s  %9s  %9s  %9s\n", "", "median s", "min s", "max s");
    for (size_t i = 0; i < N_FIGURES; i++) {
        if (figures[i].samples_s->n_values > 0) {
            print_figure(&figures[i]);
        }
    }
    peak(result, &peak_name);
    printf("\n%zu repetitions; peak: %s; decode reads %.3f GB a step\n", result->plan.n_repeats,
           peak_name, figures[2].work / 1e9);
    return output_flush(error);
}

static json_t *samples_json(const struct bench_samples *samples)
{
    json_t *list = json_array();

    for (size_t i = 0; i < samples->n_values; i++) {
        json_array_append_new(list, json_real(samples->values[i]));
    }
    return list;
}

static json_t *figure_json(const struct figure *figure)
{
    json_t *object =
        json_pack("{s:f, s:f, s:f, s:o}", "median_s", bench_median(figure->samples_s), "min_s",
                  bench_minimum(figure->samples_s), "max_s", bench_maximum(figure->samples_s),
                  "samples_s", samples_json(figure->samples_s));

    if (figure->rate_unit != NULL) {
        json_object_set_new(object, "rate",
                            json_real(figure->per_second / bench_median(figure->samples_s)));
        json_object_set_new(object, "unit", json_string(figure->rate_unit));
    }
    if (figure->limit_name != NULL) {
        json_object_set_new(object, "work", json_real(figure->work));
        json_object_set_new(object, "limit", json_string(figure->limit_name));
        json_object_set_new(object, "share_of_limit", json_real(share(figure)));
    }
    return object;
}

static json_t *limits_json(const struct bench_result *result)
{
    const struct omma_limits *limits = &result->limits;
    const char *peak_name;
    double peak_per_s = peak(result, &peak_name);

    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:s}", "read_bytes_per_s", limits->read_bytes_per_s,
                     "f32_fma_per_s", limits->f32.per_s, "bf16_dot_per_s", limits->bf16.per_s,
                     "clock_hz", limits->clock_hz, "peak_per_s", peak_per_s, "peak", peak_name);
}

enum omma_status bench_report_json(const struct bench_result *result, struct omma_error *error)
{
    const struct omma_model_info *model = result->model;
    const struct omma_engine_info *engine = result->engine;
    struct json_out out = json_out_object();
    struct figure figures[N_FIGURES];
    char cpu[256];

    fill_figures(result, figures);
    cpu_name(cpu, sizeof cpu);
    json_out_set(&out, "model", json_out_string(result->name));
    json_out_set(&out, "n_layers", json_integer((json_int_t)model->n_layers));
    json_out_set(&out, "n_vision_layers", json_integer((json_int_t)model->n_vision_layers));
    json_out_set(&out, "cpu", json_out_string(cpu));
    json_out_set(&out, "n_threads", json_integer((json_int_t)engine->n_threads));
    json_out_set(&out, "isa", json_string(engine->isa));
    json_out_set(&out, "precision", json_string(engine->precision));
    json_out_set(&out, "kv_dtype", json_string(engine->kv_dtype));
    json_out_set(&out, "gemm", json_string(engine->gemm));
    json_out_set(&out, "prompt_tokens", json_integer((json_int_t)result->plan.n_prompt_tokens));
    json_out_set(&out, "new_tokens", json_integer((json_int_t)result->plan.n_new_tokens));
    json_out_set(&out, "limits", limits_json(result));
    for (size_t i = 0; i < N_FIGURES; i++) {
        bool is_measured = figures[i].samples_s->n_values > 0;

        json_out_set(&out, figures[i].name, is_measured ? figure_json(&figures[i]) : json_null());
    }
    return json_out_write(&out, stdout, false, error);
}
