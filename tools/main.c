/*
 * omma(1): find the command, parse its options, run it, say what went wrong.
 *
 * Exit codes are the library's statuses; 1 for some of several items, 130 after Ctrl-C.
 */
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/output.h"
#include "tools/signals.h"
#include "tools/version.h"

/* Copy the defaults, parse, and either show the help or run. */
static int run_command(const struct command *command, struct messages *messages, int argc,
                       char **argv, struct omma_error *error)
{
    struct invocation invocation = {.command = command, .messages = messages};
    int code;

    invocation.values = calloc(1, command->values_bytes);
    if (invocation.values == NULL) {
        return fail_memory(error);
    }
    memcpy(invocation.values, command->defaults, command->values_bytes);
    code =
        options_parse(command->options, invocation.values, argc, argv, &invocation.options, error);
    if (code == OMMA_OK && invocation.options.wants_help) {
        command_print_help(command);
    } else if (code == OMMA_OK) {
        code = command->run(&invocation, error);
    }
    options_release(command->options, invocation.values);
    free(invocation.values);
    return code;
}

/* Everything behind the name of the program. */
static int dispatch(struct messages *messages, int argc, char **argv, struct omma_error *error)
{
    const struct command *command;
    const char *name = argv[1];

    if (argc < 2) {
        return fail(error, OMMA_STATUS_USAGE, "expected a command; see omma help");
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        print_version();
        return OMMA_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    }
    command = command_find(name);
    if (command == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "unknown command \"%s\"; see omma help", name);
    }
    messages_set_name(messages, command->name);
    return run_command(command, messages, argc - 1, argv + 1, error);
}

/* For line editing.  Text is UTF-8 here, whatever the locale; numbers keep their point. */
static void set_encoding(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

/* A descriptor that was closed must not become that of a file which is opened later: what is
 * written to it would land there.  Opened the wrong way round, so that using it fails. */
static void hold_standard_descriptors(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) < 0 &&
            open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) {
            _exit(OMMA_STATUS_RESOURCES);
        }
    }
}

int main(int argc, char **argv)
{
    struct messages messages;
    struct omma_error error = {0};
    int code;

    hold_standard_descriptors();
    set_encoding();
    messages_init(&messages);
    signals_init();
    code = dispatch(&messages, argc, argv, &error);
    if (code == OMMA_OK) {
        code = output_flush(&error);
    }
    if (error.message[0] != '\0') {
        message_error(&messages, "%s", error.message);
        if (code == OMMA_STATUS_USAGE) {
            fprintf(stderr, "Try: %s --help\n", messages.name);
        }
    }
    return code;
}
