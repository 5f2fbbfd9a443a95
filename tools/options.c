/*
 * Rows of options to getopt_long, and its findings to values.  getopt's own messages are switched
 * off: every complaint comes from here, in one form.
 */
#include "tools/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ROWS = 62,         /* bits of option_result.given, less --help */
    VALUE_OF_ROW_0 = 1000, /* getopt_long's val for row i is this plus i: beyond every letter */
    VALUE_OF_HELP = 999,
};

static size_t count_rows(const struct option_row *rows)
{
    size_t n_rows = 0;

    while (rows[n_rows].name != NULL) {
        n_rows++;
    }
    return n_rows;
}

static enum omma_status parse_count(const struct option_row *row, const char *label,
                                    const char *text, size_t *value, struct omma_error *error)
{
    size_t n_digits = strspn(text, "0123456789");
    unsigned long long number = 0;

    errno = 0;
    if (n_digits > 0 && text[n_digits] == '\0') {
        number = strtoull(text, NULL, 10);
    }
    if (n_digits == 0 || text[n_digits] != '\0' || errno == ERANGE || number < row->minimum ||
        number > row->maximum) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected a whole number from %zu to %zu, found \"%s\"", label,
                    row->minimum, row->maximum, text);
    }
    *value = number;
    return OMMA_OK;
}

static enum omma_status parse_size(const struct option_row *row, const char *label,
                                   const char *text, size_t *value, struct omma_error *error)
{
    static const char units[] = "KMGT";
    size_t n_digits = strspn(text, "0123456789");
    const char *unit = text[n_digits] != '\0' ? strchr(units, text[n_digits]) : NULL;
    unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, NULL, 10);
    if (n_digits == 0 || text[n_digits + (unit != NULL)] != '\0' || errno == ERANGE ||
        number > SIZE_MAX >> shift || (size_t)number << shift < row->minimum ||
        (size_t)number << shift > row->maximum) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected bytes from %zu to %zu, such as 512M or 64G, found \"%s\"", label,
                    row->minimum, row->maximum, text);
    }
    *value = (size_t)number << shift;
    return OMMA_OK;
}

/* In the C locale: the program sets LC_CTYPE alone, so the decimal sign is a point everywhere. */
static enum omma_status parse_real(const struct option_row *row, const char *label,
                                   const char *text, double *value, struct omma_error *error)
{
    char *end = NULL;
    double number = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(number) || number < row->real_minimum ||
        number > row->real_maximum) {
        return fail(error, OMMA_STATUS_USAGE, "%s: expected a number from %g to %g, found \"%s\"",
                    label, row->real_minimum, row->real_maximum, text);
    }
    *value = number;
    return OMMA_OK;
}

static enum omma_status parse_choice(const struct option_row *row, const char *label,
                                     const char *text, int *value, struct omma_error *error)
{
    char words[256];

    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *value = i;
            return OMMA_OK;
        }
    }
    return fail(error, OMMA_STATUS_USAGE, "%s: expected %s, found \"%s\"", label,
                option_argument(row, words, sizeof words), text);
}

static enum omma_status append(struct option_list *list, const char *text, struct omma_error *error)
{
    const char **items = realloc(list->items, (list->n_items + 1) * sizeof *items);

    if (items == NULL) {
        return fail_memory(error);
    }
    items[list->n_items] = text;
    *list = (struct option_list){.items = items, .n_items = list->n_items + 1};
    return OMMA_OK;
}

/* label: "--threads" or "OMMA_THREADS", for messages. */
static enum omma_status store(const struct option_row *row, const char *label, const char *text,
                              void *values, struct omma_error *error)
{
    void *field = (char *)values + row->offset;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return OMMA_OK;
    case OPTION_TEXT:
        *(const char **)field = text;
        return OMMA_OK;
    case OPTION_LIST:
        return append(field, text, error);
    case OPTION_COUNT:
        return parse_count(row, label, text, field, error);
    case OPTION_SIZE:
        return parse_size(row, label, text, field, error);
    case OPTION_REAL:
        return parse_real(row, label, text, field, error);
    case OPTION_CHOICE:
        return parse_choice(row, label, text, field, error);
    }
    return fail(error, OMMA_STATUS_INTERNAL, "%s: unknown kind of option", label);
}

static enum omma_status apply_environment(const struct option_row *rows, void *values,
                                          struct omma_error *error)
{
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        const char *text = row->environment != NULL ? getenv(row->environment) : NULL;

        if (text != NULL && *text != '\0') {
            TRY(store(row, row->environment, text, values, error));
        }
    }
    return OMMA_OK;
}

