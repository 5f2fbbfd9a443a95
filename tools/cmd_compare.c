/*
 * omma compare: run the model on a reference's dump and tell, stage by stage, how far it is off; or
 * on prompts beside another model, and tell how far the one's distributions are from the other's.
 *
 * Exit 0 if all that the dump holds is within its tolerance, or all rows were compared, 1 if not.
 * tools/compare/ does the work.
 */
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/compare/against.h"
#include "tools/compare/report.h"
#include "tools/engine_options.h"
#include "tools/image_options.h"
#include "tools/model_path.h"
#include "tools/signals.h"

enum { PRECISION_BY_REFERENCE = -1, MAX_PICTURE_BYTES = 1 << 30 };

struct compare_values {
    const char *model, *reference, *image_dir, *unquantized, *against, *media_dir;
    size_t n_parallel, max_tokens, n_context, max_tiles_total;
    struct image_values image;
    struct engine_values engine;
    struct option_list tolerances;
    bool json, verbose;
};

static const struct compare_values defaults = {
    .image_dir = ".",
    .n_parallel = 8,
    .max_tokens = 128,
    .engine = {.precision = PRECISION_BY_REFERENCE, .chunk = 512},
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
    {.name = "against",
     .kind = OPTION_TEXT,
     .argument = "MODEL",
     .offset = offsetof(struct compare_values, against),
     .help = "another model: how far its distributions over tokens are from the first one's, on "
             "the prompts of IN"},
    {.name = "jobs",
     .letter = 'j',
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct compare_values, n_parallel),
     .minimum = 1,
     .maximum = 256,
     .help = "with --against: rows that the first model answers side by side, each with a context "
             "of its own; 8 if not given"},
    {.name = "max-tokens",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .argument = "N",
     .offset = offsetof(struct compare_values, max_tokens),
     .minimum = 1,
     .maximum = INT32_MAX,
     .help = "with --against: most tokens of an answer; 128 if not given"},
    CONTEXT_OPTION(struct compare_values, n_context),
    {.name = "media-dir",
     .kind = OPTION_TEXT,
     .argument = "DIR",
     .offset = offsetof(struct compare_values, media_dir),
     .help = "with --against: the folder of the pictures; that of IN if not given"},
    IMAGE_OPTIONS(struct compare_values, image),
    MAX_TILES_TOTAL_OPTION(struct compare_values, max_tiles_total),
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

/* Stages are defined in f32; models are compared as they are run. */
static enum omma_status engine_options(const struct compare_values *values,
                                       struct messages *messages,
                                       struct omma_engine_options *options,
                                       struct omma_error *error)
{
    struct engine_values engine = values->engine;

    if (engine.precision == PRECISION_BY_REFERENCE) {
        engine.precision = values->against != NULL ? OMMA_PRECISION_AUTO : OMMA_PRECISION_F32;
    }
    engine.deterministic = engine.deterministic || values->against != NULL;
    return engine_values_options(&engine, messages, options, error);
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

    TRY(engine_options(values, messages, &options, error));
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

/* The folder of the pictures: the one given, or that of the input. */
static enum omma_status open_media(const struct compare_values *values, const char *input,
                                   struct media_folder *media, struct omma_error *error)
{
    char *copy = strdup(input);
    enum omma_status status;

    if (copy == NULL) {
        return fail_memory(error);
    }
    status = media_folder_open(values->media_dir != NULL ? values->media_dir : dirname(copy), media,
                               error);
    media->takes_paths = true;
    free(copy);
    return status;
}

static enum omma_status open_pair(const struct compare_values *values, struct messages *messages,
                                  struct compare_subject *first, struct compare_subject *second,
                                  struct against_settings *settings, struct omma_error *error)
{
    struct omma_engine_options options;
    const struct omma_model_info *info;

    TRY(engine_options(values, messages, &options, error));
    options.max_batch = values->n_parallel;
    TRY(open_subject(values->against, &options, messages, second, error));
    TRY(open_subject(values->model, &options, messages, first, error));
    info = omma_model_info(first->model);
    TRY(image_values_options(&values->image, info, messages, &settings->bounds.image, error));
    settings->bounds.max_tiles_total = values->max_tiles_total;
    settings->bounds.max_bytes = MAX_PICTURE_BYTES;
    settings->bounds.n_context = values->n_context != 0 ? values->n_context : info->default_context;
    return OMMA_OK;
}

/* Compare two models on the rows of a file.  *is_complete: none failed. */
static enum omma_status compare_against(const struct compare_values *values,
                                        struct messages *messages, const char *path,
                                        bool *is_complete, struct omma_error *error)
{
    struct compare_subject first = {0}, second = {0};
    struct input input = {.descriptor = -1};
    struct media_folder media = {.descriptor = -1};
    struct against against = {0};
    struct against_settings settings = {
        .first = &first,
        .second = &second,
        .input = &input,
        .media = &media,
        .max_tokens = values->max_tokens,
        .n_parallel = values->n_parallel,
        .messages = messages,
    };
    enum omma_status status;

    TRY_OR(status, done, input_open(path, &input, error));
    TRY_OR(status, done, open_media(values, path, &media, error));
    TRY_OR(status, done, open_pair(values, messages, &first, &second, &settings, error));
    TRY_OR(status, done, against_run(&settings, &against, error));
    TRY_OR(status, done,
           values->json ? against_report_json(&settings, &against, error)
                        : against_report_text(&against, error));
    *is_complete = against.n_failed == 0;
done:
    against_close(&against);
    close_subject(&first);
    close_subject(&second);
    media_folder_close(&media);
    input_close(&input);
    return status;
}

/* The options that no comparison can do without, and none that have no effect. */
static enum omma_status check(const struct invocation *invocation, struct omma_error *error)
{
    static const char *const of_reference[] = {"reference", "image-dir", "unquantized",
                                               "tolerance"};
    static const char *const of_against[] = {"jobs",          "max-tokens",     "context",
                                             "media-dir",     "max-tiles",      "min-tiles",
                                             "strict-images", "max-tiles-total"};
    const struct compare_values *values = invocation->values;

    TRY(require_model(values->model, error));
    if (values->against != NULL) {
        for (size_t i = 0; i < sizeof of_reference / sizeof *of_reference; i++) {
            TRY(options_exclude(rows, &invocation->options, "against", of_reference[i], error));
        }
        TRY(image_values_check(&values->image, error));
        if (invocation->options.n_operands == 0) {
            return fail(error, OMMA_STATUS_USAGE, "expected IN, a file with prompts");
        }
        return command_check_operands(invocation, 1, 1, error);
    }
    TRY(command_check_operands(invocation, 0, 0, error));
    for (size_t i = 0; i < sizeof of_against / sizeof *of_against; i++) {
        if (options_given(rows, &invocation->options, of_against[i])) {
            return fail(error, OMMA_STATUS_USAGE, "--%s needs --against", of_against[i]);
        }
    }
    return values->reference != NULL
               ? OMMA_OK
               : fail(error, OMMA_STATUS_USAGE,
                      "expected --reference FILE, a dump, or --against MODEL");
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
    if (values->against != NULL) {
        TRY_OR(status, done,
               compare_against(values, invocation->messages, invocation->options.operands[0],
                               &is_within, error));
        goto done;
    }
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
    .operands = "[IN]",
    .summary = "Compare a model with a dump of the reference, or with another model",
    .description =
        "With --reference every stage is compared; with --against the distributions over tokens, "
        "on\n"
        "the prompts of IN, rows as omma batch takes them.  Exit code 0 if all that was compared\n"
        "is within its tolerance, or all rows could be compared, 1 if not.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
