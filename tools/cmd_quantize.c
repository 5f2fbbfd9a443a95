/*
 * omma quantize: a folder with int8 weights from one with bf16 weights, and what that did to each
 * layer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tools/clock.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/model_path.h"
#include "tools/output.h"
#include "tools/quantize/report.h"
#include "tools/signals.h"

enum { BAR = 30, MAX_THREADS = 4096, MAX_SHARD_MB = 1 << 20, MEGA = 1000000 };

struct quantize_values {
    int group; /* an index into group_sizes; -1: none */
    bool vision, force, json, verbose;
    size_t shard_mb, n_threads;
};

static const struct quantize_values defaults = {.group = -1};

static const char *const group_words[] = {"64", "128", NULL};
static const size_t group_sizes[] = {64, 128};

static const struct option_row rows[] = {
    {.name = "group",
     .kind = OPTION_CHOICE,
     .choices = group_words,
     .offset = offsetof(struct quantize_values, group),
     .help = "columns that share a scale, instead of all of a row; not every engine loads that"},
    {.name = "vision",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct quantize_values, vision),
     .help = "quantize the vision tower, too"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct quantize_values, force),
     .help = "replace the files of a model that DST holds"},
    {.name = "shard-size",
     .kind = OPTION_COUNT,
     .argument = "MB",
     .offset = offsetof(struct quantize_values, shard_mb),
     .minimum = 1,
     .maximum = MAX_SHARD_MB,
     .help = "megabytes of a safetensors file at most: 5000 if not given"},
    {.name = "threads",
     .letter = 't',
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct quantize_values, n_threads),
     .minimum = 1,
     .maximum = MAX_THREADS,
     .environment = "OMMA_THREADS",
     .help = "threads; one for each physical core that the process may use if not given"},
    JSON_OPTION(struct quantize_values, json),
    VERBOSE_OPTION(struct quantize_values, verbose),
    {0},
};

/* ------------------------------------------------------------------------------------------------
 * Progress
 * --------------------------------------------------------------------------------------------- */

struct task {
    struct messages *messages;
    struct quantize_report report;
    double began, told; /* seconds */
    uint64_t n_first;   /* bytes that were done before */
    bool has_begun;
};

static void take_linear(void *user, const struct omma_quantized_linear *linear)
{
    struct task *task = user;

    quantize_report_add(&task->report, linear);
}

/* A bar that is drawn again ten times a second, or a line now and then with -v. */
static void take_progress(void *user, uint64_t n_done, uint64_t n_total)
{
    static const char filled[] = "##############################";
    struct task *task = user;
    double time = now_s(), interval = task->messages->can_rewrite ? 0.1 : 5;
    double share = n_total > 0 ? (double)n_done / (double)n_total : 1;
    double speed;

    if (!task->has_begun) {
        task->has_begun = true;
        task->n_first = n_done;
        task->told = time - interval;
    }
    if (time - task->told < interval && n_done < n_total) {
        return;
    }
    task->told = time;
    speed = (double)(n_done - task->n_first) / (time - task->began);
    message_progress(task->messages, "[%-*.*s] %3.0f %%, %.2f of %.2f GB, %.0f s left", BAR,
                     (int)(share * BAR), filled, 100 * share, (double)n_done / 1e9,
                     (double)n_total / 1e9, speed > 0 ? (double)(n_total - n_done) / speed : 0.0);
}

/* ------------------------------------------------------------------------------------------------
 * The report
 * --------------------------------------------------------------------------------------------- */

static enum omma_status write_json(const struct quantize_values *values, const char *source,
                                   const char *target, const struct omma_quantize_result *result,
                                   const struct task *task, struct omma_error *error)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "source", json_out_string(source));
    json_out_set(&out, "folder", json_out_string(target));
    json_out_set(&out, "format", json_string("int-quantized"));
    json_out_set(&out, "strategy", json_string(values->group < 0 ? "channel" : "group"));
    json_out_set(&out, "group_size",
                 values->group < 0 ? json_null()
                                   : json_integer((json_int_t)group_sizes[values->group]));
    json_out_set(&out, "vision", json_boolean(values->vision));
    json_out_set(&out, "files", json_integer((json_int_t)result->n_files));
    json_out_set(&out, "bytes", json_integer((json_int_t)result->n_bytes));
    json_out_set(&out, "was_complete", json_boolean(result->was_complete));
    quantize_report_json(&task->report, &out);
    return json_out_write(&out, stdout, false, error);
}

static enum omma_status write_text(const struct quantize_values *values, const char *target,
                                   const struct omma_quantize_result *result,
                                   const struct task *task, struct omma_error *error)
{
    if (task->report.lacks_memory) {
        return fail_memory(error);
    }
    quantize_report_print(&task->report, values->verbose);
    printf("%s: %zu file%s, %.1f MB%s\n", target, result->n_files, result->n_files == 1 ? "" : "s",
           (double)result->n_bytes / 1e6,
           result->was_complete ? "; complete before, compared and equal" : "");
    return output_flush(error);
}

static void warn_of_groups(const struct quantize_values *values, struct task *task)
{
    size_t n = quantize_report_ungrouped(&task->report);

    if (values->group < 0) {
        return;
    }
    message_warning(task->messages, "scales of groups: omma and transformers with "
                                    "compressed-tensors load them, vLLM does not");
    if (n > 0) {
        message_warning(task->messages,
                        "%zu of %zu linears keep one scale a row: their inputs are no multiple "
                        "of %s",
                        n, task->report.n_linears, group_words[values->group]);
    }
}

static enum omma_status quantize(const struct quantize_values *values, struct messages *messages,
                                 const struct omma_model *model, const char *source,
                                 const char *target, struct omma_error *error)
{
    struct task task = {.messages = messages, .began = now_s()};
    const struct omma_quantize_options options = {
        .group = values->group < 0 ? 0 : group_sizes[values->group],
        .vision = values->vision,
        .force = values->force,
        .shard_bytes = (uint64_t)values->shard_mb * MEGA,
        .n_threads = values->n_threads,
        .log = messages_log(messages),
        .progress = take_progress,
        .linear = take_linear,
        .user = &task,
    };
    struct omma_quantize_result result;
    enum omma_status status;

    status = omma_model_quantize(model, target, &options, &result, error);
    message_progress_end(messages);
    if (status == OMMA_OK) {
        message_note(messages, "%.1f s", now_s() - task.began);
        warn_of_groups(values, &task);
        status = values->json ? write_json(values, source, target, &result, &task, error)
                              : write_text(values, target, &result, &task, error);
    }
    quantize_report_release(&task.report);
    return status;
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct quantize_values *values = invocation->values;
    const struct omma_model_options options = {.log = messages_log(invocation->messages)};
    struct omma_model *model = NULL;
    enum omma_status status;
    char *path = NULL;

    TRY(command_check_operands(invocation, 2, 2, error));
    invocation->messages->verbose = values->verbose;
    TRY(model_path_find(invocation->options.operands[0], &path, error));
    status = omma_model_open(path, &options, &model, error);
    if (status == OMMA_OK) {
        signals_watch_model(model);
        status = quantize(values, invocation->messages, model, path,
                          invocation->options.operands[1], error);
        signals_watch_model(NULL);
    }
    omma_model_close(&model);
    free(path);
    return status;
}

const struct command command_quantize = {
    .name = "quantize",
    .operands = "SRC DST",
    .summary = "Make a model with int8 weights from one with bf16 weights",
    .description =
        "DST is a folder that compressed-tensors reads.  A run that was interrupted goes "
        "on when it is\nstarted again.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
