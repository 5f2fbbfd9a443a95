/*
 * Prints a comparison.  Every part of the dump and every stage of the model has its line: within,
 * beyond, or not compared and why.  Only the first stage beyond its tolerance is marked as such:
 * the later ones inherit its error.
 */
#include "tools/compare/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/json_out.h"
#include "tools/output.h"

/* ------------------------------------------------------------------------------------------------
 * Text
 * --------------------------------------------------------------------------------------------- */

static void print_head(const struct compare_context *context, const struct comparison *comparison)
{
    const struct omma_engine_info *engine = context->engine;
    const struct compare_ids *ids = &comparison->ids;

    printf("reference  %s\n", context->dump->path);
    if (context->dump->versions != NULL) {
        printf("           %s\n", context->dump->versions);
    }
    printf("model      %s\n", context->model->path);
    printf("engine     %s, precision %s%s, KV cache %s, gemm %s, %zu thread%s, chunks of %zu\n",
           engine->isa, engine->precision,
           engine->int8_activations             ? ", int8 by int8"
           : context->model->n_int8_linears > 0 ? ", int8 weights alone"
                                                : "",
           engine->kv_dtype, engine->gemm, engine->n_threads, engine->n_threads == 1 ? "" : "s",
           context->prefill_chunk);
    if (ids->equal) {
        printf("ids        %zu, equal\n", ids->n_dump);
    } else {
        printf("ids        DIFFERENT from index %zu on (%zu here, %zu in the dump)\n",
               ids->first_difference, ids->n_ours, ids->n_dump);
    }
}

static void print_number(double number)
{
    if (number < 0) {
        printf("  %9s", "-");
    } else {
        printf("  %9.2e", number);
    }
}

static void print_stage(const struct compare_stage *stage, bool is_first_beyond)
{
    enum compare_verdict verdict = compare_stage_verdict(stage);

    printf("%-24s  %5zu", stage->name, stage->n_rows);
    print_number(verdict == COMPARE_MISSING ? -1 : compare_stage_error(stage));
    print_number(stage->tolerance);
    print_number(stage->reference_error);
    if (verdict == COMPARE_WITHIN) {
        printf("  within\n");
    } else if (verdict == COMPARE_UNJUDGED) {
        printf("  not compared: %s\n",
               stage->int8_error > 0 ? "--unquantized is not given" : "the dump has no bf16 error");
    } else if (stage->wrong_width != 0) {
        printf("  BEYOND: width %zu here, %zu in the dump\n", stage->wrong_width, stage->width);
    } else if (verdict == COMPARE_MISSING) {
        printf("  BEYOND: %zu of %zu rows computed\n", stage->n_seen, stage->n_rows);
    } else {
        printf("  BEYOND%s\n", is_first_beyond ? "  <-- the first" : "");
    }
}

static void print_stages(const struct comparison *comparison)
{
    const struct compare_stages *stages = &comparison->stages;
    const struct compare_pixels *pixels = &comparison->pixels;

    printf("\n%-24s  %5s  %9s  %9s  %9s\n", "stage", "rows", "error", "tolerance", "ref. bf16");
    if (pixels->in_dump) {
        printf("%-24s  %5zu", "pixels", pixels->n_tiles);
        print_number(pixels->error);
        print_number(pixels->tolerance);
        print_number(-1);
        printf("  %s\n", pixels->error <= pixels->tolerance ? "within" : "BEYOND");
    } else {
        printf("%-24s  not compared: %s\n", "pixels",
               comparison->ids.equal ? "not in the dump" : "the prompts differ");
    }
    for (size_t i = 0; i < stages->n_items; i++) {
        const struct compare_stage *stage = &stages->items[i];

        if (comparison->ids.equal) {
            print_stage(stage, stage == comparison_first_beyond(comparison));
        } else {
            printf("%-24s  not compared: the prompts differ\n", stage->name);
        }
    }
    for (size_t i = 0; i < stages->n_absent; i++) {
        printf("%-24s  not compared: not in the dump\n", stages->absent[i]);
    }
    for (size_t i = 0; i < stages->n_unknown; i++) {
        printf("%-24s  not compared: no stage of this model\n", stages->unknown[i]);
    }
}

