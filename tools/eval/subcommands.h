/*
 * subcommands.h - what omma eval does with runs that are there: score, compare, merge.
 */
#ifndef OMMA_TOOLS_EVAL_SUBCOMMANDS_H
#define OMMA_TOOLS_EVAL_SUBCOMMANDS_H

#include "tools/eval/judge.h"
#include "tools/message.h"
#include "tools/status.h"

struct eval_request {
    char **operands; /* behind the subcommand's name */
    size_t n_operands;
    const char *suite, *output, *pictures; /* NULL: not given */
    const struct judge_settings *judge;
    bool is_json;
    struct messages *messages;
};

struct eval_subcommand {
    const char *name;
    const char *operands; /* what it takes, for messages */
    size_t minimum, maximum;
    enum omma_status (*run)(const struct eval_request *request, struct omma_error *error);
};

/* At the end of a run: print its scores and write its reports into its folder, which has a manifest
 * and predictions. */
enum omma_status eval_score_folder(const char *folder, const struct judge_settings *judge,
                                   bool is_json, struct messages *messages,
                                   struct omma_error *error);

/* NULL: no such one. */
const struct eval_subcommand *eval_subcommand_find(const char *name);

#endif