/* Fill getopt_long's two forms of the table.  letters: room for 2 a row and 4 more. */
static void describe(const struct option_row *rows, struct option *longs, char *letters)
{
    *letters++ = ':'; /* a missing argument is told from an unknown option */
    *letters++ = 'h';
    *longs++ = (struct option){"help", no_argument, NULL, VALUE_OF_HELP};
    for (int i = 0; rows[i].name != NULL; i++) {
        bool has_argument = rows[i].kind != OPTION_FLAG;

        *longs++ = (struct option){rows[i].name, has_argument ? required_argument : no_argument,
                                   NULL, VALUE_OF_ROW_0 + i};
        if (rows[i].letter != 0) {
            *letters++ = rows[i].letter;
            if (has_argument) {
                *letters++ = ':';
            }
        }
    }
    *longs = (struct option){0};
    *letters = '\0';
}

static const struct option_row *find_row(const struct option_row *rows, int value)
{
    if (value >= VALUE_OF_ROW_0) {
        return &rows[value - VALUE_OF_ROW_0];
    }
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        if (row->letter != 0 && row->letter == value) {
            return row;
        }
    }
    return NULL;
}

/* What getopt_long returned ':' or '?' for; word: the argument it stopped at. */
static enum omma_status complain(const struct option_row *rows, int found, const char *word,
                                 struct omma_error *error)
{
    const struct option_row *row = optopt != 0 ? find_row(rows, optopt) : NULL;

    if (found == ':' && row != NULL) {
        char argument[256];

        return fail(error, OMMA_STATUS_USAGE, "--%s: its argument %s is missing", row->name,
                    option_argument(row, argument, sizeof argument));
    }
    if (row != NULL || optopt == VALUE_OF_HELP) {
        return fail(error, OMMA_STATUS_USAGE, "--%s takes no argument",
                    row != NULL ? row->name : "help");
    }
    if (optopt != 0) {
        return fail(error, OMMA_STATUS_USAGE, "unknown option -%c", optopt);
    }
    return fail(error, OMMA_STATUS_USAGE, "unknown or ambiguous option %s", word);
}

enum omma_status options_parse(const struct option_row *rows, void *values, int argc, char **argv,
                               struct option_result *result, struct omma_error *error)
{
    struct option longs[MAX_ROWS + 2];
    char letters[2 * MAX_ROWS + 4];
    int found;

    if (count_rows(rows) > MAX_ROWS) {
        return fail(error, OMMA_STATUS_INTERNAL, "more options than the parser can hold");
    }
    *result = (struct option_result){0};
    describe(rows, longs, letters);
    TRY(apply_environment(rows, values, error));
    opterr = 0;
    optind = 0; /* GNU: start anew */
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct option_row *row;
        char label[64];

        if (found == 'h' || found == VALUE_OF_HELP) {
            result->wants_help = true;
            return OMMA_OK;
        }
        if (found == ':' || found == '?') {
            return complain(rows, found, argv[optind - 1], error);
        }
        row = find_row(rows, found);
        snprintf(label, sizeof label, "--%s", row->name);
        if ((result->given >> (row - rows) & 1) != 0 && row->kind != OPTION_LIST &&
            row->kind != OPTION_FLAG) {
            return fail(error, OMMA_STATUS_USAGE, "%s is given twice", label);
        }
        result->given |= UINT64_C(1) << (row - rows);
        if (row->kind == OPTION_LIST && strcmp(optarg, "") == 0) {
            return fail(error, OMMA_STATUS_USAGE, "%s: expected %s, found nothing", label,
                        row->argument);
        }
        TRY(store(row, label, optarg, values, error));
    }
    result->operands = argv + optind;
    result->n_operands = (size_t)(argc - optind);
    return OMMA_OK;
}

void options_release(const struct option_row *rows, void *values)
{
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        if (row->kind == OPTION_LIST) {
            struct option_list *list = (struct option_list *)((char *)values + row->offset);

            free(list->items);
            *list = (struct option_list){0};
        }
    }
}

bool options_given(const struct option_row *rows, const struct option_result *result,
                   const char *name)
{
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return (result->given >> (row - rows) & 1) != 0;
        }
    }
    return false;
}

enum omma_status options_exclude(const struct option_row *rows, const struct option_result *result,
                                 const char *one, const char *other, struct omma_error *error)
{
    if (options_given(rows, result, one) && options_given(rows, result, other)) {
        return fail(error, OMMA_STATUS_USAGE, "--%s and --%s exclude each other", one, other);
    }
    return OMMA_OK;
}

const char *option_argument(const struct option_row *row, char *text, size_t capacity)
{
    size_t n = 0;

    if (row->kind != OPTION_CHOICE) {
        return row->argument;
    }
    text[0] = '\0';
    for (int i = 0; row->choices[i] != NULL && n < capacity; i++) {
        n += (size_t)snprintf(text + n, capacity - n, "%s%s", i > 0 ? "|" : "", row->choices[i]);
    }
    return text;
}
