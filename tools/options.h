/*
 * options.h - one table of options a command.  From it come parsing (getopt_long), --help, the
 * mirrors in the environment, bash completion, and the check that the manual page names every
 * option.
 *
 * A row says where its value goes: an offset into the command's struct of values, whose field has
 * the type that the row's kind names.  Values start as the command's defaults; then the environment
 * is applied, then the command line.
 */
#ifndef OMMA_TOOLS_OPTIONS_H
#define OMMA_TOOLS_OPTIONS_H

#include "tools/status.h"

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_LIST,   /* struct option_list; may be given several times */
    OPTION_COUNT,  /* size_t, from .minimum to .maximum */
    OPTION_SIZE,   /* size_t, bytes: a whole number, with K, M, G or T behind it for 1024, ... */
    OPTION_REAL,   /* double, from .real_minimum to .real_maximum */
    OPTION_CHOICE, /* int, an index into .choices */
};

/* The arguments of an option that may be given several times, in their order. */
struct option_list {
    const char **items;
    size_t n_items;
};

/* A table of options ends with a row without a name. */
struct option_row {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *argument;              /* "FILE"; a choice has none, its words stand there */
    size_t offset;                     /* of the field in the command's values */
    size_t minimum, maximum;           /* OPTION_COUNT, OPTION_SIZE */
    double real_minimum, real_maximum; /* OPTION_REAL */
    const char *const *choices;        /* OPTION_CHOICE: words, NULL at the end */
    const char *environment;           /* the variable that mirrors it; NULL: none */
    const char *help;                  /* NULL: for the project's own use, shown nowhere */
};

/* What a command line gave. */
struct option_result {
    uint64_t given;  /* bit i: row i stood on the command line */
    bool wants_help; /* --help or -h; nothing else counts then */
    char **operands; /* of argv */
    size_t n_operands;
};

/* Apply the environment, then argv[1..argc-1]; argv may be reordered, and texts point into it.
 * OMMA_STATUS_USAGE with a line that names the option, the range and what was found. */
enum omma_status options_parse(const struct option_row *rows, void *values, int argc, char **argv,
                               struct option_result *result, struct omma_error *error);

/* Release the lists. */
void options_release(const struct option_row *rows, void *values);

/* Whether the option stood on the command line. */
bool options_given(const struct option_row *rows, const struct option_result *result,
                   const char *name);

/* OMMA_STATUS_USAGE if both stood on the command line. */
enum omma_status options_exclude(const struct option_row *rows, const struct option_result *result,
                                 const char *one, const char *other, struct omma_error *error);

/* "N", "auto|bf16|f32", or NULL for a flag; into text. */
const char *option_argument(const struct option_row *row, char *text, size_t capacity);

#endif
