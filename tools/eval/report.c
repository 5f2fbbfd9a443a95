/* The files of a report, and its JSON and Markdown. */
#include "tools/eval/report.h"

#include <stdlib.h>
#include <string.h>

#include "tools/batch/replacement.h"
#include "tools/eval/excerpt.h"
#include "tools/eval/statistics.h"
#include "tools/json_out.h"
#include "tools/output.h"

enum { SHOWN_CHARACTERS = 200, LABEL_BYTES = 256 };

typedef enum omma_status (*part_fn)(const struct report *report, FILE *out,
                                    struct omma_error *error);

double score_share(const struct score_group *group)
{
    return group->n_rows == 0 ? 0 : (double)group->n_hits / (double)group->n_rows;
}

void report_label(const struct report *report, char *label, size_t capacity)
{
    if (report->judge == NULL) {
        snprintf(label, capacity, "no judge");
    } else {
        snprintf(label, capacity, "then the judge %s", report->judge);
    }
}

const char *report_note(const struct report *report)
{
    return report->judge == NULL
               ? score_rule_note(report->scores->rule)
               : "undecided are answers that the judge did not map to an option either, or was not "
                 "reached for; they count as wrong, where VLMEvalKit draws an option at random";
}

enum omma_status report_row_read(const struct scores *scores, const struct score_row *scored,
                                 struct report_row *row, struct omma_error *error)
{
    bool is_choice = scores->rule != SCORE_MATHVISTA;
    enum omma_status status;

    *row = (struct report_row){.scored = scored};
    TRY_OR(status, done, scores_cell(scores, scored->decider, "question", &row->question, error));
    TRY_OR(status, done,
           scores_cell(scores, scored->decider, "prediction", &row->prediction, error));
    if (!is_choice) {
        TRY_OR(status, done,
               scores_cell(scores, scored->decider, "answer_option", &row->answer, error));
    }
    if (row->answer.n_bytes == 0) {
        text_free(&row->answer);
        TRY_OR(status, done, scores_cell(scores, scored->decider, "answer", &row->answer, error));
    }
done:
    if (status != OMMA_OK) {
        report_row_free(row);
    }
    return status;
}

void report_row_free(struct report_row *row)
{
    text_free(&row->question);
    text_free(&row->prediction);
    text_free(&row->answer);
}

static json_t *group_json(const struct score_group *group)
{
    struct interval interval = statistics_wilson(group->n_hits, group->n_rows);

    return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:f, s:[f,f]}", "kind",
                     score_kind_name(group->kind), "name", json_out_string(group->name), "split",
                     *group->split != '\0' ? json_out_string(group->split) : json_null(), "rows",
                     (json_int_t)group->n_rows, "hits", (json_int_t)group->n_hits, "undecided",
                     (json_int_t)group->n_undecided, "score", score_share(group), "interval",
                     interval.low, interval.high);
}

static json_t *row_json(const struct report_row *row)
{
    const char letter[] = {row->scored->result.letter, '\0'};

    return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:b}", "index",
                     json_out_string(row->scored->index), "question",
                     json_out_text(row->question.bytes, row->question.n_bytes), "answer",
                     json_out_text(row->answer.bytes, row->answer.n_bytes), "rule",
                     match_rule_name(row->scored->result.rule), "found",
                     *letter != '\0' ? json_string(letter) : json_null(), "prediction",
                     json_out_text(row->prediction.bytes, row->prediction.n_bytes), "unanswered",
                     row->scored->is_unanswered);
}

static enum omma_status add_failures(const struct scores *scores, struct json_out *out,
                                     json_t *failures, struct omma_error *error)
{
    for (size_t i = 0; i < scores->n_rows; i++) {
        struct report_row row;

        if (scores->rows[i].result.is_hit) {
            continue;
        }
        TRY(report_row_read(scores, &scores->rows[i], &row, error));
        if (json_array_append_new(failures, row_json(&row)) != 0) {
            out->is_complete = false;
        }
        report_row_free(&row);
    }
    return OMMA_OK;
}

enum omma_status report_json(const struct report *report, FILE *out, struct omma_error *error)
{
    const struct scores *scores = report->scores;
    struct score_group overall = scores_overall(scores);
    struct interval interval = statistics_wilson(overall.n_hits, overall.n_rows);
    struct json_out json = json_out_object();
    json_t *groups = json_array(), *failures = json_array();
    char label[LABEL_BYTES], words[LABEL_BYTES + 16];
    enum omma_status status;

    report_label(report, label, sizeof label);
    snprintf(words, sizeof words, "rule-based, %s", label);
    json_out_set(&json, "suite", json_out_string(report->run->suite));
    json_out_set(&json, "scoring",
                 json_pack("{s:o, s:s, s:s, s:s}", "label", json_out_string(words), "rules",
                           "VLMEvalKit e8e78f0", "kind", score_rule_name(scores->rule), "note",
                           report_note(report)));
    json_out_set(&json, "rows", json_integer((json_int_t)overall.n_rows));
    json_out_set(&json, "hits", json_integer((json_int_t)overall.n_hits));
    json_out_set(&json, "undecided", json_integer((json_int_t)overall.n_undecided));
    json_out_set(&json, "unanswered", json_integer((json_int_t)scores->n_unanswered));
    json_out_set(&json, "score", json_real(score_share(&overall)));
    json_out_set(&json, "interval", json_pack("[f,f]", interval.low, interval.high));
    json_out_set(&json, "interval_kind", json_string("Wilson, 95 %"));
    for (size_t i = 0; i < scores->n_groups; i++) {
        if (json_array_append_new(groups, group_json(&scores->groups[i])) != 0) {
            json.is_complete = false;
        }
    }
    json_out_set(&json, "groups", groups);
    status = add_failures(scores, &json, failures, error);
    json_out_set(&json, "failures", failures);
    json_out_set(&json, "manifest",
                 report->run->manifest != NULL ? json_incref(report->run->manifest) : json_null());
    if (status != OMMA_OK) {
        json_decref(json.value);
        return status;
    }
    return json_out_write(&json, out, false, error);
}