/* The stages that quantization changes, by their distance to the unquantized model's. */
static void print_distances(const struct comparison *comparison)
{
    printf("\n%-24s  %9s  %9s  %6s  %s\n", "distance of", "here", "ref. int8", "factor", "must be");
    for (size_t i = 0; i < comparison->stages.n_items; i++) {
        const struct compare_stage *stage = &comparison->stages.items[i];
        struct compare_band band = compare_stage_band(stage);
        double distance = compare_stage_distance(stage);

        if (stage->int8_error > 0) {
            printf("%-24s", stage->name);
            print_number(distance);
            print_number(stage->int8_error);
            if (distance >= 0) {
                printf("  %6.3f", distance / stage->int8_error);
            } else {
                printf("  %6s", "-");
            }
            printf("  %g to %g\n", band.low, band.high);
        }
    }
}

static void print_operators(const struct comparison *comparison)
{
    if (!comparison->operators_run) {
        printf("\noperators  not compared: int8 activations are off\n");
        return;
    }
    printf("\n%-26s  %6s  %6s  %6s  %9s  %9s  %9s\n", "operator", "tokens", "scales", "values",
           "at a half", "sums", "output");
    for (size_t i = 0; i < comparison->operators.n_items; i++) {
        const struct compare_operator *one = &comparison->operators.items[i];

        printf("%-26s  %6zu  %6zu  %6zu  %9zu  %9zu  %9.2e  %s\n", one->name, one->n_tokens,
               one->n_scales, one->n_different, one->n_near, one->n_sums, one->error,
               compare_operator_is_within(one) ? "within" : "BEYOND");
    }
    printf("(tokens whose scale differs; int8 values that differ, and those of them whose input is "
           "at a half; wrong sums; error)\n");
}

static void print_steps(const struct comparison *comparison)
{
    size_t n = comparison->n_steps, compared = comparison_steps_compared(comparison);

    if (n == 0 || !comparison->ids.equal) {
        printf("\ngreedy     not compared: %s\n",
               n == 0 ? "not in the dump" : "the prompts differ");
        return;
    }
    printf(
        "\ngreedy     %zu of %zu steps as the reference; %zu not compared (margin of at most %g)\n",
        compared - comparison_steps_different(comparison), compared, n - compared,
        (double)comparison->margin);
    for (size_t i = 0; i < n; i++) {
        const struct compare_step *step = &comparison->steps[i];

        if (step->chosen != step->expected) {
            printf("           step %zu: %s%d here, %lld in the dump, margin %.2e\n", i,
                   step->compared ? "DIFFERENT: " : "", step->chosen, (long long)step->expected,
                   step->margin);
        }
    }
}

enum omma_status compare_report_text(const struct compare_context *context,
                                     const struct comparison *comparison, struct omma_error *error)
{
    const struct compare_stage *first = comparison_first_beyond(comparison);

    print_head(context, comparison);
    print_stages(comparison);
    if (context->dump->quantization != NULL) {
        print_distances(comparison);
        print_operators(comparison);
    }
    print_steps(comparison);
    if (comparison_is_within(comparison)) {
        printf("all that was compared is within\n");
    } else if (comparison->ids.equal && first != NULL) {
        printf("NOT within: %s is the first stage beyond its tolerance\n", first->name);
    } else {
        printf("NOT within\n");
    }
    return output_flush(error);
}

/* ------------------------------------------------------------------------------------------------
 * JSON
 * --------------------------------------------------------------------------------------------- */

/* null for what is not there or no number */
static json_t *number_or_null(double number)
{
    return isfinite(number) && number >= 0 ? json_real(number) : json_null();
}

static const char *verdict_name(enum compare_verdict verdict)
{
    static const char *const NAMES[] = {
        [COMPARE_WITHIN] = "within",
        [COMPARE_BEYOND] = "beyond",
        [COMPARE_MISSING] = "missing",
        [COMPARE_UNJUDGED] = "not compared",
    };

    return NAMES[verdict];
}

static json_t *stages_json(const struct comparison *comparison)
{
    json_t *list = json_array();

    for (size_t i = 0; i < comparison->stages.n_items; i++) {
        const struct compare_stage *stage = &comparison->stages.items[i];
        enum compare_verdict verdict = compare_stage_verdict(stage);
        bool is_known = comparison->ids.equal && verdict != COMPARE_MISSING;

        json_array_append_new(
            list, json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:s}", "stage", stage->name,
                            "rows", (json_int_t)stage->n_rows, "error",
                            number_or_null(is_known ? compare_stage_error(stage) : -1), "tolerance",
                            number_or_null(stage->tolerance), "reference_bf16",
                            number_or_null(stage->reference_error), "distance",
                            number_or_null(compare_stage_distance(stage)), "reference_int8",
                            number_or_null(stage->int8_error), "verdict",
                            comparison->ids.equal ? verdict_name(verdict) : "not compared"));
    }
    return list;
}

