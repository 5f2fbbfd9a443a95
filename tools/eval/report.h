/*
 * report.h - what a run scored: report.json, report.md, and report.html with the wrong rows.
 *
 * The page is one file without a script; its policy allows its own style and pictures within it,
 * nothing else.
 */
#ifndef OMMA_TOOLS_EVAL_REPORT_H
#define OMMA_TOOLS_EVAL_REPORT_H

#include "tools/eval/literal.h"
#include "tools/eval/run_folder.h"
#include "tools/eval/score.h"

/* The pictures of the suite's row with that index, base64 each, released by the caller; none if
 * there are none. */
typedef enum omma_status (*report_pictures_fn)(void *user, const char *index,
                                               struct literal_list *pictures,
                                               struct omma_error *error);

struct report {
    const struct run_folder *run;
    const struct scores *scores;
    const char *judge;           /* the model that was asked about undecided rows; NULL: none */
    report_pictures_fn pictures; /* NULL: the page has none */
    void *user;
};

/* Write the three files into the folder, each whole or not at all. */
enum omma_status report_write(const struct report *report, const char *folder,
                              struct omma_error *error);

/* A row that was not a hit, as reports show it. */
struct report_row {
    const struct score_row *scored;
    struct text question, prediction, answer;
};

enum omma_status report_row_read(const struct scores *scores, const struct score_row *scored,
                                 struct report_row *row, struct omma_error *error);
void report_row_free(struct report_row *row);

/* The parts. */
enum omma_status report_json(const struct report *report, FILE *out, struct omma_error *error);
enum omma_status report_markdown(const struct report *report, FILE *out, struct omma_error *error);
enum omma_status report_html(const struct report *report, FILE *out, struct omma_error *error);

/* "no judge", or "then the judge" and which one; and what that leaves out, a sentence. */
void report_label(const struct report *report, char *label, size_t capacity);
const char *report_note(const struct report *report);

/* The table of scores on standard output. */
enum omma_status report_print(const struct report *report, struct omma_error *error);

/* The share of hits; 0 of none. */
double score_share(const struct score_group *group);

#endif
