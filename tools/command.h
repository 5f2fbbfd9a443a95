/*
 * command.h - a subcommand: its table of options, its defaults and what runs it.
 *
 * A command is one file tools/cmd_NAME.c that defines `const struct command command_NAME`, and a
 * line in the table of tools/commands.c.  main() copies the defaults, parses, shows --help, calls
 * run and prints the error that it leaves.
 */
#ifndef OMMA_TOOLS_COMMAND_H
#define OMMA_TOOLS_COMMAND_H

#include "tools/message.h"
#include "tools/options.h"

struct invocation {
    const struct command *command;
    void *values; /* the command's struct, filled in */
    struct option_result options;
    struct messages *messages;
};

struct command {
    const char *name;
    const char *operands;    /* for the line of usage: "IMAGE..."; "" : none */
    const char *summary;     /* one line, without a point at the end */
    const char *description; /* of --help; NULL: the summary alone */
    const struct option_row *options;
    const void *defaults; /* the values to start from */
    size_t values_bytes;
    /* Returns the exit code.  On failure *error says why, or is empty if all was said already. */
    int (*run)(const struct invocation *invocation, struct omma_error *error);
};

/* All commands in the order of `omma help`, NULL at the end. */
extern const struct command *const commands[];

/* NULL: no such command. */
const struct command *command_find(const char *name);

/* Write `omma help NAME` to standard output. */
void command_print_help(const struct command *command);

/* OMMA_STATUS_USAGE unless the number of operands is within the bounds. */
enum omma_status command_check_operands(const struct invocation *invocation, size_t minimum,
                                        size_t maximum, struct omma_error *error);

extern const struct command command_batch;
extern const struct command command_bench;
extern const struct command command_compare;
extern const struct command command_doctor;
extern const struct command command_eval;
extern const struct command command_help;
extern const struct command command_info;
extern const struct command command_perplexity;
extern const struct command command_preprocess;
extern const struct command command_quantize;
extern const struct command command_run;
extern const struct command command_serve;
extern const struct command command_tokenize;

#endif