static void markdown_cell(FILE *out, const char *text)
{
    excerpt_markdown(out, text, strlen(text));
    fputs(" | ", out);
}

static void markdown_groups(const struct scores *scores, FILE *out)
{
    fputs("| | name | split | score | 95 % | right | rows | undecided |\n"
          "|---|---|---|---:|---|---:|---:|---:|\n",
          out);
    for (size_t i = 0; i < scores->n_groups; i++) {
        const struct score_group *group = &scores->groups[i];
        struct interval interval = statistics_wilson(group->n_hits, group->n_rows);

        fputs("| ", out);
        markdown_cell(out, score_kind_name(group->kind));
        markdown_cell(out, group->name);
        markdown_cell(out, *group->split != '\0' ? group->split : "all");
        fprintf(out, "%.2f %% | %.2f to %.2f | %zu | %zu | %zu |\n", 100 * score_share(group),
                100 * interval.low, 100 * interval.high, group->n_hits, group->n_rows,
                group->n_undecided);
    }
}

static enum omma_status markdown_failures(const struct scores *scores, FILE *out,
                                          struct omma_error *error)
{
    fputs(
        "\n## Wrong rows\n\n| index | answer | found | by | prediction |\n|---|---|---|---|---|\n",
        out);
    for (size_t i = 0; i < scores->n_rows; i++) {
        const struct match_result *result = &scores->rows[i].result;
        const char letter[] = {result->letter != '\0' ? result->letter : '-', '\0'};
        struct report_row row;

        if (result->is_hit) {
            continue;
        }
        TRY(report_row_read(scores, &scores->rows[i], &row, error));
        excerpt_cut(&row.prediction, SHOWN_CHARACTERS);
        excerpt_cut(&row.answer, SHOWN_CHARACTERS);
        fputs("| ", out);
        markdown_cell(out, row.scored->index);
        markdown_cell(out, row.answer.bytes);
        markdown_cell(out, letter);
        markdown_cell(out, match_rule_name(result->rule));
        markdown_cell(out, row.prediction.bytes);
        putc('\n', out);
        report_row_free(&row);
    }
    return OMMA_OK;
}

enum omma_status report_markdown(const struct report *report, FILE *out, struct omma_error *error)
{
    const struct scores *scores = report->scores;
    char label[LABEL_BYTES];

    report_label(report, label, sizeof label);
    fputs("# ", out);
    excerpt_markdown(out, report->run->suite, strlen(report->run->suite));
    fprintf(out, "\n\nScored as %s by the rules of VLMEvalKit e8e78f0: **rule-based, ",
            score_rule_name(scores->rule));
    excerpt_markdown(out, label, strlen(label));
    fprintf(out, "**; %s.\nIntervals are Wilson's, of 95 %%. Rows without an answer: %zu.\n\n",
            report_note(report), scores->n_unanswered);
    markdown_groups(scores, out);
    return markdown_failures(scores, out, error);
}

static enum omma_status write_part(const struct report *report, const char *folder,
                                   const char *name, part_fn part, struct omma_error *error)
{
    struct replacement file = {0};
    char *path;
    enum omma_status status;

    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        return fail_memory(error);
    }
    status = replacement_begin(path, &file, error);
    free(path);
    TRY(status);
    status = part(report, file.stream, error);
    if (status != OMMA_OK) {
        struct omma_error other;

        replacement_end(&file, false, &other);
        return status;
    }
    return replacement_end(&file, true, error);
}

enum omma_status report_write(const struct report *report, const char *folder,
                              struct omma_error *error)
{
    TRY(write_part(report, folder, "report.json", report_json, error));
    TRY(write_part(report, folder, "report.md", report_markdown, error));
    return write_part(report, folder, "report.html", report_html, error);
}

enum omma_status report_print(const struct report *report, struct omma_error *error)
{
    const struct scores *scores = report->scores;
    char label[LABEL_BYTES];

    report_label(report, label, sizeof label);
    for (size_t i = 0; i < scores->n_groups; i++) {
        const struct score_group *group = &scores->groups[i];
        struct interval interval = statistics_wilson(group->n_hits, group->n_rows);

        printf("%6.2f %%  (%6.2f to %6.2f)  %5zu of %5zu  %s: ", 100 * score_share(group),
               100 * interval.low, 100 * interval.high, group->n_hits, group->n_rows,
               score_kind_name(group->kind));
        TRY(output_flush(error));
        TRY(output_write_text(group->name, strlen(group->name), error));
        TRY(output_write_text(*group->split != '\0' ? ", " : "", *group->split != '\0' ? 2 : 0,
                              error));
        TRY(output_write_text(group->split, strlen(group->split), error));
        TRY(output_write("\n", 1, error));
    }
    if (scores->n_unanswered > 0) {
        printf("%zu rows have no answer and count as VLMEvalKit counts them\n",
               scores->n_unanswered);
    }
    printf("%zu of them undecided; rule-based (VLMEvalKit e8e78f0), %s; 95 %% by Wilson\n",
           scores_overall(scores).n_undecided, label);
    return output_flush(error);
}
