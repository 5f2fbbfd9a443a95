/*
 * A list: "[" items between commas, one more comma at the end allowed, "]", white space between.
 * A string may be of several that follow each other, in either quotes or three of them, with the
 * prefixes r and u; escapes are Python's but \N{...}.
 */
#include "tools/eval/literal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/eval/column.h"

/* What is left of the text, and whether all so far was as it must be. */
struct reader {
    const char *at, *end;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && *reader->at != '\0' &&
           strchr(" \t\n\r\f", *reader->at) != NULL) {
        reader->at++;
    }
}

static bool take(struct reader *reader, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, word, n) != 0) {
        return false;
    }
    reader->at += n;
    return true;
}

static size_t put_character(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Exactly n digits of a character's number; false if there are none or it is no character. */
static bool take_code(struct reader *reader, size_t n, uint32_t *c)
{
    *c = 0;
    for (size_t i = 0; i < n; i++) {
        char digit;

        if (reader->at == reader->end || !isxdigit((unsigned char)*reader->at)) {
            return false;
        }
        digit = *reader->at++;
        *c = *c << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return *c <= 0x10FFFF && (*c < 0xD800 || *c > 0xDFFF);
}

/* What stands behind a backslash, to *out, which moves. */
static bool take_escape(struct reader *reader, char **out)
{
    static const char letters[] = "abfnrtv", meanings[] = "\a\b\f\n\r\t\v";
    const char *letter;
    uint32_t c = 0;
    char escape = *reader->at++;

    if (escape == '\n') {
        return true;
    }
    if (escape >= '0' && escape <= '7') {
        c = (uint32_t)(escape - '0');
        for (int i = 0;
             i < 2 && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '7'; i++) {
            c = c << 3 | (uint32_t)(*reader->at++ - '0');
        }
        *out += put_character(c, *out);
        return true;
    }
    if (escape == 'x' || escape == 'u' || escape == 'U') {
        if (!take_code(reader, escape == 'x' ? 2 : escape == 'u' ? 4 : 8, &c)) {
            return false;
        }
        *out += put_character(c, *out);
        return true;
    }
    letter = escape != '\0' ? strchr(letters, escape) : NULL;
    if (letter != NULL) {
        *(*out)++ = meanings[letter - letters];
    } else if (escape == '\\' || escape == '\'' || escape == '"') {
        *(*out)++ = escape;
    } else if (escape == 'N') {
        return false;
    } else {
        *(*out)++ = '\\';
        *(*out)++ = escape;
    }
    return true;
}

/* One string from its quote on, to *out, which moves; never longer than it is written. */
static bool take_string(struct reader *reader, bool is_raw, char **out)
{
    const char quote[] = {*reader->at, '\0'}, quotes[] = {*quote, *quote, *quote, '\0'};
    bool is_long = take(reader, quotes);

    if (!is_long) {
        reader->at++;
    }
    while (reader->at < reader->end) {
        if (take(reader, is_long ? quotes : quote)) {
            return true;
        }
        if (*reader->at == '\n' && !is_long) {
            return false;
        }
        if (*reader->at != '\\') {
            *(*out)++ = *reader->at++;
            continue;
        }
        reader->at++;
        if (reader->at == reader->end) {
            return false;
        }
        if (is_raw) {
            *(*out)++ = '\\';
            *(*out)++ = *reader->at++;
        } else if (!take_escape(reader, out)) {
            return false;
        }
    }
    return false;
}

/* Whether a string begins here; moves to its quote. */
static bool at_string(struct reader *reader, bool *is_raw)
{
    const char *at = reader->at;

    *is_raw = at < reader->end && (*at == 'r' || *at == 'R');
    at += at < reader->end && *at != '\0' && strchr("rRuU", *at) != NULL;
    if (at == reader->end || (*at != '\'' && *at != '"')) {
        return false;
    }
    reader->at = at;
    return true;
}

/* As Python writes it: in ASCII, and an integer without zeros before it. */
static bool is_number_literal(struct slice word, bool is_integer)
{
    size_t sign = word.n_bytes > 0 && (*word.bytes == '-' || *word.bytes == '+');
    size_t n_zeros = sign;

    for (size_t i = 0; i < word.n_bytes; i++) {
        if ((unsigned char)word.bytes[i] >= 0x80) {
            return false;
        }
    }
    while (n_zeros < word.n_bytes && (word.bytes[n_zeros] == '0' || word.bytes[n_zeros] == '_')) {
        n_zeros++;
    }
    return !is_integer || n_zeros == sign || n_zeros == word.n_bytes ||
           !isdigit((unsigned char)word.bytes[n_zeros]);
}

static enum omma_status take_number(struct reader *reader, struct text *item, bool *is_item,
                                    struct omma_error *error)
{
    char real[COLUMN_REAL_BYTES], *digits;
    struct slice word = {reader->at, 0};
    double value;

    while (reader->at < reader->end && *reader->at != ',' && *reader->at != ']') {
        reader->at++;
    }
    word.n_bytes = (size_t)(reader->at - word.bytes);
    TRY(pytext_int(word, &digits, error));
    *is_item = is_number_literal(word, digits != NULL);
    if (digits != NULL) {
        *item = (struct text){digits, strlen(digits)};
        return OMMA_OK;
    }
    if (*is_item) {
        TRY(pytext_float(word, is_item, &value, error));
    }
    if (!*is_item) {
        return OMMA_OK;
    }
    real[column_real(value, real)] = '\0';
    return text_copy(real, item, error);
}

/* Whether what stands here could be a number; the words "inf" and "nan" are names. */
static bool at_number(const struct reader *reader)
{
    return reader->at < reader->end &&
           (isdigit((unsigned char)*reader->at) || *reader->at == '.' ||
            (reader->at + 1 < reader->end && (*reader->at == '-' || *reader->at == '+') &&
             (isdigit((unsigned char)reader->at[1]) || reader->at[1] == '.')));
}

static enum omma_status take_item(struct reader *reader, struct text *item, bool *is_item,
                                  struct omma_error *error)
{
    static const char *const names[] = {"True", "False", "None"};
    bool is_raw;
    char *out;

    *is_item = false;
    if (at_number(reader)) {
        return take_number(reader, item, is_item, error);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (take(reader, names[i])) {
            *is_item = true;
            return text_copy(names[i], item, error);
        }
    }
    if (!at_string(reader, &is_raw)) {
        return OMMA_OK;
    }
    item->bytes = out = malloc((size_t)(reader->end - reader->at) + 1);
    if (out == NULL) {
        return fail_memory(error);
    }
    do {
        *is_item = take_string(reader, is_raw, &out);
        skip_space(reader);
    } while (*is_item && at_string(reader, &is_raw));
    *out = '\0';
    item->n_bytes = (size_t)(out - item->bytes);
    return OMMA_OK;
}

static enum omma_status add_item(struct literal_list *list, struct reader *reader, bool *is_item,
                                 struct omma_error *error)
{
    struct text *items = reallocarray(list->items, list->n_items + 1, sizeof *items);

    if (items == NULL) {
        return fail_memory(error);
    }
    list->items = items;
    items[list->n_items] = (struct text){0};
    return take_item(reader, &items[list->n_items++], is_item, error);
}

enum omma_status literal_list_parse(struct slice text, struct literal_list *list, bool *is_list,
                                    struct omma_error *error)
{
    struct reader reader = {text.bytes, text.bytes + text.n_bytes};
    bool is_good, is_closed = false;
    enum omma_status status = OMMA_OK;

    *list = (struct literal_list){0};
    skip_space(&reader);
    is_good = take(&reader, "[");
    while (is_good && !is_closed) {
        skip_space(&reader);
        is_closed = take(&reader, "]");
        if (!is_closed) {
            TRY_OR(status, done, add_item(list, &reader, &is_good, error));
            skip_space(&reader);
            is_closed = is_good && take(&reader, "]");
            is_good = is_good && (is_closed || take(&reader, ","));
        }
    }
    skip_space(&reader);
done:
    *is_list = status == OMMA_OK && is_closed && reader.at == reader.end;
    if (!*is_list) {
        literal_list_free(list);
    }
    return status;
}

void literal_list_free(struct literal_list *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        text_free(&list->items[i]);
    }
    free(list->items);
    *list = (struct literal_list){0};
}
