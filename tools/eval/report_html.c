/*
 * The page with the wrong rows.  What it shows is a stranger's text: everything is escaped, and the
 * policy in its head names its style by SHA-256 and takes pictures of data: URLs alone, so that
 * what escaped escaping could do nothing.
 */
#include <openssl/evp.h>
#include <string.h>

#include "tools/eval/excerpt.h"
#include "tools/eval/report.h"
#include "tools/eval/statistics.h"

/* Pictures of more bytes in all are left out, so that a browser can open the page. */
enum { MAX_PICTURE_BYTES = 256 * 1024 * 1024, SHA256_BYTES = 32, SHA256_BASE64 = 48 };

static const char style[] =
    ":root { color-scheme: light dark; --line: #8886; --soft: #8882; }\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0 auto; max-width: 64rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; "
    "}\n"
    "h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; }\n"
    "h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }\n"
    ".score { font-size: 2.2rem; font-variant-numeric: tabular-nums; }\n"
    ".note { font-size: .85rem; opacity: .8; }\n"
    ".wide { overflow-x: auto; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }\n"
    "th, td { text-align: left; padding: .15rem .75rem .15rem 0; border-bottom: 1px solid "
    "var(--line); }\n"
    "td.number, th.number { text-align: right; }\n"
    "article { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; margin: "
    ".75rem 0;\n"
    "  display: grid; grid-template-columns: minmax(8rem, 16rem) 1fr; gap: .25rem 1rem; }\n"
    "article h3 { grid-column: 1 / -1; margin: 0; font-size: .9rem; }\n"
    "article .pictures { grid-column: 1; }\n"
    "article .texts { grid-column: 2; min-width: 0; }\n"
    "img { display: block; max-width: 100%; max-height: 20rem; border-radius: .25rem; "
    "margin-bottom: .25rem; }\n"
    "dl { margin: 0; }\n"
    "dt { font-size: .75rem; opacity: .7; }\n"
    "dd { margin: 0 0 .4rem; white-space: pre-wrap; overflow-wrap: anywhere; }\n"
    "dd.said { background: var(--soft); border-radius: .25rem; padding: .25rem .5rem; max-height: "
    "24rem; overflow-y: auto; }\n"
    "@media (max-width: 40rem) { article { grid-template-columns: 1fr; } article .texts { "
    "grid-column: 1; } }\n";

static void text(FILE *out, const char *string)
{
    excerpt_html(out, string, strlen(string));
}

static enum omma_status begin_page(const struct report *report, FILE *out, struct omma_error *error)
{
    unsigned char hash[EVP_MAX_MD_SIZE], base64[SHA256_BASE64];

    if (EVP_Digest(style, sizeof style - 1, hash, NULL, EVP_sha256(), NULL) != 1) {
        return fail_memory(error);
    }
    EVP_EncodeBlock(base64, hash, SHA256_BYTES);
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
            "'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
            (const char *)base64);
    text(out, report->run->suite);
    fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", style);
    text(out, report->run->suite);
    fputs("</h1>\n", out);
    return OMMA_OK;
}

/* A text of the manifest; nothing if there is none. */
static void fact(FILE *out, const json_t *manifest, const char *name)
{
    const char *value = json_string_value(json_object_get(manifest, name));

    if (value != NULL) {
        fprintf(out, "%s: ", name);
        text(out, value);
        fputs("<br>\n", out);
    }
}

static void write_scores(const struct report *report, FILE *out)
{
    const struct scores *scores = report->scores;
    struct score_group overall = scores_overall(scores);
    struct interval interval = statistics_wilson(overall.n_hits, overall.n_rows);
    char label[256];

    fprintf(out,
            "<div class=\"score\">%.2f %%</div>\n<p>%zu of %zu right (95 %%: %.2f to %.2f); %zu "
            "undecided, %zu without an answer.</p>\n<p class=\"note\">Scored as %s by the rules of "
            "VLMEvalKit e8e78f0: ",
            100 * score_share(&overall), overall.n_hits, overall.n_rows, 100 * interval.low,
            100 * interval.high, overall.n_undecided, scores->n_unanswered,
            score_rule_name(scores->rule));
    report_label(report, label, sizeof label);
    fputs("rule-based, ", out);
    text(out, label);
    fputs("; ", out);
    text(out, report_note(report));
    fputs(".</p>\n<p class=\"note\">", out);
    fact(out, report->run->manifest, "model");
    fact(out, report->run->manifest, "md5");
    fputs("</p>\n<div class=\"wide\"><table>\n<tr><th></th><th>name</th><th>split</th><th "
          "class=\"number\">score</th><th>95 %</th><th class=\"number\">right</th><th "
          "class=\"number\">rows</th><th class=\"number\">undecided</th></tr>\n",
          out);
    for (size_t i = 0; i < scores->n_groups; i++) {
        const struct score_group *group = &scores->groups[i];

        interval = statistics_wilson(group->n_hits, group->n_rows);
        fprintf(out, "<tr><td>%s</td><td>", score_kind_name(group->kind));
        text(out, group->name);
        fputs("</td><td>", out);
        text(out, *group->split != '\0' ? group->split : "all");
        fprintf(out,
                "</td><td class=\"number\">%.2f %%</td><td>%.2f to %.2f</td><td "
                "class=\"number\">%zu</td><td class=\"number\">%zu</td><td "
                "class=\"number\">%zu</td></tr>\n",
                100 * score_share(group), 100 * interval.low, 100 * interval.high, group->n_hits,
                group->n_rows, group->n_undecided);
    }
    fputs("</table></div>\n", out);
}