static json_t *operators_json(const struct comparison *comparison)
{
    json_t *list = json_array();

    for (size_t i = 0; i < comparison->operators.n_items; i++) {
        const struct compare_operator *one = &comparison->operators.items[i];

        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:b}", "operator", one->name, "tokens",
                      (json_int_t)one->n_tokens, "scales", (json_int_t)one->n_scales, "different",
                      (json_int_t)one->n_different, "at_a_half", (json_int_t)one->n_near, "sums",
                      (json_int_t)one->n_sums, "error", number_or_null(one->error), "within",
                      compare_operator_is_within(one)));
    }
    return list;
}

static json_t *not_compared_json(const struct comparison *comparison)
{
    json_t *list = json_array();

    if (!comparison->pixels.in_dump) {
        json_array_append_new(list, json_string("pixels"));
    }
    for (size_t i = 0; i < comparison->stages.n_absent; i++) {
        json_array_append_new(list, json_string(comparison->stages.absent[i]));
    }
    for (size_t i = 0; i < comparison->stages.n_unknown; i++) {
        json_array_append_new(list, json_string(comparison->stages.unknown[i]));
    }
    if (comparison->n_steps == 0) {
        json_array_append_new(list, json_string("greedy"));
    }
    return list;
}

static json_t *steps_json(const struct comparison *comparison)
{
    json_t *different = json_array();
    size_t compared = comparison_steps_compared(comparison);

    if (comparison->n_steps == 0 || !comparison->ids.equal) {
        json_decref(different);
        return json_null();
    }
    for (size_t i = 0; i < comparison->n_steps; i++) {
        const struct compare_step *step = &comparison->steps[i];

        if (step->chosen != step->expected) {
            json_array_append_new(
                different, json_pack("{s:I, s:I, s:I, s:f, s:b}", "step", (json_int_t)i, "expected",
                                     (json_int_t)step->expected, "chosen", (json_int_t)step->chosen,
                                     "margin", (double)step->margin, "compared", step->compared));
        }
    }
    return json_pack("{s:f, s:I, s:I, s:I, s:o}", "margin", (double)comparison->margin, "steps",
                     (json_int_t)comparison->n_steps, "compared", (json_int_t)compared, "equal",
                     (json_int_t)(compared - comparison_steps_different(comparison)), "different",
                     different);
}

static json_t *pixels_json(const struct compare_pixels *pixels)
{
    if (!pixels->in_dump) {
        return json_null();
    }
    return json_pack("{s:I, s:o, s:f}", "tiles", (json_int_t)pixels->n_tiles, "error",
                     number_or_null(pixels->error), "tolerance", pixels->tolerance);
}

static json_t *ids_json(const struct compare_ids *ids)
{
    return json_pack("{s:I, s:I, s:b, s:o}", "here", (json_int_t)ids->n_ours, "in_dump",
                     (json_int_t)ids->n_dump, "equal", ids->equal, "first_difference",
                     ids->equal ? json_null() : json_integer((json_int_t)ids->first_difference));
}

enum omma_status compare_report_json(const struct compare_context *context,
                                     const struct comparison *comparison, struct omma_error *error)
{
    const struct omma_engine_info *engine = context->engine;
    const struct compare_stage *first =
        comparison->ids.equal ? comparison_first_beyond(comparison) : NULL;
    struct json_out out = json_out_object();

    json_out_set(&out, "reference", json_out_string(context->dump->path));
    json_out_set(&out, "model", json_out_string(context->model->path));
    json_out_set(&out, "isa", json_string(engine->isa));
    json_out_set(&out, "precision", json_string(engine->precision));
    json_out_set(&out, "kv_dtype", json_string(engine->kv_dtype));
    json_out_set(&out, "gemm", json_string(engine->gemm));
    json_out_set(&out, "n_threads", json_integer((json_int_t)engine->n_threads));
    json_out_set(&out, "prefill_chunk", json_integer((json_int_t)context->prefill_chunk));
    json_out_set(&out, "ids", ids_json(&comparison->ids));
    json_out_set(&out, "pixels", pixels_json(&comparison->pixels));
    json_out_set(&out, "stages", stages_json(comparison));
    json_out_set(&out, "int8_activations", json_boolean(engine->int8_activations));
    json_out_set(&out, "operators",
                 comparison->operators_run ? operators_json(comparison) : json_null());
    json_out_set(&out, "first_beyond", first != NULL ? json_string(first->name) : json_null());
    json_out_set(&out, "greedy", steps_json(comparison));
    json_out_set(&out, "not_compared", not_compared_json(comparison));
    json_out_set(&out, "within", json_boolean(comparison_is_within(comparison)));
    return json_out_write(&out, stdout, false, error);
}
