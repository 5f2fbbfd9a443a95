/*
 * Python's str, as far as the rules of scoring need it.
 *
 * int() and float() first write the text in ASCII, as CPython's
 * _PyUnicode_TransformDecimalAndSpaceToASCII() does: spaces beyond ASCII become ' ', decimal digits
 * 0 to 9, anything else '?', which neither takes.
 */
#include "tools/eval/pytext.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "tools/utf8.h"

enum {
    MAX_INT_DIGITS = 4300, /* sys.get_int_max_str_digits() */
    SIGMA = 0x3A3,
    SMALL_SIGMA = 0x3C3,
    FINAL_SIGMA = 0x3C2,
    DOTTED_I = 0x130,
    DOT_ABOVE = 0x307,
    REPLACEMENT = 0xFFFD,
};

struct slice slice_of(const char *string)
{
    return (struct slice){string, strlen(string)};
}

bool slice_equals(struct slice a, struct slice b)
{
    return a.n_bytes == b.n_bytes && (a.n_bytes == 0 || memcmp(a.bytes, b.bytes, a.n_bytes) == 0);
}

bool slice_is(struct slice text, const char *string)
{
    return slice_equals(text, slice_of(string));
}

bool slice_contains(struct slice text, struct slice part)
{
    return part.n_bytes == 0 ||
           (text.n_bytes >= part.n_bytes &&
            memmem(text.bytes, text.n_bytes, part.bytes, part.n_bytes) != NULL);
}

/* The character at a byte, and its bytes; what begins none is one byte. */
static size_t character_at(struct slice text, size_t at, uint32_t *character)
{
    size_t n = utf8_character(text.bytes + at, text.n_bytes - at, character);

    if (n == 0) {
        *character = REPLACEMENT;
        return 1;
    }
    return n;
}

static size_t separator_bytes(struct slice text, const char *separators, size_t at)
{
    uint32_t character;
    size_t n = character_at(text, at, &character);
    bool is_listed = character != 0 && character < 0x80 && strchr(separators, (int)character);

    return is_listed || utf8_is_space(character) ? n : 0;
}

bool pytext_next_word(struct slice text, const char *separators, size_t *at, struct slice *word)
{
    size_t n;
    uint32_t character;

    while (*at < text.n_bytes && (n = separator_bytes(text, separators, *at)) > 0) {
        *at += n;
    }
    word->bytes = text.bytes + *at;
    word->n_bytes = 0;
    while (*at < text.n_bytes && separator_bytes(text, separators, *at) == 0) {
        n = character_at(text, *at, &character);
        word->n_bytes += n;
        *at += n;
    }
    return word->n_bytes > 0;
}

size_t pytext_length(struct slice text)
{
    size_t length = 0;
    uint32_t character;

    for (size_t at = 0; at < text.n_bytes; at += character_at(text, at, &character)) {
        length++;
    }
    return length;
}

/* Unicode's Cased, without those that are also Case_Ignorable: letters with case, and the
 * Other_Lowercase and Other_Uppercase among the rest. */
static bool is_cased(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT || c == 0xAA || c == 0xBA ||
           (c >= 0x2160 && c <= 0x217F) || (c >= 0x24B6 && c <= 0x24E9) ||
           (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
           (c >= 0x1F170 && c <= 0x1F189);
}

/* Unicode's Case_Ignorable: marks, formats, modifiers, and what may stand within words. */
static bool is_case_ignorable(uint32_t c)
{
    static const uint32_t in_words[] = {'\'',   '.',    ':',    0xB7,   0x387,  0x55F,
                                        0x5F4,  0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                        0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};

    for (size_t i = 0; i < sizeof in_words / sizeof *in_words; i++) {
        if (c == in_words[i]) {
            return true;
        }
    }
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return false;
    }
}

static bool is_cased_before(struct slice text, size_t at)
{
    while (at > 0) {
        size_t start = at - 1;
        uint32_t c;

        while (start > 0 && at - start < 4 && ((unsigned char)text.bytes[start] & 0xC0) == 0x80) {
            start--;
        }
        if (utf8_character(text.bytes + start, at - start, &c) != at - start) {
            return false;
        }
        if (!is_case_ignorable(c)) {
            return is_cased(c);
        }
        at = start;
    }
    return false;
}

static bool is_cased_behind(struct slice text, size_t at)
{
    while (at < text.n_bytes) {
        uint32_t c;
        size_t n = character_at(text, at, &c);

        if (!is_case_ignorable(c)) {
            return is_cased(c);
        }
        at += n;
    }
    return false;
}

enum omma_status pytext_lower(struct slice text, struct text *lower, struct omma_error *error)
{
    /* the lower case of a character has at most 3 bytes where it has 2 */
    utf8proc_uint8_t *out = malloc(text.n_bytes / 2 * 3 + 2);
    size_t n_out = 0;

