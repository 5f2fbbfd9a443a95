/*
 * omma batch: the chat requests of a file, answered into another one; killed at any time, it goes
 * on where it was.
 *
 * What is wrong on the command line is told first, then what is wrong with the input, then the
 * model is opened, and only then the journal, whose key needs to know the engine.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/batch/chat_rows.h"
#include "tools/batch/export.h"
#include "tools/batch/run.h"
#include "tools/command.h"
#include "tools/image_options.h"

enum { MAX_PICTURE_BYTES = 1 << 30 };

struct batch_values {
    struct run_values run;
    const char *output, *media_dir;
    size_t seed, max_tiles_total;
    bool export, no_timings, verbose;
    struct image_values image;
};

static const struct batch_values defaults = {.run = RUN_DEFAULTS};

/* clang-format off */
#define FIELD(name) .offset = offsetof(struct batch_values, name)

static const struct option_row rows[] = {
    RUN_OPTIONS(struct batch_values, run),
    {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .argument = "OUT", FIELD(output),
     .help = "the file for the answers; the journal is OUT.journal"},
    {.name = "export", .kind = OPTION_FLAG, FIELD(export),
     .help = "write OUT from what the journal holds, and compute nothing"},
    {.name = "no-timings", .kind = OPTION_FLAG, FIELD(no_timings),
     .help = "leave out of OUT what differs from run to run"},
    {.name = "seed", .kind = OPTION_COUNT, .argument = "N", FIELD(seed),
     .minimum = 0, .maximum = INT32_MAX,
     .help = "of rows that draw and name no seed: the I-th draws with N + I - 1; 0 if not given"},
    {.name = "media-dir", .kind = OPTION_TEXT, .argument = "DIR", FIELD(media_dir),
     .help = "the folder of the pictures; the input's if not given"},
    IMAGE_OPTIONS(struct batch_values, image),
    MAX_TILES_TOTAL_OPTION(struct batch_values, max_tiles_total),
    VERBOSE_OPTION(struct batch_values, verbose),
    {0},
};
/* clang-format on */

/* All that a run has, in the order in which it is made. */
struct batch {
    const struct batch_values *values;
    const char *input_path;
    struct run run;
    struct input input;
    struct media_folder media;
    struct omma_image_options image;
};

static enum omma_status check_options(const struct invocation *invocation, struct batch *batch,
                                      struct omma_error *error)
{
    const struct batch_values *values = invocation->values;
    const struct option_result *options = &invocation->options;

    TRY(command_check_operands(invocation, values->export ? 0 : 1, 1, error));
    if (values->output == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "expected -o OUT, the file for the answers");
    }
    if (values->export) {
        TRY(options_exclude(rows, options, "export", "restart", error));
        TRY(options_exclude(rows, options, "export", "retry-errors", error));
        if (asprintf(&batch->run.journal_path, "%s.journal", values->output) < 0) {
            batch->run.journal_path = NULL;
            return fail_memory(error);
        }
        return OMMA_OK;
    }
    TRY(image_values_check(&values->image, error));
    return run_check(&values->run, rows, options, invocation->messages, values->output, &batch->run,
                     error);
}

/* ------------------------------------------------------------------------------------------------
 * Opening
 * --------------------------------------------------------------------------------------------- */

static enum omma_status open_input(struct batch *batch, struct omma_error *error)
{
    char *copy;
    enum omma_status status;
    struct stat output;

    if (!crew_is_hand(batch->run.crew) && access(batch->values->output, F_OK) == 0 &&
        access(batch->run.journal_path, F_OK) != 0 && !batch->values->run.restart) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: is there, without a journal; --restart replaces it",
                    batch->values->output);
    }
    message_progress(batch->run.messages, "reading %s", batch->input_path);
    TRY(input_open(batch->input_path, &batch->input, error));
    if (stat(batch->values->output, &output) == 0 && output.st_dev == batch->input.stat.st_dev &&
        output.st_ino == batch->input.stat.st_ino) {
        return fail(error, OMMA_STATUS_USAGE, "%s: is the input", batch->values->output);
    }
    TRY(input_check_names(&batch->input, error));
    copy = strdup(batch->input_path);
    if (copy == NULL) {
        return fail_memory(error);
    }
    status = media_folder_open(batch->values->media_dir != NULL ? batch->values->media_dir
                                                                : dirname(copy),
                               &batch->media, error);
    batch->media.takes_paths = true;
    free(copy);
    return status;
}

