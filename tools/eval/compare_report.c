/* A comparison of two runs, for eyes and as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/eval/compare.h"
#include "tools/eval/excerpt.h"
#include "tools/eval/statistics.h"
#include "tools/json_out.h"
#include "tools/output.h"

enum { SHOWN_CHARACTERS = 40 };

static double share(size_t n, size_t of)
{
    return of == 0 ? 0 : (double)n / (double)of;
}

/* The prediction that decided, cut short and on one line. */
static enum omma_status shown_prediction(const struct scores *scores,
                                         const struct score_row *scored, struct text *shown,
                                         struct omma_error *error)
{
    TRY(scores_cell(scores, scored->decider, "prediction", shown, error));
    excerpt_cut(shown, SHOWN_CHARACTERS);
    return OMMA_OK;
}

static json_t *side_json(const struct compare_side *side, const struct eval_comparison *comparison,
                         size_t n_hits)
{
    struct interval interval = statistics_wilson(n_hits, comparison->n_rows);

    return json_pack("{s:o, s:I, s:f, s:[f,f]}", "predictions",
                     json_out_string(side->scores->table.path), "hits", (json_int_t)n_hits, "score",
                     share(n_hits, comparison->n_rows), "interval", interval.low, interval.high);
}

static enum omma_status add_change(const struct compare_side sides[2],
                                   const struct compare_change *change, struct json_out *out,
                                   json_t *changes, struct omma_error *error)
{
    const struct score_row *a = &sides[0].scores->rows[change->first];
    const struct score_row *b = &sides[1].scores->rows[change->second];
    struct text texts[2] = {0};
    enum omma_status status;

    TRY_OR(status, done, shown_prediction(sides[0].scores, a, &texts[0], error));
    TRY_OR(status, done, shown_prediction(sides[1].scores, b, &texts[1], error));
    if (json_array_append_new(changes,
                              json_pack("{s:o, s:s, s:o, s:o}", "index", json_out_string(a->index),
                                        "right", a->result.is_hit ? "a" : "b", "a",
                                        json_out_text(texts[0].bytes, texts[0].n_bytes), "b",
                                        json_out_text(texts[1].bytes, texts[1].n_bytes))) != 0) {
        out->is_complete = false;
    }
done:
    text_free(&texts[0]);
    text_free(&texts[1]);
    return status;
}

static enum omma_status report_json(const struct compare_side sides[2],
                                    const struct eval_comparison *comparison,
                                    struct omma_error *error)
{
    struct interval difference = statistics_paired_difference(
        comparison->n_first_better, comparison->n_second_better, comparison->n_rows);
    struct json_out out = json_out_object();
    json_t *changes = json_array();
    enum omma_status status = OMMA_OK;

    json_out_set(&out, "scoring", json_string("rule-based, no judge"));
    json_out_set(&out, "a", side_json(&sides[0], comparison, comparison->n_first_hits));
    json_out_set(&out, "b", side_json(&sides[1], comparison, comparison->n_second_hits));
    json_out_set(&out, "rows", json_integer((json_int_t)comparison->n_rows));
    json_out_set(&out, "only_a", json_integer((json_int_t)comparison->n_only_first));
    json_out_set(&out, "only_b", json_integer((json_int_t)comparison->n_only_second));
    json_out_set(&out, "difference",
                 json_real(share(comparison->n_second_hits, comparison->n_rows) -
                           share(comparison->n_first_hits, comparison->n_rows)));
    json_out_set(&out, "interval", json_pack("[f,f]", difference.low, difference.high));
    json_out_set(&out, "right_in_a_alone", json_integer((json_int_t)comparison->n_first_better));
    json_out_set(&out, "right_in_b_alone", json_integer((json_int_t)comparison->n_second_better));
    json_out_set(
        &out, "p",
        json_real(statistics_mcnemar(comparison->n_first_better, comparison->n_second_better)));
    json_out_set(&out, "same_verdict_other_answer",
                 json_integer((json_int_t)comparison->n_other_answer));
    for (size_t i = 0; i < comparison->n_changes && status == OMMA_OK; i++) {
        status = add_change(sides, &comparison->changes[i], &out, changes, error);
    }
    json_out_set(&out, "changes", changes);
    if (status != OMMA_OK) {
        json_decref(out.value);
        return status;
    }
    return json_out_write(&out, stdout, false, error);
}

static void print_side(const char *name, const struct compare_side *side, size_t n_hits,
                       size_t n_rows)
{
    struct interval interval = statistics_wilson(n_hits, n_rows);

    printf("%s  %6.2f %% (%zu of %zu; 95 %%: %.2f to %.2f)  %s\n", name,
           100 * share(n_hits, n_rows), n_hits, n_rows, 100 * interval.low, 100 * interval.high,
           side->path);
}

/* INDEX, who is right, what A and B said; tabs between. */
static enum omma_status print_change(const struct compare_side sides[2],
                                     const struct compare_change *change, struct omma_error *error)
{
    const struct score_row *rows[2] = {&sides[0].scores->rows[change->first],
                                       &sides[1].scores->rows[change->second]};
    enum omma_status status = OMMA_OK;

    printf("%s\t%s", rows[0]->index, rows[0]->result.is_hit ? "A" : "B");
    TRY(output_flush(error));
    for (int i = 0; i < 2 && status == OMMA_OK; i++) {
        struct text text = {0};

        TRY(output_write("\t", 1, error));
        status = shown_prediction(sides[i].scores, rows[i], &text, error);
        if (status == OMMA_OK) {
            status = output_write_text(text.bytes, text.n_bytes, error);
        }
        text_free(&text);
    }
    TRY(status);
    return output_write("\n", 1, error);
}

static enum omma_status report_text(const struct compare_side sides[2],
                                    const struct eval_comparison *comparison,
                                    struct omma_error *error)
{
    struct interval difference = statistics_paired_difference(
        comparison->n_first_better, comparison->n_second_better, comparison->n_rows);

    print_side("A", &sides[0], comparison->n_first_hits, comparison->n_rows);
    print_side("B", &sides[1], comparison->n_second_hits, comparison->n_rows);
    if (comparison->n_only_first + comparison->n_only_second > 0) {
        printf("left out: %zu rows of A alone, %zu of B alone\n", comparison->n_only_first,
               comparison->n_only_second);
    }
    printf("B - A  %+.2f points (95 %%: %+.2f to %+.2f)\n",
           100 * (share(comparison->n_second_hits, comparison->n_rows) -
                  share(comparison->n_first_hits, comparison->n_rows)),
           100 * difference.low, 100 * difference.high);
    printf("right in A alone %zu, in B alone %zu; McNemar's exact test: p = %.4g\n",
           comparison->n_first_better, comparison->n_second_better,
           statistics_mcnemar(comparison->n_first_better, comparison->n_second_better));
    printf("another answer, same verdict: %zu\n", comparison->n_other_answer);
    printf("scored as %s; rule-based, no judge\n", score_rule_name(sides[0].scores->rule));
    for (size_t i = 0; i < comparison->n_changes; i++) {
        TRY(print_change(sides, &comparison->changes[i], error));
    }
    return output_flush(error);
}

enum omma_status compare_report_runs(const struct compare_side sides[2],
                                     const struct eval_comparison *comparison, bool is_json,
                                     struct omma_error *error)
{
    return is_json ? report_json(sides, comparison, error) : report_text(sides, comparison, error);
}
