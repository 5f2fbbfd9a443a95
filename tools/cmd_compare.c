/*
 * omma compare: run the model on a reference's dump and tell, stage by stage, how far it is off.
 *
 * Exit 0 if all that the dump holds is within its tolerance, 1 if not.  tools/compare/ does the
 * work.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/compare/report.h"
#include "tools/engine_options.h"
#include "tools/model_path.h"
#include "tools/signals.h"

struct compare_values {
    const char *model, *reference, *image_dir, *unquantized;
    struct engine_values engine;
    struct option_list tolerances;
    bool json, verbose;
};

/* What the stages are defined in, unless asked otherwise. */
static const struct compare_values defaults = {
    .image_dir = ".",
    .engine = {.precision = OMMA_PRECISION_F32, .chunk = 512},
};

static const struct option_row rows[] = {
    MODEL_OPTION(struct compare_values, model),
    {.name = "reference",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .offset = offsetof(struct compare_values, reference),
     .help = "the dump: what the official model code computed"},
    {.name = "image-dir",
     .kind = OPTION_TEXT,
     .argument = "DIR",
     .offset = offsetof(struct compare_values, image_dir),
     .help = "where the pictures lie that the dump names"},
    {.name = "unquantized",
     .kind = OPTION_TEXT,
     .argument = "MODEL",
     .offset = offsetof(struct compare_values, unquantized),
     .help = "the model before it was quantized: to judge the stages by their distance to its own"},
    {.name = "tolerance",
     .kind = OPTION_LIST,
     .argument = "STAGE=X",
     .offset = offsetof(struct compare_values, tolerances),
     .help = "largest relative error of a stage, or of all whose names begin so up to a dot; may "
             "be given several times"},
    ENGINE_OPTIONS(struct compare_values, engine),
    JSON_OPTION(struct compare_values, json),
    VERBOSE_OPTION(struct compare_values, verbose),
    {0},
};

/* "STAGE=X" of the list, split; text must be freed after the tolerances. */
static enum omma_status parse_tolerance(const char *word, char **text,
                                        struct compare_tolerance *tolerance,
                                        struct omma_error *error)
{
    char *sign, *end;

    *text = strdup(word);
    if (*text == NULL) {
        return fail_memory(error);
    }
    sign = strchr(*text, '=');
    if (sign != NULL) {
        *sign = '\0';
        *tolerance = (struct compare_tolerance){*text, strtod(sign + 1, &end)};
    }
    if (sign == NULL || sign == *text || end == sign + 1 || *end != '\0' ||
        !isfinite(tolerance->limit) || tolerance->limit < 0) {
        return fail(error, OMMA_STATUS_USAGE,
                    "--tolerance: expected STAGE=X with X at least 0, found \"%s\"", word);
    }
    return OMMA_OK;
}

static enum omma_status parse_tolerances(const struct option_list *list, char **texts,
                                         struct compare_tolerance *set, struct omma_error *error)
{
    for (size_t i = 0; i < list->n_items; i++) {
        TRY(parse_tolerance(list->items[i], &texts[i], &set[i], error));
    }
    return OMMA_OK;
}

/* A run that rounds anything to bf16 is judged as one, the KV cache alone included. */
static enum omma_precision precision_of(const struct omma_engine_info *engine)
{
    bool is_f32 = strcmp(engine->precision, "f32") == 0 && strcmp(engine->kv_dtype, "f32") == 0;

    return is_f32 ? OMMA_PRECISION_F32 : OMMA_PRECISION_BF16;
}

static enum omma_status open_subject(const char *name, const struct omma_engine_options *options,
                                     struct messages *messages, struct compare_subject *subject,
                                     struct omma_error *error)
{
    struct omma_model_options model_options = {.log = messages_log(messages)};
    enum omma_status status;
    char *path = NULL;

    TRY(model_path_find(name, &path, error));
    status = omma_model_open(path, &model_options, &subject->model, error);
    free(path);
    TRY(status);
    signals_watch_model(subject->model);
    return omma_engine_create(subject->model, options, &subject->engine, error);
}

static void close_subject(struct compare_subject *subject)
{
    omma_engine_destroy(&subject->engine);
    signals_watch_model(NULL);
    omma_model_close(&subject->model);
}

/* Open the models, run, report.  *is_within tells the verdict. */
static enum omma_status compare(const struct compare_values *values, struct messages *messages,
                                struct compare_tolerances *tolerances, bool *is_within,
                                struct omma_error *error)
{
    struct omma_engine_options options, exact_options;
    struct compare_dump dump = {0};
    struct comparison comparison = {0};
    struct compare_context context = {.dump = &dump, .prefill_chunk = values->engine.chunk};
    struct compare_subject subject = {0}, exact = {0};
    bool has_exact = values->unquantized != NULL;
    enum omma_status status;

    TRY(engine_values_options(&values->engine, messages, &options, error));
    exact_options = options;
    exact_options.precision = OMMA_PRECISION_F32;
    TRY_OR(status, done, compare_dump_open(values->reference, &dump, error));
    if (has_exact) {
        TRY_OR(status, done,
               open_subject(values->unquantized, &exact_options, messages, &exact, error));
    }
    TRY_OR(status, done, open_subject(values->model, &options, messages, &subject, error));
    context.model = omma_model_info(subject.model);
    context.engine = omma_engine_info(subject.engine);
    tolerances->precision = precision_of(context.engine);
    TRY_OR(status, done,
           comparison_run(&dump, values->image_dir, &subject, has_exact ? &exact : NULL, tolerances,
                          &comparison, error));
    TRY_OR(status, done,
           values->json ? compare_report_json(&context, &comparison, error)
                        : compare_report_text(&context, &comparison, error));
    *is_within = comparison_is_within(&comparison);
done:
    comparison_close(&comparison);
    close_subject(&subject);
    close_subject(&exact);
    compare_dump_close(&dump);
    return status;
}

/* The options that no comparison can do without. */
static enum omma_status check(const struct invocation *invocation, struct omma_error *error)
{
    const struct compare_values *values = invocation->values;

    TRY(command_check_operands(invocation, 0, 0, error));
    TRY(require_model(values->model, error));
    return values->reference != NULL
               ? OMMA_OK
               : fail(error, OMMA_STATUS_USAGE, "expected --reference FILE, a dump");
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct compare_values *values = invocation->values;
    size_t n_set = values->tolerances.n_items;
    char **texts = calloc(n_set + 1, sizeof *texts);
    struct compare_tolerance *set = calloc(n_set + 1, sizeof *set);
    struct compare_tolerances tolerances = {.set = set, .n_set = n_set};
    bool is_within = false;
    enum omma_status status;

    if (texts == NULL || set == NULL) {
        status = fail_memory(error);
        goto done;
    }
    invocation->messages->verbose = values->verbose;
    TRY_OR(status, done, check(invocation, error));
    TRY_OR(status, done, parse_tolerances(&values->tolerances, texts, set, error));
    TRY_OR(status, done, compare(values, invocation->messages, &tolerances, &is_within, error));
done:
    for (size_t i = 0; texts != NULL && i < n_set; i++) {
        free(texts[i]);
    }
    free(texts);
    free(set);
    return status != OMMA_OK ? (int)status : is_within ? 0 : EXIT_SOME_FAILED;
}

const struct command command_compare = {
    .name = "compare",
    .operands = "",
    .summary = "Compare every stage of a model with a dump of the reference",
    .description = "Exit code 0 if all that was compared is within its tolerance, 1 if not.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
