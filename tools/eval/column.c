/* One pass: each cell takes away what the column cannot be any more. */
#include "tools/eval/column.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* No number and no word of ours is longer; what is, is text. */
enum { LONGEST = 512 };

/* ------------------------------------------------------------------------------------------------
 * Words and numbers
 * --------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *cell, size_t n_bytes, const char *const *words, size_t n_words)
{
    for (size_t i = 0; i < n_words; i++) {
        if (strlen(words[i]) == n_bytes && memcmp(words[i], cell, n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

bool column_is_missing_word(const char *cell, size_t n_bytes)
{
    static const char *const words[] = {
        "",     "#N/A",   "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN",
        "-nan", "1.#IND", "1.#QNAN",  "<NA>", "N/A",     "NA",       "NULL",
        "NaN",  "None",   "n/a",      "nan",  "null",
    };

    return n_bytes <= 8 && is_one_of(cell, n_bytes, words, sizeof words / sizeof *words);
}

static bool read_boolean(const char *cell, size_t n_bytes, bool *value)
{
    static const char *const yes[] = {"True", "TRUE", "true"};
    static const char *const no[] = {"False", "FALSE", "false"};

    *value = is_one_of(cell, n_bytes, yes, 3);
    return *value || is_one_of(cell, n_bytes, no, 3);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_spaces(const char *p)
{
    while (is_space(*p)) {
        p++;
    }
    return p;
}

enum number { NUMBER_NONE, NUMBER_FITS, NUMBER_TOO_LARGE };

/* cell: with a NUL behind it.  Of an unsigned one, whether there is a sign below 0 is the caller's
 * question. */
static enum number read_integer(const char *cell, int64_t *value)
{
    const char *begin = skip_spaces(cell);
    char *end;

    if (!is_digit(*begin) && ((*begin != '-' && *begin != '+') || !is_digit(begin[1]))) {
        return NUMBER_NONE;
    }
    errno = 0;
    *value = strtoll(begin, &end, 10);
    if (errno == ERANGE) {
        return *end != '\0' ? NUMBER_NONE : NUMBER_TOO_LARGE;
    }
    return *skip_spaces(end) != '\0' ? NUMBER_NONE : NUMBER_FITS;
}

static enum number read_unsigned(const char *cell, uint64_t *value)
{
    const char *begin = skip_spaces(cell);
    char *end;

    begin += *begin == '+';
    if (!is_digit(*begin)) {
        return NUMBER_NONE;
    }
    errno = 0;
    *value = strtoull(begin, &end, 10);
    if (errno == ERANGE) {
        return *end != '\0' ? NUMBER_NONE : NUMBER_TOO_LARGE;
    }
    return *skip_spaces(end) != '\0' ? NUMBER_NONE : NUMBER_FITS;
}

/* An integer as Python's int() reads it, to [strlen(cell) + 1] characters as str() writes it. */
static bool read_large(const char *cell, char *text)
{
    const char *p = skip_spaces(cell);
    bool is_negative = *p == '-';
    size_t n = 0;

    p += *p == '-' || *p == '+';
    if (!is_digit(*p)) {
        return false;
    }
    if (is_negative) {
        text[n++] = '-';
    }
    for (; is_digit(*p) || (*p == '_' && is_digit(p[-1]) && is_digit(p[1])); p++) {
        bool is_leading = n == (is_negative ? 1u : 0u) && *p == '0';

        if (*p != '_' && !is_leading) {
            text[n++] = *p;
        }
    }
    if (*skip_spaces(p) != '\0') {
        return false;
    }
    n = n == 1 && is_negative ? 0 : n; /* -0 */
    if (n == 0) {
        text[n++] = '0';
    }
    text[n] = '\0';
    return true;
}

static const char *skip_digits(const char *p, size_t *n_digits)
{
    for (; is_digit(*p); p++) {
        ++*n_digits;
    }
    return p;
}

/* Digits with a point or not, and an exponent or not; strtod() alone would take more. */
static bool read_decimal(const char *cell, double *value)
{
    const char *begin = skip_spaces(cell), *p = begin;
    size_t n_digits = 0, n_exponent = 0;

    p = skip_digits(p + (*p == '-' || *p == '+'), &n_digits);
    if (*p == '.') {
        p = skip_digits(p + 1, &n_digits);
    }
    if (n_digits > 0 && (*p == 'e' || *p == 'E')) {
        p++;
        p = skip_digits(p + (*p == '-' || *p == '+'), &n_exponent);
        if (n_exponent == 0) {
            return false;
        }
    }
    *value = strtod(begin, NULL);
    return n_digits > 0 && *skip_spaces(p) == '\0';
}

