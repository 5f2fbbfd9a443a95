/* score, compare, merge: runs opened, and what the rest of this folder makes of them. */
#include "tools/eval/subcommands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/eval/compare.h"
#include "tools/eval/merge.h"
#include "tools/eval/pictures.h"
#include "tools/eval/report.h"

static bool is_folder(const char *path)
{
    struct stat stat_of_path;

    return stat(path, &stat_of_path) == 0 && S_ISDIR(stat_of_path.st_mode);
}

static enum omma_status find_pictures(void *user, const char *index, struct literal_list *list,
                                      struct omma_error *error)
{
    return pictures_find(user, index, list, error);
}

/* The suite's own table, whose pictures the page shows: what was asked for, or what the manifest
 * names, if it is there.  NULL: none. */
static const char *table_of(const struct run_folder *run, const char *asked)
{
    const char *named = json_string_value(json_object_get(run->manifest, "file"));

    return asked != NULL ? asked : named != NULL && access(named, R_OK) == 0 ? named : NULL;
}

/* Write the reports, with pictures if there are any. */
static enum omma_status write_reports(struct report *report, const char *folder,
                                      const char *path_of_table, struct omma_error *error)
{
    struct table table = {.descriptor = -1};
    struct pictures pictures = {0};
    enum omma_status status;

    if (path_of_table == NULL) {
        return report_write(report, folder, error);
    }
    TRY_OR(status, done, table_open(path_of_table, &table, error));
    TRY_OR(status, done, pictures_open(&table, &pictures, error));
    report->pictures = find_pictures;
    report->user = &pictures;
    status = report_write(report, folder, error);
done:
    pictures_close(&pictures);
    table_close(&table);
    return status;
}

/* Print the scores of a run, and write its reports into a folder; NULL: print only. */
static enum omma_status score_run(const struct run_folder *run, const char *folder,
                                  const struct eval_request *request, struct omma_error *error)
{
    struct scores scores;
    struct report report = {.run = run, .scores = &scores};
    struct judge *judge = NULL;
    struct score_judge answers;
    enum omma_status status = OMMA_OK;

    if (request->judge->url != NULL) {
        TRY(judge_open(run->predictions, run->suite, request->judge, request->messages, &judge,
                       error));
        report.judge = request->judge->model;
    }
    answers = judge_answers(judge);
    status = scores_open_judged(run->predictions, run->suite, &answers, &scores, error);
    judge_close(&judge);
    TRY(status);
    if (folder != NULL) {
        status = write_reports(&report, folder, table_of(run, request->pictures), error);
    }
    if (status == OMMA_OK) {
        status =
            request->is_json ? report_json(&report, stdout, error) : report_print(&report, error);
    }
    scores_close(&scores);
    return status;
}

static enum omma_status score(const struct eval_request *request, struct omma_error *error)
{
    const char *path = request->operands[0], *folder = request->output;
    struct run_folder run;
    enum omma_status status;

    TRY(run_folder_open(path, request->suite, &run, error));
    if (folder != NULL && mkdir(folder, 0777) != 0 && errno != EEXIST) {
        status = fail(error, OMMA_STATUS_OUTPUT, "%s: %s", folder, strerror(errno));
    } else {
        folder = folder == NULL && is_folder(path) ? path : folder;
        status = score_run(&run, folder, request, error);
    }
    run_folder_close(&run);
    return status;
}

enum omma_status eval_score_folder(const char *folder, const struct judge_settings *judge,
                                   bool is_json, struct messages *messages,
                                   struct omma_error *error)
{
    char *operands[] = {(char *)folder};

    return score(&(struct eval_request){operands, 1, .judge = judge, .is_json = is_json,
                                        .messages = messages},
                 error);
}

static enum omma_status compare(const struct eval_request *request, struct omma_error *error)
{
    struct run_folder runs[2] = {0};
    struct scores scores[2] = {{.table.descriptor = -1}, {.table.descriptor = -1}};
    struct compare_side sides[2];
    struct eval_comparison comparison = {0};
    enum omma_status status;

    for (int i = 0; i < 2; i++) {
        TRY_OR(status, done,
               run_folder_open(request->operands[i], request->suite, &runs[i], error));
        TRY_OR(status, done, scores_open(runs[i].predictions, runs[i].suite, &scores[i], error));
        sides[i] = (struct compare_side){request->operands[i], &scores[i]};
    }
    TRY_OR(status, done, eval_compare(&scores[0], &scores[1], &comparison, error));
    status = compare_report_runs(sides, &comparison, request->is_json, error);
done:
    eval_comparison_close(&comparison);
    for (int i = 0; i < 2; i++) {
        scores_close(&scores[i]);
        run_folder_close(&runs[i]);
    }
    return status;
}

static enum omma_status merge(const struct eval_request *request, struct omma_error *error)
{
    struct run_folder *runs = calloc(request->n_operands, sizeof *runs), merged = {0};
    enum omma_status status = OMMA_OK;

    if (runs == NULL) {
        return fail_memory(error);
    }
    if (request->output == NULL) {
        status = fail(error, OMMA_STATUS_USAGE, "expected -o DIR, where the merged run is to lie");
    }
    for (size_t i = 0; i < request->n_operands && status == OMMA_OK; i++) {
        status = run_folder_open(request->operands[i], NULL, &runs[i], error);
    }
    if (status == OMMA_OK) {
        status = merge_runs(runs, request->n_operands, request->output, error);
    }
    if (status == OMMA_OK) {
        status = run_folder_open(request->output, request->suite, &merged, error);
    }
    if (status == OMMA_OK) {
        status = score_run(&merged, request->output, request, error);
    }
    run_folder_close(&merged);
    for (size_t i = 0; i < request->n_operands; i++) {
        run_folder_close(&runs[i]);
    }
    free(runs);
    return status;
}

const struct eval_subcommand *eval_subcommand_find(const char *name)
{
    static const struct eval_subcommand all[] = {
        {"score", "score RUN", 1, 1, score},
        {"compare", "compare RUN RUN", 2, 2, compare},
        {"merge", "merge -o DIR SHARD...", 1, SIZE_MAX, merge},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return &all[i];
        }
    }
    return NULL;
}
