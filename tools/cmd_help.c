/*
 * omma help: the commands, the options of one of them, and, for the project's own use, the bash
 * completion and a list of all options; all from the commands' tables.
 */
#include <stdio.h>
#include <string.h>

#include "tools/command.h"
#include "tools/completion.h"

enum { HELP_COLUMN = 30, HELP_WIDTH = 80 };

struct help_values {
    bool completion, options;
};

static const struct help_values defaults = {0};

static const struct option_row rows[] = {
    {.name = "completion", .kind = OPTION_FLAG, .offset = offsetof(struct help_values, completion)},
    {.name = "options", .kind = OPTION_FLAG, .offset = offsetof(struct help_values, options)},
    {0},
};

/* Words of text from HELP_COLUMN on; column: where the line stands. */
static void print_wrapped(const char *text, int column)
{
    if (column + 2 > HELP_COLUMN) {
        printf("\n");
        column = 0;
    }
    printf("%*s", HELP_COLUMN - column, "");
    column = HELP_COLUMN;
    while (*text != '\0') {
        int n = (int)strcspn(text, " ");

        if (column > HELP_COLUMN && column + 1 + n > HELP_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            printf(" ");
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n + (text[n] == ' ');
    }
    printf("\n");
}

static void print_option(const struct option_row *row)
{
    char argument[256], left[320], help[1024];
    const char *word = option_argument(row, argument, sizeof argument);
    int n = row->letter != 0 ? snprintf(left, sizeof left, "  -%c, --%s", row->letter, row->name)
                             : snprintf(left, sizeof left, "      --%s", row->name);

    if (word != NULL) {
        n += snprintf(left + n, sizeof left - (size_t)n, " %s", word);
    }
    fputs(left, stdout);
    if (row->environment != NULL) {
        snprintf(help, sizeof help, "%s [$%s]", row->help, row->environment);
    } else {
        snprintf(help, sizeof help, "%s", row->help);
    }
    print_wrapped(help, n);
}

void command_print_help(const struct command *command)
{
    printf("usage: omma %s [options]%s%s\n\n%s.\n", command->name,
           *command->operands != '\0' ? " " : "", command->operands, command->summary);
    if (command->description != NULL) {
        printf("%s\n", command->description);
    }
    printf("\n");
    for (const struct option_row *row = command->options; row->name != NULL; row++) {
        if (row->help != NULL) {
            print_option(row);
        }
    }
    printf("  -h, --help");
    print_wrapped("this text", 12);
    printf("\nThe manual: man omma-%s\n", command->name);
}

static void print_overview(void)
{
    printf("usage: omma COMMAND [options]\n\n"
           "Ask InternVL3 vision-language models about pictures, on CPUs alone.\n\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\n  omma help COMMAND tells the options of a command, omma --version what omma is made "
           "of.\n"
           "  The manual: man omma\n");
}

/* "run --image -i OMMA_X", with a dash for what there is not: tests/tools/manual_options.sh holds
 * it against the manual pages. */
static void print_options(void)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        for (const struct option_row *row = commands[i]->options; row->name != NULL; row++) {
            if (row->help == NULL) {
                continue;
            }
            printf("%s --%s -", commands[i]->name, row->name);
            if (row->letter != 0) {
                printf("%c", row->letter);
            }
            printf(" %s\n", row->environment != NULL ? row->environment : "-");
        }
    }
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct help_values *values = invocation->values;
    const struct command *command;
    const char *name;

    TRY(command_check_operands(invocation, 0, 1, error));
    if (values->completion) {
        print_completion();
        return OMMA_OK;
    }
    if (values->options) {
        print_options();
        return OMMA_OK;
    }
    if (invocation->options.n_operands == 0) {
        print_overview();
        return OMMA_OK;
    }
    name = invocation->options.operands[0];
    command = command_find(name);
    if (command == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "unknown command \"%s\"", name);
    }
    command_print_help(command);
    return OMMA_OK;
}

const struct command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "Tell the commands, or the options of one",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
