/* What two models' distributions have in common, as a table or as JSON. */
#include <stdio.h>

#include "tools/compare/against.h"
#include "tools/compare/divergence.h"
#include "tools/json_out.h"

static double mean_of(const struct against *against, const struct against_row *row)
{
    double sum = 0;

    for (size_t i = 0; i < row->n; i++) {
        sum += against->divergences[row->first + i];
    }
    return sum / (double)row->n;
}

static double max_of(const struct against *against, const struct against_row *row)
{
    double most = 0;

    for (size_t i = 0; i < row->n; i++) {
        double value = against->divergences[row->first + i];

        most = value > most ? value : most;
    }
    return most;
}

enum omma_status against_report_text(const struct against *against, struct omma_error *error)
{
    struct divergence_summary summary;
    const struct against_row *worst;

    printf("%8s %8s %8s %12s %12s %10s\n", "line", "prompt", "tokens", "mean KL", "max KL",
           "same top");
    for (size_t i = 0; i < against->n_rows; i++) {
        const struct against_row *row = &against->rows[i];

        if (row->problem != NULL) {
            printf("%8zu  %s\n", row->line, row->problem);
        } else if (row->n > 0) {
            printf("%8zu %8zu %8zu %12.4g %12.4g %10zu\n", row->line, row->n_prompt, row->n,
                   mean_of(against, row), max_of(against, row), row->n_same_top);
        }
    }
    printf("%zu tokens of %zu rows compared, %zu rows failed\n", against->n,
           against->n_rows - against->n_failed, against->n_failed);
    if (against->n == 0) {
        return OMMA_OK;
    }
    if (!divergence_summarize(against->divergences, against->n, &summary)) {
        return fail_memory(error);
    }
    worst = against_row_of(against, summary.max_at);
    printf("KL divergence: mean %.4g +/- %.2g, median %.4g, 99 %% %.4g, maximum %.4g (line %zu, "
           "token %zu)\n",
           summary.mean, summary.standard_error, summary.median, summary.percentile_99, summary.max,
           worst->line, summary.max_at - worst->first + 1);
    printf("same top token: %.2f +/- %.2f %%\n",
           100 * (double)against->n_same_top / (double)against->n,
           100 * divergence_share_error(against->n_same_top, against->n));
    return OMMA_OK;
}

static json_t *row_json(const struct against *against, const struct against_row *row)
{
    if (row->problem != NULL) {
        return json_pack("{sI so}", "line", (json_int_t)row->line, "error",
                         json_out_string(row->problem));
    }
    return json_pack("{sI sI ss sI so so sI}", "line", (json_int_t)row->line, "prompt_tokens",
                     (json_int_t)row->n_prompt, "answer", row->is_given ? "given" : "greedy",
                     "tokens", (json_int_t)row->n, "mean_kl",
                     row->n > 0 ? json_real(mean_of(against, row)) : json_null(), "max_kl",
                     row->n > 0 ? json_real(max_of(against, row)) : json_null(), "same_top",
                     (json_int_t)row->n_same_top);
}

static json_t *subject_json(const struct compare_subject *subject)
{
    const struct omma_model_info *model = omma_model_info(subject->model);
    const struct omma_engine_info *engine = omma_engine_info(subject->engine);

    return json_pack("{so ss ss ss ss ss sb}", "path", json_out_string(model->path), "identity",
                     model->identity, "weights", model->weight_dtype, "isa", engine->isa,
                     "precision", engine->precision, "kv_dtype", engine->kv_dtype,
                     "int8_activations", engine->int8_activations);
}

static json_t *summary_json(const struct against *against)
{
    struct divergence_summary summary;
    const struct against_row *worst;

    if (against->n == 0) {
        return json_null();
    }
    if (!divergence_summarize(against->divergences, against->n, &summary)) {
        return NULL;
    }
    worst = against_row_of(against, summary.max_at);
    return json_pack("{sf sf sf sf sf sI sI}", "mean", summary.mean, "standard_error",
                     summary.standard_error, "median", summary.median, "percentile_99",
                     summary.percentile_99, "max", summary.max, "max_line", (json_int_t)worst->line,
                     "max_token", (json_int_t)(summary.max_at - worst->first + 1));
}

static json_t *top_json(const struct against *against)
{
    return against->n == 0
               ? json_null()
               : json_pack("{sf sf}", "share", (double)against->n_same_top / (double)against->n,
                           "standard_error",
                           divergence_share_error(against->n_same_top, against->n));
}

enum omma_status against_report_json(const struct against_settings *settings,
                                     const struct against *against, struct omma_error *error)
{
    struct json_out out = json_out_object();
    json_t *rows = json_array();

    for (size_t i = 0; i < against->n_rows; i++) {
        if (json_array_append_new(rows, row_json(against, &against->rows[i])) != 0) {
            out.is_complete = false;
        }
    }
    json_out_set(&out, "model", subject_json(settings->first));
    json_out_set(&out, "against", subject_json(settings->second));
    json_out_set(&out, "input", json_out_string(settings->input->path));
    json_out_set(&out, "input_sha256", json_string(settings->input->sha256));
    json_out_set(&out, "failed", json_integer((json_int_t)against->n_failed));
    json_out_set(&out, "tokens", json_integer((json_int_t)against->n));
    json_out_set(&out, "kl", summary_json(against));
    json_out_set(&out, "same_top", top_json(against));
    json_out_set(&out, "rows", rows);
    return json_out_write(&out, stdout, false, error);
}
