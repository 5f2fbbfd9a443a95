/*
 * omma eval: a benchmark asked, and what the answers are worth: predictions scored, runs compared,
 * shards merged.
 *
 * The first operand names what to do, or is the suite to ask; tools/eval/ does it.
 */
#include <string.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/eval/subcommands.h"
#include "tools/eval/suite_run.h"

struct eval_values {
    struct suite_run_values ask;
    const char *suite, *output, *pictures;
    bool json, verbose;
};

static const struct eval_values defaults = {
    .ask = {.run = RUN_DEFAULTS, .shuffle = SUITE_NOT_SHUFFLED, .judge = JUDGE_DEFAULTS}};

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "suite", .kind = OPTION_TEXT, .argument = "NAME",
     .offset = offsetof(struct eval_values, suite),
     .help = "the suite, whose name decides how it is asked and scored; else the run's manifest, or "
             "the file's name"},
    {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .argument = "DIR",
     .offset = offsetof(struct eval_values, output),
     .help = "the folder of the run; score, merge: for reports, and for the merged run"},
    {.name = "pictures", .kind = OPTION_TEXT, .argument = "FILE",
     .offset = offsetof(struct eval_values, pictures),
     .help = "score, merge: the suite with the pictures that the page shows; else the manifest's"},
    {.name = "data", .kind = OPTION_TEXT, .argument = "DIR",
     .offset = offsetof(struct eval_values, ask.data),
     .help = "the folder with the suite's file, if --suite alone names it"},
    {.name = "cot", .kind = OPTION_FLAG, .offset = offsetof(struct eval_values, ask.has_cot),
     .help = "ask for the thoughts before the answer, as the published figures do"},
    {.name = "category", .kind = OPTION_LIST, .argument = "NAME",
     .offset = offsetof(struct eval_values, ask.categories),
     .help = "rows of this category alone; may be given several times"},
    {.name = "shuffle", .kind = OPTION_COUNT, .argument = "SEED",
     .offset = offsetof(struct eval_values, ask.shuffle), .minimum = 0, .maximum = INT32_MAX,
     .help = "rows in an order that is drawn, always the same for a seed"},
    {.name = "limit", .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct eval_values, ask.limit), .minimum = 1, .maximum = INT32_MAX,
     .help = "the first N rows alone"},
    {.name = "strict-images", .kind = OPTION_FLAG,
     .offset = offsetof(struct eval_values, ask.strict),
     .help = "refuse damaged pictures that are accepted with a warning otherwise"},
    {.name = "judge", .kind = OPTION_TEXT, .argument = "URL",
     .offset = offsetof(struct eval_values, ask.judge.url),
     .help = "an OpenAI-compatible server that is asked about answers which no rule decides, by "
             "omma-judge"},
    {.name = "judge-model", .kind = OPTION_TEXT, .argument = "NAME",
     .offset = offsetof(struct eval_values, ask.judge.model),
     .help = "its model (gpt-4o-mini-2024-07-18)"},
    {.name = "judge-key-file", .kind = OPTION_TEXT, .argument = "FILE",
     .offset = offsetof(struct eval_values, ask.judge.key_file),
     .help = "its key; else $OMMA_JUDGE_KEY"},
    {.name = "judge-parallel", .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct eval_values, ask.judge.parallel), .minimum = 1, .maximum = 256,
     .help = "requests to it at a time (4)"},
    {.name = "judge-tries", .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct eval_values, ask.judge.tries), .minimum = 1, .maximum = 100,
     .help = "of a question, before its row stays undecided (5)"},
    RUN_OPTIONS(struct eval_values, ask.run),
    JSON_OPTION(struct eval_values, json),
    VERBOSE_OPTION(struct eval_values, verbose),
    {0},
};
/* clang-format on */

/* OMMA_STATUS_USAGE for an option on the command line that is not among the words. */
static enum omma_status allow(const struct option_result *options, const char *const *words,
                              const char *what, struct omma_error *error)
{
    for (size_t i = 0; rows[i].name != NULL; i++) {
        size_t k = 0;

        while (words[k] != NULL && strcmp(words[k], rows[i].name) != 0) {
            k++;
        }
        if (words[k] == NULL && options_given(rows, options, rows[i].name)) {
            return fail(error, OMMA_STATUS_USAGE, "--%s has no effect on %s", rows[i].name, what);
        }
    }
    return OMMA_OK;
}

static int run_subcommand(const struct eval_subcommand *subcommand,
                          const struct invocation *invocation, struct omma_error *error)
{
    static const char *const allowed[] = {
        "suite",          "output",      "pictures", "judge",   "judge-model", "judge-key-file",
        "judge-parallel", "judge-tries", "json",     "verbose", NULL};
    const struct eval_values *values = invocation->values;
    const struct option_result *options = &invocation->options;
    const struct eval_request request = {
        .operands = options->operands + 1,
        .n_operands = options->n_operands - 1,
        .suite = values->suite,
        .output = values->output,
        .pictures = values->pictures,
        .judge = &values->ask.judge,
        .is_json = values->json,
        .messages = invocation->messages,
    };

    TRY(allow(options, allowed, subcommand->name, error));
    if (strcmp(subcommand->name, "compare") == 0 && values->ask.judge.url != NULL) {
        return (int)fail(error, OMMA_STATUS_USAGE, "--judge has no effect on compare");
    }
    if (request.n_operands < subcommand->minimum || request.n_operands > subcommand->maximum) {
        return (int)fail(error, OMMA_STATUS_USAGE, "expected %s", subcommand->operands);
    }
    return (int)subcommand->run(&request, error);
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct eval_values *values = invocation->values;
    const struct option_result *options = &invocation->options;
    const struct eval_subcommand *subcommand =
        options->n_operands > 0 ? eval_subcommand_find(options->operands[0]) : NULL;
    const struct suite_run_request request = {
        .values = &values->ask,
        .rows = rows,
        .options = options,
        .path = options->n_operands > 0 ? options->operands[0] : NULL,
        .suite = values->suite,
        .output = values->output,
        .is_json = values->json,
        .messages = invocation->messages,
    };

    invocation->messages->verbose = values->verbose;
    if (subcommand != NULL) {
        return run_subcommand(subcommand, invocation, error);
    }
    TRY(command_check_operands(invocation, 0, 1, error));
    if (options_given(rows, options, "pictures")) {
        return (int)fail(error, OMMA_STATUS_USAGE, "--pictures has no effect on a suite");
    }
    return suite_run(&request, error);
}

const struct command command_eval = {
    .name = "eval",
    .operands = "[SUITE.tsv] | score RUN | compare RUN RUN | merge SHARD...",
    .summary = "Ask a benchmark, score the answers, and compare runs of it",
    .description = "SUITE.tsv is a table of VLMEvalKit.  RUN is a folder with manifest.json, or a\n"
                   "file of predictions as VLMEvalKit writes it.  Scores are those of its rules,\n"
                   "and with --judge of a model that is asked where they decide nothing.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof(struct eval_values),
    .run = run,
};