/* The media type that base64 begins with; NULL: no picture, or something else is in it. */
static const char *picture_type(const struct text *base64)
{
    static const struct {
        const char *begin, *type;
    } types[] = {{"iVBOR", "png"}, {"/9j/", "jpeg"}, {"R0lGOD", "gif"}, {"UklGR", "webp"}};

    if (strspn(base64->bytes,
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") !=
        base64->n_bytes) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strncmp(base64->bytes, types[i].begin, strlen(types[i].begin)) == 0) {
            return types[i].type;
        }
    }
    return NULL;
}

/* *n_left: bytes that pictures may still have. */
static enum omma_status write_pictures(const struct report *report, const struct report_row *row,
                                       size_t *n_left, FILE *out, struct omma_error *error)
{
    struct literal_list pictures = {0};
    struct text index;
    enum omma_status status;

    if (report->pictures == NULL) {
        return OMMA_OK;
    }
    TRY(scores_cell(report->scores, row->scored->decider, "index", &index, error));
    status = report->pictures(report->user, index.bytes, &pictures, error);
    text_free(&index);
    TRY(status);
    fputs("<div class=\"pictures\">\n", out);
    for (size_t i = 0; i < pictures.n_items; i++) {
        const struct text *picture = &pictures.items[i];
        const char *type = picture_type(picture);

        if (type == NULL || picture->n_bytes > *n_left) {
            fprintf(out, "<p class=\"note\">picture %zu: %s</p>\n", i + 1,
                    type == NULL ? "not one that a page can show" : "left out, the page is full");
            continue;
        }
        *n_left -= picture->n_bytes;
        fprintf(out, "<img alt=\"picture %zu\" src=\"data:image/%s;base64,%s\">\n", i + 1, type,
                picture->bytes);
    }
    fputs("</div>\n", out);
    literal_list_free(&pictures);
    return OMMA_OK;
}

static void write_text(FILE *out, const char *term, const char *class_name, const struct text *body)
{
    fprintf(out, "<dt>%s</dt><dd%s>", term, class_name);
    excerpt_html(out, body->bytes, body->n_bytes);
    fputs("</dd>\n", out);
}

/* The options of a row, one a line. */
static enum omma_status write_options(const struct report *report, const struct report_row *row,
                                      FILE *out, struct omma_error *error)
{
    bool is_mathvista = report->scores->rule == SCORE_MATHVISTA;
    struct text option;

    for (char letter = 'A'; !is_mathvista && letter <= 'Z'; letter++) {
        TRY(scores_cell(report->scores, row->scored->decider, (const char[]){letter, '\0'}, &option,
                        error));
        if (option.n_bytes > 0) {
            fprintf(out, "<dd>%c. ", letter);
            excerpt_html(out, option.bytes, option.n_bytes);
            fputs("</dd>\n", out);
        }
        text_free(&option);
    }
    if (is_mathvista) {
        TRY(scores_cell(report->scores, row->scored->decider, "choices", &option, error));
        if (option.n_bytes > 0) {
            write_text(out, "choices", "", &option);
        }
        text_free(&option);
    }
    return OMMA_OK;
}

static enum omma_status write_row(const struct report *report, const struct report_row *row,
                                  size_t *n_left, FILE *out, struct omma_error *error)
{
    char letter = row->scored->result.letter;

    fputs("<article><h3>", out);
    text(out, row->scored->index);
    fputs("</h3>\n", out);
    TRY(write_pictures(report, row, n_left, out, error));
    fputs("<div class=\"texts\"><dl>\n", out);
    write_text(out, "question", "", &row->question);
    TRY(write_options(report, row, out, error));
    write_text(out, "answer", "", &row->answer);
    write_text(out, row->scored->is_unanswered ? "no answer" : "prediction", " class=\"said\"",
               &row->prediction);
    fprintf(out, "</dl><p class=\"note\">found: %c, by rule: %s</p></div></article>\n",
            letter != '\0' ? letter : '-', match_rule_name(row->scored->result.rule));
    return OMMA_OK;
}

enum omma_status report_html(const struct report *report, FILE *out, struct omma_error *error)
{
    const struct scores *scores = report->scores;
    struct score_group overall = scores_overall(scores);
    size_t n_left = MAX_PICTURE_BYTES;

    TRY(begin_page(report, out, error));
    write_scores(report, out);
    fprintf(out, "<h2>Wrong rows: %zu</h2>\n", overall.n_rows - overall.n_hits);
    for (size_t i = 0; i < scores->n_rows; i++) {
        struct report_row row;
        enum omma_status status;

        if (scores->rows[i].result.is_hit) {
            continue;
        }
        TRY(report_row_read(scores, &scores->rows[i], &row, error));
        status = write_row(report, &row, &n_left, out, error);
        report_row_free(&row);
        TRY(status);
    }
    fputs("</body>\n</html>\n", out);
    return OMMA_OK;
}