static bool read_real(const char *cell, double *value)
{
    static const char *const names[] = {"inf", "infinity"};
    const char *name = cell + (*cell == '-' || *cell == '+');

    if (read_decimal(cell, value)) {
        return true;
    }
    *value = *cell == '-' ? -INFINITY : INFINITY;
    return strcasecmp(name, names[0]) == 0 || strcasecmp(name, names[1]) == 0;
}

/* ------------------------------------------------------------------------------------------------
 * Guessing
 * --------------------------------------------------------------------------------------------- */

/* pandas tries int64, uint64 where one does not fit, and Python's integers where one does not fit
 * that either; what is no integer ends the first two attempts, and the column is tried as reals. */
static void guess_integer(struct column_guess *guess, const char *cell)
{
    enum number number = NUMBER_NONE;
    int64_t value = 0;
    uint64_t natural = 0;

    if (!guess->is_unsigned) {
        number = read_integer(cell, &value);
        guess->is_unsigned = number == NUMBER_TOO_LARGE;
        guess->has_negative |= number == NUMBER_FITS && value < 0;
    }
    if (guess->is_unsigned) {
        if (*skip_spaces(cell) == '-') {
            guess->has_negative = true;
            return;
        }
        number = read_unsigned(cell, &natural);
        guess->has_unsigned |= number == NUMBER_FITS && natural > INT64_MAX;
        guess->is_large = number == NUMBER_TOO_LARGE;
    }
    guess->is_not_integer |= number == NUMBER_NONE;
}

void column_guess_add(struct column_guess *guess, const char *cell, size_t n_bytes)
{
    char word[LONGEST], large[LONGEST];
    double real;
    bool boolean;

    if (column_is_missing_word(cell, n_bytes)) {
        guess->has_missing = true;
        return;
    }
    guess->has_value = true;
    if (guess->is_not_integer && guess->is_not_large && guess->is_not_real &&
        guess->is_not_boolean) {
        return;
    }
    if (n_bytes >= sizeof word || memchr(cell, '\0', n_bytes) != NULL) {
        guess->is_not_integer |= !guess->is_large;
        guess->is_not_large = guess->is_not_real = guess->is_not_boolean = true;
        return;
    }
    memcpy(word, cell, n_bytes);
    word[n_bytes] = '\0';
    if (!guess->is_not_integer && !guess->is_large) {
        guess_integer(guess, word);
    }
    guess->is_not_large = guess->is_not_large || !read_large(word, large);
    guess->is_not_real = guess->is_not_real || !read_real(word, &real);
    guess->is_not_boolean = guess->is_not_boolean || !read_boolean(word, n_bytes, &boolean);
}

static enum column_kind kind_of_integers(const struct column_guess *guess)
{
    if (!guess->is_unsigned) {
        return guess->has_missing ? COLUMN_INTEGER_REAL : COLUMN_INTEGER;
    }
    if (!guess->is_large && guess->has_unsigned && (guess->has_negative || guess->has_missing)) {
        return COLUMN_RAW;
    }
    if (!guess->is_large && !guess->has_negative) {
        return COLUMN_UNSIGNED;
    }
    return guess->is_not_large ? COLUMN_RAW : COLUMN_LARGE;
}

enum column_kind column_guess_end(const struct column_guess *guess)
{
    if (!guess->has_value) {
        return COLUMN_MISSING;
    }
    if (!guess->is_not_integer) {
        return kind_of_integers(guess);
    }
    if (!guess->is_not_real) {
        return COLUMN_REAL;
    }
    if (!guess->is_not_boolean) {
        return guess->has_missing ? COLUMN_BOOLEAN_OBJECT : COLUMN_BOOLEAN;
    }
    return COLUMN_TEXT;
}

size_t column_rows_of_part(size_t n_columns)
{
    size_t limit = ((size_t)1 << 20) / (n_columns > 0 ? n_columns : 1), n_rows = 1;

    while (n_rows * 2 < limit) {
        n_rows *= 2;
    }
    return n_rows;
}

