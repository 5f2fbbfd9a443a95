/*
 * omma eval: what the answers to a benchmark are worth: predictions scored, runs compared, shards
 * merged.
 *
 * The first operand names what to do; tools/eval/ does it.
 */
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/eval/subcommands.h"

struct eval_values {
    const char *suite, *output, *pictures;
    bool json, verbose;
};

static const struct eval_values defaults = {0};

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "suite", .kind = OPTION_TEXT, .argument = "NAME",
     .offset = offsetof(struct eval_values, suite),
     .help = "the suite, whose name decides how it is scored; else the run's manifest, or the file's "
             "name"},
    {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .argument = "DIR",
     .offset = offsetof(struct eval_values, output),
     .help = "score, merge: the folder for reports, and for the merged run"},
    {.name = "pictures", .kind = OPTION_TEXT, .argument = "FILE",
     .offset = offsetof(struct eval_values, pictures),
     .help = "score, merge: the suite with the pictures that the page shows; else the manifest's"},
    JSON_OPTION(struct eval_values, json),
    VERBOSE_OPTION(struct eval_values, verbose),
    {0},
};
/* clang-format on */

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct eval_values *values = invocation->values;
    const struct option_result *options = &invocation->options;
    const struct eval_subcommand *subcommand =
        options->n_operands > 0 ? eval_subcommand_find(options->operands[0]) : NULL;
    struct eval_request request = {
        .operands = options->operands + 1,
        .suite = values->suite,
        .output = values->output,
        .pictures = values->pictures,
        .is_json = values->json,
        .messages = invocation->messages,
    };

    invocation->messages->verbose = values->verbose;
    if (subcommand == NULL) {
        return (int)fail(error, OMMA_STATUS_USAGE, "expected %s", invocation->command->operands);
    }
    request.n_operands = options->n_operands - 1;
    if (request.n_operands < subcommand->minimum || request.n_operands > subcommand->maximum) {
        return (int)fail(error, OMMA_STATUS_USAGE, "expected %s", subcommand->operands);
    }
    return (int)subcommand->run(&request, error);
}

const struct command command_eval = {
    .name = "eval",
    .operands = "score RUN | compare RUN RUN | merge SHARD...",
    .summary = "Score the answers to a benchmark, and compare runs of it",
    .description =
        "RUN is a folder with manifest.json, or a file of predictions as VLMEvalKit writes it.\n"
        "Scores are those of VLMEvalKit's rules, without a judge.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof(struct eval_values),
    .run = run,
};