static enum omma_status open_journal(struct batch *batch, struct omma_error *error)
{
    const struct batch_values *values = batch->values;
    char tiles[64], tiles_total[24], seed[24];
    const struct journal_setting own[] = {
        {"input", batch->input.sha256},
        {"tiles", tiles},
        {"max-tiles-total", tiles_total},
        {"seed", seed},
    };

    TRY(image_values_options(&values->image, omma_model_info(batch->run.model), batch->run.messages,
                             &batch->image, error));
    snprintf(tiles, sizeof tiles, "%zu-%zu%s%s", batch->image.min_tiles, batch->image.max_tiles,
             batch->image.no_thumbnail ? ", no thumbnail" : "",
             batch->image.strict ? ", strict" : "");
    snprintf(tiles_total, sizeof tiles_total, "%zu", values->max_tiles_total);
    snprintf(seed, sizeof seed, "%zu", values->seed);
    return run_open_journal(&batch->run, own, sizeof own / sizeof *own, error);
}

/* ------------------------------------------------------------------------------------------------
 * Running
 * --------------------------------------------------------------------------------------------- */

static int compute(struct batch *batch, struct omma_error *error)
{
    struct chat_rows chat_rows = {
        .model = batch->run.model,
        .input = &batch->input,
        .media = &batch->media,
        .bounds = {.image = batch->image,
                   .max_tiles_total = batch->values->max_tiles_total,
                   .max_bytes = MAX_PICTURE_BYTES,
                   .n_context = batch->run.n_context},
        .max_tokens = batch->values->run.max_tokens,
        .seed = batch->values->seed,
    };
    const struct row_source source = chat_rows_source(&chat_rows);

    return run_compute(&batch->run, &source, error);
}

/* The output from a journal; the exit code.  n_expected: rows that it should have. */
static int write_output(const struct batch *batch, struct journal *journal, size_t n_expected,
                        struct omma_error *error)
{
    struct export_counts counts;

    TRY(export_rows(journal, batch->values->output, !batch->values->no_timings, &counts, error));
    message_note(batch->run.messages, "%s: %zu of %zu rows, %zu failed", batch->values->output,
                 counts.n_rows, n_expected, counts.n_failed);
    return counts.n_failed > 0 ? EXIT_SOME_FAILED : OMMA_OK;
}

static int run_batch(struct batch *batch, struct omma_error *error)
{
    struct run *run = &batch->run;
    struct journal_setting notes[2];
    int code;

    TRY(open_input(batch, error));
    TRY(run_open_model(run, error));
    TRY(open_journal(batch, error));
    if (crew_is_hand(run->crew)) {
        return run->goes_on ? compute(batch, error) : OMMA_OK;
    }
    notes[0] = (struct journal_setting){"input file", batch->input.path};
    notes[1] = (struct journal_setting){"media folder", batch->media.path};
    TRY(run_find_rows(run, NULL, 0, batch->input.n_rows, error));
    TRY(run_write_notes(run, notes, 2, error));
    code = compute(batch, error);
    return code != OMMA_OK ? code : write_output(batch, run->journal, run->n_rows, error);
}

static int run_export(struct batch *batch, struct omma_error *error)
{
    char *n_rows = NULL;
    int code;

    struct run *run = &batch->run;

    TRY(journal_open_reading(run->journal_path, &run->journal, error));
    TRY(journal_value(run->journal, "rows", &n_rows, error));
    code =
        write_output(batch, run->journal, n_rows != NULL ? strtoull(n_rows, NULL, 10) : 0, error);
    free(n_rows);
    return code == EXIT_SOME_FAILED ? OMMA_OK : code;
}

static void close_all(struct batch *batch)
{
    run_close(&batch->run);
    media_folder_close(&batch->media);
    input_close(&batch->input);
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    struct batch batch = {.values = invocation->values,
                          .run.messages = invocation->messages,
                          .input = {.descriptor = -1},
                          .media = {.descriptor = -1}};
    int code;

    invocation->messages->verbose = batch.values->verbose;
    code = check_options(invocation, &batch, error);
    if (code == OMMA_OK && batch.values->export) {
        code = run_export(&batch, error);
    } else if (code == OMMA_OK && (code = crew_open(&batch.run.crew, error)) == OMMA_OK) {
        batch.input_path = invocation->options.operands[0];
        code = run_batch(&batch, error);
        code = (int)crew_close(&batch.run.crew, (enum omma_status)code, error);
    }
    close_all(&batch);
    return code;
}

const struct command command_batch = {
    .name = "batch",
    .operands = "IN",
    .summary = "Answer the requests of a file, and go on after whatever stopped it",
    .description = NULL,
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
