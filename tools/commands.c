/* The table of commands. */
#include "tools/command.h"

#include <string.h>

const struct command *const commands[] = {
    &command_run,        &command_serve,
    &command_batch,      &command_eval,
    &command_info,       &command_tokenize,
    &command_preprocess, &command_compare,
    &command_perplexity, &command_bench,
    &command_quantize,   &command_doctor,
    &command_help,       NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

enum omma_status command_check_operands(const struct invocation *invocation, size_t minimum,
                                        size_t maximum, struct omma_error *error)
{
    size_t n_operands = invocation->options.n_operands;

    if (n_operands > maximum) {
        return fail(error, OMMA_STATUS_USAGE, "unexpected argument \"%s\"",
                    invocation->options.operands[maximum]);
    }
    if (n_operands < minimum) {
        return fail(error, OMMA_STATUS_USAGE, "expected %s", invocation->command->operands);
    }
    return OMMA_OK;
}
