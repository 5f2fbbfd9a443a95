/* The command line and the suite, then the model, then the journal, as omma batch has it. */
#include "tools/eval/suite_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/batch/replacement.h"
#include "tools/eval/predictions.h"
#include "tools/eval/score.h"
#include "tools/eval/subcommands.h"
#include "tools/eval/suite.h"
#include "tools/eval/suite_rows.h"
#include "tools/json_out.h"

struct task {
    const struct suite_run_request *request;
    const struct suite_run_values *values;
    struct run run;
    struct suite suite;
    struct suite_rows rows;
    char *categories; /* a line for each */
    char *file;       /* the name of that of predictions */
    char started[32];
};

static void write_time(char text[32])
{
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ------------------------------------------------------------------------------------------------
 * Opening
 * --------------------------------------------------------------------------------------------- */

static enum omma_status open_suite(struct task *task, struct omma_error *error)
{
    const struct suite_run_request *request = task->request;
    const struct suite_run_values *values = task->values;
    const struct suite_choice choice = {
        .categories = &values->categories,
        .is_shuffled = values->shuffle != SUITE_NOT_SHUFFLED,
        .seed = values->shuffle,
        .limit = values->limit,
    };

    message_progress(request->messages, "reading %s",
                     request->path != NULL ? request->path : request->suite);
    TRY(suite_open(request->path, request->suite, values->data, &task->suite, error));
    TRY(suite_choose(&task->suite, &choice, error));
    message_note(request->messages, "%s: %zu of %zu rows, %zu without a picture left out",
                 task->suite.name, task->suite.n_chosen, task->suite.table.n_rows,
                 task->suite.n_without_picture);
    task->rows = (struct suite_rows){
        .rules = {.suite = task->suite.name,
                  .has_cot = values->has_cot,
                  .table = &task->suite.table,
                  .pictures = &task->suite.pictures,
                  .image = {.strict = values->strict,
                            .log = messages_log_verbose(request->messages)}},
        .max_tokens =
            values->run.max_tokens < SUITE_MAX_TOKENS ? values->run.max_tokens : SUITE_MAX_TOKENS,
    };
    return suite_rules_check(&task->rows.rules, error);
}

/* The categories as one text. */
static enum omma_status join_categories(struct task *task, struct omma_error *error)
{
    const struct option_list *list = &task->values->categories;
    size_t n_bytes;
    FILE *stream = open_memstream(&task->categories, &n_bytes);

    for (size_t i = 0; stream != NULL && i < list->n_items; i++) {
        fprintf(stream, "%s%s", i > 0 ? "\n" : "", list->items[i]);
    }
    return stream != NULL && fclose(stream) == 0 ? OMMA_OK : fail_memory(error);
}

static enum omma_status open_journal(struct task *task, struct omma_error *error)
{
    const struct suite_run_values *values = task->values;
    char limit[24], shuffle[24] = "no";
    const struct journal_setting own[] = {
        {"input", task->suite.fingerprint},
        {"suite", task->suite.name},
        {"chain of thought", values->has_cot ? "yes" : "no"},
        {"categories", task->categories},
        {"limit", limit},
        {"shuffle", shuffle},
        {"strict images", values->strict ? "yes" : "no"},
    };

    snprintf(limit, sizeof limit, "%zu", values->limit);
    if (values->shuffle != SUITE_NOT_SHUFFLED) {
        snprintf(shuffle, sizeof shuffle, "%zu", values->shuffle);
    }
    return run_open_journal(&task->run, own, sizeof own / sizeof *own, error);
}

/* A journal that has seen the whole file knows its MD5. */
static enum omma_status check_md5(struct task *task, struct omma_error *error)
{
    char *known = NULL;
    enum omma_status status;

    TRY(journal_value(task->run.journal, "md5", &known, error));
    if (known == NULL) {
        return OMMA_OK;
    }
    status = suite_await_md5(&task->suite, error);
    if (status == OMMA_OK && strcmp(known, task->suite.md5) != 0) {
        status = fail(error, OMMA_STATUS_USAGE, "%s: belongs to a file with the MD5 %s, now %s",
                      task->run.journal_path, known, task->suite.md5);
    }
    free(known);
    return status;
}

/* ------------------------------------------------------------------------------------------------
 * What is left of a run
 * --------------------------------------------------------------------------------------------- */

/* MODEL_SUITE.tsv */
static enum omma_status name_file(struct task *task, struct omma_error *error)
{
    const char *model = task->run.model_path;
    size_t n = strlen(model);

    while (n > 1 && model[n - 1] == '/') {
        n--;
    }
    while (n > 0 && memrchr(model, '/', n) != NULL) {
        const char *slash = memrchr(model, '/', n);

        n -= (size_t)(slash + 1 - model);
        model = slash + 1;
    }
    if (asprintf(&task->file, "%.*s_%s.tsv", (int)n, model, task->suite.name) < 0) {
        task->file = NULL;
        return fail_memory(error);
    }
    return OMMA_OK;
}

static json_t *json_of_run(const struct task *task)
{
    const struct omma_engine_info *engine = omma_engine_info(task->run.engine);
    char host[256] = "", ended[32];

    gethostname(host, sizeof host - 1);
    write_time(ended);
    return json_pack("{so so ss ss sI sI sI}", "host", json_out_string(host), "model_folder",
                     json_out_string(task->run.model_path), "started", task->started, "ended",
                     ended, "threads", (json_int_t)engine->n_threads, "vision_threads",
                     (json_int_t)engine->n_vision_threads, "processes",
                     (json_int_t)crew_size(task->run.crew));
}

static json_t *json_of_categories(const struct option_list *categories)
{
    json_t *list = json_array();

    for (size_t i = 0; i < categories->n_items; i++) {
        json_array_append_new(list, json_out_string(categories->items[i]));
    }
    return list;
}

/* What must be the same in all shards, then what may differ. */
static enum omma_status write_manifest(const struct task *task, FILE *stream,
                                       struct omma_error *error)
{
    const struct omma_engine_info *engine = omma_engine_info(task->run.engine);
    const struct suite_run_values *values = task->values;
    const struct suite *suite = &task->suite;
    const struct run *run = &task->run;
    struct json_out out = json_out_object();
    json_t *known = suite->known_md5 != NULL
                        ? json_boolean(strcmp(suite->known_md5, suite->md5) == 0)
                        : json_null();

    json_out_set(&out, "suite", json_out_string(suite->name));
    json_out_set(&out, "predictions", json_out_string(task->file));
    json_out_set(&out, "file", json_out_string(suite->table.path));
    json_out_set(&out, "md5", json_string(suite->md5));
    json_out_set(&out, "md5_is_the_published_one", known);
    json_out_set(&out, "rows", json_integer((json_int_t)suite->n_chosen));
    json_out_set(&out, "rows_without_picture", json_integer((json_int_t)suite->n_without_picture));
    json_out_set(&out, "omma", json_string(omma_version()));
    json_out_set(&out, "model", json_string(omma_model_info(run->model)->identity));
    json_out_set(&out, "protocol", json_string("VLMEvalKit e8e78f0"));
    json_out_set(&out, "chain_of_thought", json_boolean(values->has_cot));
    json_out_set(&out, "categories", json_of_categories(&values->categories));
    json_out_set(&out, "limit",
                 values->limit > 0 ? json_integer((json_int_t)values->limit) : json_null());
    json_out_set(&out, "shuffle",
                 values->shuffle != SUITE_NOT_SHUFFLED ? json_integer((json_int_t)values->shuffle)
                                                       : json_null());
    json_out_set(&out, "max_tokens", json_integer((json_int_t)task->rows.max_tokens));
    json_out_set(&out, "context", json_integer((json_int_t)run->n_context));
    json_out_set(&out, "tier", json_string(engine->isa));
    json_out_set(&out, "precision", json_string(engine->precision));
    json_out_set(&out, "kv_dtype", json_string(engine->kv_dtype));
    json_out_set(&out, "gemm", json_string(engine->gemm));
    json_out_set(&out, "int8_activations", json_boolean(engine->int8_activations));
    json_out_set(&out, "deterministic", json_boolean(engine->deterministic));
    if (run->n_shards > 1) {
        json_out_set(&out, "shard",
                     json_pack("{sI sI}", "number", (json_int_t)run->shard + 1, "of",
                               (json_int_t)run->n_shards));
    }
    json_out_set(&out, "run", json_of_run(task));
    return json_out_write(&out, stream, false, error);
}

static enum omma_status in_folder(const struct task *task, const char *name, char **path,
                                  struct omma_error *error)
{
    return asprintf(path, "%s/%s", task->request->output, name) < 0 ? fail_memory(error) : OMMA_OK;
}

static enum omma_status save_manifest(const struct task *task, struct omma_error *error)
{
    struct replacement file = {0};
    struct omma_error other;
    enum omma_status status;
    char *path;

    TRY(in_folder(task, "manifest.json", &path, error));
    status = replacement_begin(path, &file, error);
    free(path);
    TRY(status);
    status = write_manifest(task, file.stream, error);
    if (status != OMMA_OK) {
        replacement_end(&file, false, &other);
        return status;
    }
    return replacement_end(&file, true, error);
}

/* The rows of the shard, in the order of the choice. */
static enum omma_status save_predictions(struct task *task, size_t *n_failed,
                                         struct omma_error *error)
{
    const struct run *run = &task->run;
    uint64_t *numbers = calloc(run->n_rows + 1, sizeof *numbers);
    enum omma_status status;
    size_t n = 0;
    char *path;

    if (numbers == NULL) {
        return fail_memory(error);
    }
    for (size_t i = run->shard; i < task->suite.n_chosen; i += run->n_shards) {
        numbers[n++] = task->suite.chosen[i];
    }
    status = in_folder(task, task->file, &path, error);
    if (status == OMMA_OK) {
        status =
            predictions_write(&task->suite.table, run->journal, numbers, n, path, n_failed, error);
        free(path);
    }
    free(numbers);
    return status;
}

/* Scores, where all rows are here and the suite has a rule. */
static enum omma_status score(const struct task *task, struct omma_error *error)
{
    struct omma_error no_rule;
    enum score_rule rule;

    if (task->run.n_shards > 1) {
        message_note(task->request->messages, "%s: a shard; omma eval merge scores all of them",
                     task->request->output);
        return OMMA_OK;
    }
    if (score_rule_of(task->suite.name, &rule, &no_rule) != OMMA_OK) {
        message_warning(task->request->messages, "%s", no_rule.message);
        return OMMA_OK;
    }
    return eval_score_folder(task->request->output, &task->request->values->judge,
                             task->request->is_json, task->request->messages, error);
}

static int finish(struct task *task, struct omma_error *error)
{
    const struct suite *suite = &task->suite;
    size_t n_failed;

    TRY(suite_await_md5(&task->suite, error));
    if (suite->known_md5 != NULL && strcmp(suite->known_md5, suite->md5) != 0) {
        message_warning(task->request->messages, "%s: MD5 %s; the published file has %s",
                        suite->table.path, suite->md5, suite->known_md5);
    }
    TRY(journal_set_note(task->run.journal, "md5", suite->md5, error));
    TRY(journal_commit(task->run.journal, error));
    TRY(save_predictions(task, &n_failed, error));
    TRY(save_manifest(task, error));
    message_note(task->request->messages, "%s: %zu rows, %zu failed", task->request->output,
                 task->run.n_rows, n_failed);
    TRY(score(task, error));
    return n_failed > 0 ? EXIT_SOME_FAILED : OMMA_OK;
}

static int run_suite(struct task *task, struct omma_error *error)
{
    const struct row_source source = suite_rows_source(&task->rows);
    struct run *run = &task->run;
    struct journal_setting note;
    int code;

    TRY(open_suite(task, error));
    TRY(join_categories(task, error));
    TRY(run_open_model(run, error));
    TRY(name_file(task, error));
    TRY(open_journal(task, error));
    if (crew_is_hand(run->crew)) {
        return run->goes_on ? run_compute(run, &source, error) : OMMA_OK;
    }
    TRY(check_md5(task, error));
    note = (struct journal_setting){"input file", task->suite.table.path};
    TRY(run_find_rows(run, task->suite.chosen, task->suite.n_chosen, task->suite.table.n_rows,
                      error));
    TRY(run_write_notes(run, &note, 1, error));
    code = run_compute(run, &source, error);
    return code != OMMA_OK ? code : finish(task, error);
}

static enum omma_status check(const struct suite_run_request *request, struct task *task,
                              struct omma_error *error)
{
    enum omma_status status;
    char *answers;

    if (request->output == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "expected -o DIR, the folder of the run");
    }
    if (request->path == NULL && (request->suite == NULL || request->values->data == NULL)) {
        return fail(error, OMMA_STATUS_USAGE,
                    "expected SUITE.tsv, or --suite NAME with --data DIR");
    }
    TRY(in_folder(task, "answers", &answers, error));
    status = run_check(&request->values->run, request->rows, request->options, request->messages,
                       answers, &task->run, error);
    free(answers);
    return status;
}

int suite_run(const struct suite_run_request *request, struct omma_error *error)
{
    struct task task = {.request = request,
                        .values = request->values,
                        .run.messages = request->messages,
                        .suite.table.descriptor = -1};
    int code;

    write_time(task.started);
    code = check(request, &task, error);
    if (code == OMMA_OK && mkdir(request->output, 0777) != 0 && errno != EEXIST) {
        code = (int)fail(error, OMMA_STATUS_OUTPUT, "%s: %s", request->output, strerror(errno));
    }
    if (code == OMMA_OK && (code = crew_open(&task.run.crew, error)) == OMMA_OK) {
        code = run_suite(&task, error);
        code = (int)crew_close(&task.run.crew, (enum omma_status)code, error);
    }
    run_close(&task.run);
    suite_close(&task.suite);
    free(task.categories);
    free(task.file);
    return code;
}
