/*
 * A scanner of JSON's tokens (RFC 8259) by hand.  One pass, no allocation, no recursion; whether
 * the tokens make a document is the caller's business, who knows what it expects.
 */
#include "format/json_pull.h"

#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"

/* Four hexadecimal digits; false if they are not. */
static bool read_hex(const char *s, size_t n, unsigned *value)
{
    unsigned sum = 0;

    if (n < 4) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        char c = s[i];
        unsigned digit;

        if (c >= '0' && c <= '9') {
            digit = (unsigned)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (unsigned)(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = (unsigned)(c - 'A') + 10;
        } else {
            return false;
        }
        sum = sum * 16 + digit;
    }
    *value = sum;
    return true;
}

/* The escape at s ('\' first, n bytes left): its length and code point; 0 if it is none. */
static size_t read_escape(const char *s, size_t n, unsigned *code)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *letter;
    unsigned first, second;

    if (n < 2 || s[1] == '\0') {
        return 0;
    }
    letter = strchr(letters, s[1]);
    if (letter != NULL) {
        *code = (unsigned char)values[letter - letters];
        return 2;
    }
    if (s[1] != 'u' || !read_hex(s + 2, n - 2, &first)) {
        return 0;
    }
    if (first < 0xD800 || first > 0xDFFF) {
        *code = first;
        return 6;
    }
    if (first > 0xDBFF || n < 12 || s[6] != '\\' || s[7] != 'u' ||
        !read_hex(s + 8, n - 8, &second) || second < 0xDC00 || second > 0xDFFF) {
        return 0; /* a lone surrogate stands for no character */
    }
    *code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    return 12;
}

static struct omma_json_token invalid(size_t at, const char *problem)
{
    return (struct omma_json_token){.kind = OMMA_JSON_INVALID, .at = at, .problem = problem};
}

static struct omma_json_token scan_string(struct omma_json_pull *pull)
{
    struct omma_json_token token = {.kind = OMMA_JSON_STRING, .at = pull->at};
    const char *s = pull->bytes;
    size_t at = pull->at + 1, n = pull->n_bytes;

    while (at < n && s[at] != '"') {
        size_t length;

        if (s[at] == '\\') {
            unsigned code = 0;

            length = read_escape(s + at, n - at, &code);
            if (length == 0) {
                return invalid(at,
                               "expected an escape, found a damaged one or half a surrogate pair");
            }
            token.has_escapes = true;
            token.has_nul = token.has_nul || code == 0;
        } else if ((unsigned char)s[at] < 0x20) {
            return invalid(at, "expected the end of a string, found a control character");
        } else {
            if (omma_utf8_next(s + at, n - at, &length, NULL) != OMMA_UTF8_WHOLE) {
                return invalid(at, "expected UTF-8, found a byte that is none");
            }
        }
        at += length;
    }
    if (at >= n) {
        return invalid(pull->at, "expected the end of the string that begins here, found none");
    }
    token.text = s + pull->at + 1;
    token.n_bytes = at - pull->at - 1;
    pull->at = at + 1;
    return token;
}

static size_t skip_digits(const struct omma_json_pull *pull, size_t at)
{
    while (at < pull->n_bytes && pull->bytes[at] >= '0' && pull->bytes[at] <= '9') {
        at++;
    }
    return at;
}

static struct omma_json_token scan_number(struct omma_json_pull *pull)
{
    static const char problem[] = "expected a number, found a damaged one";
    struct omma_json_token token = {.kind = OMMA_JSON_NUMBER, .at = pull->at};
    const char *s = pull->bytes;
    size_t at = pull->at, n = pull->n_bytes, digits;

    if (s[at] == '-') {
        at++;
    }
    digits = at;
    at = skip_digits(pull, at);
    if (at == digits || (s[digits] == '0' && at > digits + 1)) {
        return invalid(pull->at, problem);
    }
    if (at < n && s[at] == '.') {
        digits = at + 1;
        at = skip_digits(pull, digits);
        if (at == digits) {
            return invalid(pull->at, problem);
        }
    }
    if (at < n && (s[at] == 'e' || s[at] == 'E')) {
        at++;
        if (at < n && (s[at] == '+' || s[at] == '-')) {
            at++;
        }
        digits = at;
        at = skip_digits(pull, at);
        if (at == digits) {
            return invalid(pull->at, problem);
        }
    }
    token.text = s + pull->at;
    token.n_bytes = at - pull->at;
    pull->at = at;
    return token;
}

static struct omma_json_token scan_word(struct omma_json_pull *pull)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);

        if (pull->n_bytes - pull->at >= length &&
            memcmp(pull->bytes + pull->at, words[i], length) == 0) {
            struct omma_json_token token = {
                .kind = OMMA_JSON_WORD,
                .at = pull->at,
                .text = pull->bytes + pull->at,
                .n_bytes = length,
            };

            pull->at += length;
            return token;
        }
    }
    return invalid(pull->at, "expected JSON, found a byte that begins nothing");
}

struct omma_json_token omma_json_pull_next(struct omma_json_pull *pull)
{
    static const char marks[] = "{}[]:,"; /* in the order of their kinds */
    const char *mark;
    char c;

    while (pull->at < pull->n_bytes &&
           (pull->bytes[pull->at] == ' ' || (pull->bytes[pull->at] >= '\t' &&
                                             memchr("\t\n\r", pull->bytes[pull->at], 3) != NULL))) {
        pull->at++;
    }
    if (pull->at == pull->n_bytes) {
        return (struct omma_json_token){.kind = OMMA_JSON_END, .at = pull->at};
    }
    c = pull->bytes[pull->at];
    if (c == '"') {
        return scan_string(pull);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return scan_number(pull);
    }
    mark = c == '\0' ? NULL : strchr(marks, c);
    if (mark == NULL) {
        return scan_word(pull);
    }
    pull->at++;
    return (struct omma_json_token){
        .kind = (enum omma_json_kind)(mark - marks),
        .at = pull->at - 1,
        .text = pull->bytes + pull->at - 1,
        .n_bytes = 1,
    };
}

static size_t write_utf8(unsigned code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t omma_json_token_unescape(const struct omma_json_token *token, char *out)
{
    size_t n = 0;

    if (!token->has_escapes) {
        memmove(out, token->text, token->n_bytes);
        return token->n_bytes;
    }
    for (size_t at = 0; at < token->n_bytes;) {
        if (token->text[at] == '\\') {
            unsigned code = 0;

            at += read_escape(token->text + at, token->n_bytes - at, &code);
            n += write_utf8(code, out + n);
        } else {
            out[n++] = token->text[at++];
        }
    }
    return n;
}

bool omma_json_token_is(const struct omma_json_token *token, const char *word)
{
    return !token->has_escapes && token->n_bytes == strlen(word) &&
           memcmp(token->text, word, token->n_bytes) == 0;
}

bool omma_json_token_size(const struct omma_json_token *token, size_t *value)
{
    size_t sum = 0;

    for (size_t i = 0; i < token->n_bytes; i++) {
        char c = token->text[i];

        if (c < '0' || c > '9' || !omma_checked_multiply(sum, 10, &sum) ||
            !omma_checked_add(sum, (size_t)(c - '0'), &sum)) {
            return false;
        }
    }
    *value = sum;
    return true;
}