void column_join(enum column_kind *kinds, size_t n)
{
    bool all_integers = true, all_numbers = true;

    for (size_t i = 0; i < n; i++) {
        all_integers &= kinds[i] == kinds[0];
        all_numbers &= kinds[i] <= COLUMN_INTEGER_REAL;
    }
    for (size_t i = 0; i < n && all_numbers && !all_integers; i++) {
        kinds[i] = kinds[i] == COLUMN_INTEGER || kinds[i] == COLUMN_UNSIGNED ? COLUMN_INTEGER_REAL
                                                                             : kinds[i];
    }
}

/* ------------------------------------------------------------------------------------------------
 * Showing
 * --------------------------------------------------------------------------------------------- */

/* The shortest digits that give the value back, their exponent: d.ddd * 10^exponent. */
static int shortest_digits(double value, char digits[20])
{
    char text[40], *mark;
    int precision = 0;

    do {
        snprintf(text, sizeof text, "%.*e", precision, value);
    } while (strtod(text, NULL) != value && ++precision < 17);
    mark = strchr(text, 'e');
    digits[0] = text[0];
    snprintf(digits + 1, 19, "%.*s", precision, text + 2);
    return (int)strtol(mark + 1, NULL, 10);
}

/* Python's repr: an exponent below -4 or from 16 on, else at least one digit behind the point. */
size_t column_real(double value, char text[COLUMN_REAL_BYTES])
{
    char digits[20];
    const char *sign = signbit(value) ? "-" : "";
    int exponent, n_digits, n;

    if (!isfinite(value)) {
        n = snprintf(text, COLUMN_REAL_BYTES, "%s", isnan(value) ? "nan" : *sign ? "-inf" : "inf");
        return (size_t)n;
    }
    exponent = shortest_digits(fabs(value), digits);
    n_digits = (int)strlen(digits);
    if (exponent < -4 || exponent >= 16) {
        n = snprintf(text, COLUMN_REAL_BYTES, "%s%c%s%se%c%02d", sign, digits[0],
                     n_digits > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        n = snprintf(text, COLUMN_REAL_BYTES, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
    } else if (n_digits <= exponent + 1) {
        n = snprintf(text, COLUMN_REAL_BYTES, "%s%s%.*s.0", sign, digits, exponent + 1 - n_digits,
                     "000000000000000");
    } else {
        n = snprintf(text, COLUMN_REAL_BYTES, "%s%.*s.%s", sign, exponent + 1, digits,
                     digits + exponent + 1);
    }
    return (size_t)n;
}

/* word: a cell of a column of that kind, so it can be read as such.  text: [LONGEST] */
static void show(enum column_kind kind, const char *word, size_t n_bytes, char *text)
{
    int64_t integer = 0;
    uint64_t natural = 0;
    double real = 0;
    bool boolean = false;

    switch (kind) {
    case COLUMN_INTEGER:
    case COLUMN_UNSIGNED:
    case COLUMN_LARGE:
        read_large(word, text);
        break;
    case COLUMN_INTEGER_REAL:
        if (read_integer(word, &integer) == NUMBER_FITS) {
            column_real((double)integer, text);
        } else {
            read_unsigned(word, &natural);
            column_real((double)natural, text);
        }
        break;
    case COLUMN_REAL:
        read_real(word, &real);
        column_real(real, text);
        break;
    default:
        read_boolean(word, n_bytes, &boolean);
        snprintf(text, LONGEST, "%s", boolean ? "True" : "False");
    }
}

enum omma_status column_text(enum column_kind kind, const char *cell, size_t n_bytes,
                             struct text *text, bool *has_value, struct omma_error *error)
{
    char word[LONGEST], shown[LONGEST];
    bool is_text = kind == COLUMN_TEXT || kind == COLUMN_RAW;

    *text = (struct text){0};
    *has_value = kind == COLUMN_RAW || !column_is_missing_word(cell, n_bytes);
    if (*has_value && !is_text) {
        snprintf(word, sizeof word, "%.*s", (int)n_bytes, cell);
        show(kind, word, n_bytes, shown);
        cell = shown;
        n_bytes = strlen(shown);
    }
    if (!*has_value) {
        n_bytes = 0;
    }
    text->bytes = malloc(n_bytes + 1);
    if (text->bytes == NULL) {
        return fail_memory(error);
    }
    memcpy(text->bytes, cell, n_bytes);
    text->bytes[n_bytes] = '\0';
    text->n_bytes = n_bytes;
    return OMMA_OK;
}