    if (out == NULL) {
        return fail_memory(error);
    }
    for (size_t at = 0; at < text.n_bytes;) {
        uint32_t c;
        size_t n = utf8_character(text.bytes + at, text.n_bytes - at, &c);

        if (n == 0) {
            out[n_out++] = (utf8proc_uint8_t)text.bytes[at++];
            continue;
        }
        if (c == DOTTED_I) {
            n_out += (size_t)utf8proc_encode_char('i', out + n_out);
            c = DOT_ABOVE;
        } else if (c == SIGMA) {
            c = is_cased_before(text, at) && !is_cased_behind(text, at + n) ? FINAL_SIGMA
                                                                            : SMALL_SIGMA;
        } else {
            c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
        }
        n_out += (size_t)utf8proc_encode_char((utf8proc_int32_t)c, out + n_out);
        at += n;
    }
    out[n_out] = '\0';
    *lower = (struct text){(char *)out, n_out};
    return OMMA_OK;
}

int pytext_digit(uint32_t character)
{
    uint32_t first = character;

    if (character < 0x80) {
        return character >= '0' && character <= '9' ? (int)(character - '0') : -1;
    }
    if (utf8proc_category((utf8proc_int32_t)character) != UTF8PROC_CATEGORY_ND) {
        return -1;
    }
    /* Unicode encodes decimal digits in runs of ten, from 0 on; some runs touch */
    while (utf8proc_category((utf8proc_int32_t)first - 1) == UTF8PROC_CATEGORY_ND) {
        first--;
    }
    return (int)((character - first) % 10);
}

/* In ASCII and without the space around it. */
static enum omma_status to_ascii(struct slice text, struct text *ascii, struct omma_error *error)
{
    char *out = malloc(text.n_bytes + 1);
    size_t n_out = 0, n_leading = 0;

    if (out == NULL) {
        return fail_memory(error);
    }
    for (size_t at = 0; at < text.n_bytes;) {
        uint32_t c;

        at += character_at(text, at, &c);
        if (c < 0x80) {
            out[n_out++] = c != 0 ? (char)c : '?';
        } else {
            int digit = pytext_digit(c);

            out[n_out++] = utf8_is_space(c) ? ' ' : digit >= 0 ? (char)('0' + digit) : '?';
        }
    }
    while (n_out > 0 && isspace((unsigned char)out[n_out - 1])) {
        n_out--;
    }
    while (n_leading < n_out && isspace((unsigned char)out[n_leading])) {
        n_leading++;
    }
    memmove(out, out + n_leading, n_out - n_leading);
    n_out -= n_leading;
    out[n_out] = '\0';
    *ascii = (struct text){out, n_out};
    return OMMA_OK;
}

/* Take away the underscores that stand between digits; false if there is another. */
static bool drop_underscores(struct text *text)
{
    size_t n = 0;

    for (size_t i = 0; i < text->n_bytes; i++) {
        if (text->bytes[i] != '_') {
            text->bytes[n++] = text->bytes[i];
        } else if (n == 0 || !isdigit((unsigned char)text->bytes[i - 1]) ||
                   !isdigit((unsigned char)text->bytes[i + 1])) {
            return false;
        }
    }
    text->bytes[n] = '\0';
    text->n_bytes = n;
    return true;
}

enum omma_status pytext_int(struct slice text, char **digits, struct omma_error *error)
{
    struct text ascii;
    bool is_negative;
    size_t first, n_zeros;

    *digits = NULL;
    TRY(to_ascii(text, &ascii, error));
    is_negative = ascii.bytes[0] == '-';
    first = is_negative || ascii.bytes[0] == '+';
    if (!drop_underscores(&ascii) || ascii.n_bytes == first ||
        ascii.n_bytes - first > MAX_INT_DIGITS ||
        strspn(ascii.bytes + first, "0123456789") != ascii.n_bytes - first) {
        text_free(&ascii);
        return OMMA_OK;
    }
    n_zeros = strspn(ascii.bytes + first, "0");
    if (first + n_zeros == ascii.n_bytes) {
        strcpy(ascii.bytes, "0");
    } else {
        memmove(ascii.bytes + is_negative, ascii.bytes + first + n_zeros,
                ascii.n_bytes - first - n_zeros + 1);
    }
    *digits = ascii.bytes;
    return OMMA_OK;
}

/* [sign] (inf | infinity | nan | digits [. [digits]] [exponent] | . digits [exponent]) */
static bool is_float(const char *text)
{
    size_t n_whole, n_fraction = 0;

    text += *text == '+' || *text == '-';
    if (strcasecmp(text, "inf") == 0 || strcasecmp(text, "infinity") == 0 ||
        strcasecmp(text, "nan") == 0) {
        return true;
    }
    n_whole = strspn(text, "0123456789");
    text += n_whole;
    if (*text == '.') {
        text++;
        n_fraction = strspn(text, "0123456789");
        text += n_fraction;
    }
    if (n_whole + n_fraction > 0 && (*text == 'e' || *text == 'E')) {
        text++;
        text += *text == '+' || *text == '-';
        n_whole = strspn(text, "0123456789");
        text += n_whole;
        return n_whole > 0 && *text == '\0';
    }
    return n_whole + n_fraction > 0 && *text == '\0';
}

enum omma_status pytext_float(struct slice text, bool *is_number, double *value,
                              struct omma_error *error)
{
    struct text ascii;

    TRY(to_ascii(text, &ascii, error));
    *is_number = drop_underscores(&ascii) && is_float(ascii.bytes);
    *value = *is_number ? strtod(ascii.bytes, NULL) : 0;
    text_free(&ascii);
    return OMMA_OK;
}
