/*
 * The function _omma of bash: commands, then options and what their arguments can be.  One branch
 * an option that takes an argument, found by "COMMAND:OPTION"; what is no option is a file.
 */
#include "tools/completion.h"

#include <stdio.h>
#include <string.h>

#include "tools/command.h"

/* A branch of the shell's case: what may stand behind the option. */
static void print_argument(const struct command *command, const struct option_row *row)
{
    char words[256];

    if (row->kind == OPTION_CHOICE) {
        option_argument(row, words, sizeof words);
        for (char *c = words; *c != '\0'; c++) {
            *c = *c == '|' ? ' ' : *c;
        }
    } else if (row->kind == OPTION_FLAG || row->argument == NULL) {
        return;
    }
    printf("    %s:--%s", command->name, row->name);
    if (row->letter != 0) {
        printf(" | %s:-%c", command->name, row->letter);
    }
    if (row->kind == OPTION_CHOICE) {
        printf(")\n        COMPREPLY=($(compgen -W '%s' -- \"$current\"));;\n", words);
    } else if (strstr(row->argument, "FILE") != NULL || strstr(row->argument, "DIR") != NULL ||
               strcmp(row->argument, "MODEL") == 0) {
        printf(")\n        COMPREPLY=($(compgen -f -- \"$current\"));;\n");
    } else {
        printf(")\n        COMPREPLY=();;\n");
    }
}

void print_completion(void)
{
    printf("# Completion of omma(1) in bash; made from the program's tables by: "
           "omma help --completion\n"
           "_omma()\n{\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local command=${COMP_WORDS[1]} options=\n\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf("%s ", commands[i]->name);
    }
    printf("--version --help' -- \"$current\"))\n        return\n    fi\n"
           "    case $command:$previous in\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        for (const struct option_row *row = commands[i]->options; row->name != NULL; row++) {
            if (row->help != NULL) {
                print_argument(commands[i], row);
            }
        }
    }
    printf("    *)\n        case $command in\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf("        %s) options='--help", commands[i]->name);
        for (const struct option_row *row = commands[i]->options; row->name != NULL; row++) {
            if (row->help != NULL) {
                printf(" --%s", row->name);
            }
        }
        printf("';;\n");
    }
    printf("        esac\n"
           "        case $current in\n"
           "        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\"));;\n"
           "        *) COMPREPLY=($(compgen -f -- \"$current\"));;\n"
           "        esac;;\n"
           "    esac\n}\n"
           "complete -o filenames -F _omma omma\n");
}
