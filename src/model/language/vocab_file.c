/* JSON (RFC 8259) as far as one object of strings and integers needs it; as strict as jansson. */
#include "model/language/vocab_file.h"

#include <stdlib.h>
#include <string.h>

#include "model/language/utf8.h"

static enum omma_status refuse(const struct omma_vocab_file *reader, const char *expected,
                               struct omma_error *error)
{
    const struct omma_source_file *file = reader->file;

    if (reader->at >= file->n_bytes) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @%zu: expected JSON: %s, found the end",
                         file->path, reader->at, expected);
    }
    return omma_fail(error, OMMA_STATUS_MODEL, "%s @%zu: expected JSON: %s, found byte 0x%02X",
                     file->path, reader->at, expected, (unsigned)(uint8_t)file->bytes[reader->at]);
}

/* The next byte that is no white space; -1 at the end. */
static int peek(struct omma_vocab_file *reader)
{
    const struct omma_source_file *file = reader->file;

    for (; reader->at < file->n_bytes; reader->at++) {
        char byte = file->bytes[reader->at];

        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            return (uint8_t)byte;
        }
    }
    return -1;
}

enum omma_status omma_vocab_file_begin(const struct omma_source_file *file,
                                       struct omma_vocab_file *reader, struct omma_error *error)
{
    *reader = (struct omma_vocab_file){.file = file};
    if (omma_utf8_check(file->path, file->bytes, file->n_bytes, error) != OMMA_OK) {
        if (error != NULL) {
            error->status = OMMA_STATUS_MODEL;
        }
        return OMMA_STATUS_MODEL;
    }
    if (peek(reader) != '{') {
        return refuse(reader, "an object", error);
    }
    reader->at++;
    reader->name = malloc(file->n_bytes);
    if (reader->name == NULL) {
        return omma_fail_memory(error, file->n_bytes, file->path);
    }
    return OMMA_OK;
}

void omma_vocab_file_end(struct omma_vocab_file *reader)
{
    free(reader->name);
    *reader = (struct omma_vocab_file){0};
}

/* The four digits at `at`; -1 if there are not four. */
static int32_t read_hex(const struct omma_source_file *file, size_t at)
{
    int32_t value = 0;

    for (size_t i = at; i < at + 4; i++) {
        char digit = i < file->n_bytes ? file->bytes[i] : '?';

        if (digit >= '0' && digit <= '9') {
            value = value * 16 + digit - '0';
        } else if (digit >= 'a' && digit <= 'f') {
            value = value * 16 + digit - 'a' + 10;
        } else if (digit >= 'A' && digit <= 'F') {
            value = value * 16 + digit - 'A' + 10;
        } else {
            return -1;
        }
    }
    return value;
}

static size_t write_utf8(char *text, uint32_t code)
{
    static const uint8_t first[] = {0x00, 0x00, 0xC0, 0xE0, 0xF0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = n; i-- > 1; code >>= 6) {
        text[i] = (char)(0x80 | (code & 0x3F));
    }
    text[0] = (char)(first[n] | code);
    return n;
}

/* \uXXXX, or two of them that make a pair, at the u; NUL and lone surrogates are refused. */
static enum omma_status read_unicode(struct omma_vocab_file *reader, size_t *n_name,
                                     struct omma_error *error)
{
    const struct omma_source_file *file = reader->file;
    int32_t code = read_hex(file, reader->at + 1);

    if (code <= 0 || (code >= 0xDC00 && code <= 0xDFFF)) {
        return refuse(reader, "four digits that make a character", error);
    }
    reader->at += 5;
    if (code >= 0xD800 && code <= 0xDBFF) {
        bool has_escape = reader->at + 1 < file->n_bytes && file->bytes[reader->at] == '\\' &&
                          file->bytes[reader->at + 1] == 'u';
        int32_t low = has_escape ? read_hex(file, reader->at + 2) : -1;

        if (low < 0xDC00 || low > 0xDFFF) {
            return refuse(reader, "the second half of a surrogate pair", error);
        }
        reader->at += 6;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *n_name += write_utf8(reader->name + *n_name, (uint32_t)code);
    return OMMA_OK;
}

/* An escape, at the byte after the backslash. */
static enum omma_status read_escape(struct omma_vocab_file *reader, size_t *n_name,
                                    struct omma_error *error)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const struct omma_source_file *file = reader->file;
    char letter = reader->at < file->n_bytes ? file->bytes[reader->at] : '\0';
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;

    if (letter == 'u') {
        return read_unicode(reader, n_name, error);
    }
    if (found == NULL) {
        return refuse(reader, "an escape", error);
    }
    reader->name[(*n_name)++] = meanings[found - letters];
    reader->at++;
    return OMMA_OK;
}

/* From behind the opening quote to behind the closing one. */
static enum omma_status read_name(struct omma_vocab_file *reader, struct omma_vocab_pair *pair,
                                  struct omma_error *error)
{
    const struct omma_source_file *file = reader->file;
    size_t begin = reader->at, n_name = 0;
    bool is_copied = false;

    for (;;) {
        uint8_t byte = reader->at < file->n_bytes ? (uint8_t)file->bytes[reader->at] : 0;

        if (byte < 0x20) {
            return refuse(reader, "the rest of a string", error);
        }
        if (byte == '"') {
            break;
        }
        if (byte == '\\') {
            if (!is_copied) {
                n_name = reader->at - begin;
                memcpy(reader->name, file->bytes + begin, n_name);
                is_copied = true;
            }
            reader->at++;
            OMMA_TRY(read_escape(reader, &n_name, error));
            continue;
        }
        if (is_copied) {
            reader->name[n_name++] = (char)byte;
        }
        reader->at++;
    }
    pair->name = is_copied ? reader->name : file->bytes + begin;
    pair->n_name = is_copied ? n_name : reader->at - begin;
    reader->at++;
    return OMMA_OK;
}

static enum omma_status read_integer(struct omma_vocab_file *reader, struct omma_vocab_pair *pair,
                                     struct omma_error *error)
{
    const struct omma_source_file *file = reader->file;
    bool is_negative = peek(reader) == '-';
    int64_t value = 0;
    size_t begin;

    reader->at += is_negative;
    for (begin = reader->at; reader->at < file->n_bytes; reader->at++) {
        char digit = file->bytes[reader->at];

        if (digit < '0' || digit > '9' || value > INT64_MAX / 10 - 1 ||
            (reader->at == begin + 1 && value == 0)) {
            break;
        }
        value = value * 10 + digit - '0';
    }
    if (reader->at == begin) {
        return refuse(reader, "an integer", error);
    }
    pair->id = is_negative ? -value : value;
    return OMMA_OK;
}

enum omma_status omma_vocab_file_next(struct omma_vocab_file *reader, struct omma_vocab_pair *pair,
                                      bool *found, struct omma_error *error)
{
    int byte = peek(reader);

    if (byte == '}' && !reader->has_more) {
        reader->at++;
        if (peek(reader) != -1) {
            return refuse(reader, "nothing after the object", error);
        }
        *found = false;
        return OMMA_OK;
    }
    if (byte != '"') {
        return refuse(reader, "a name in quotes", error);
    }
    reader->at++;
    OMMA_TRY(read_name(reader, pair, error));
    if (peek(reader) != ':') {
        return refuse(reader, "a colon", error);
    }
    reader->at++;
    OMMA_TRY(read_integer(reader, pair, error));
    byte = peek(reader);
    reader->has_more = byte == ',';
    if (byte != ',' && byte != '}') {
        return refuse(reader, "a comma or the end of the object after an integer", error);
    }
    reader->at += reader->has_more;
    *found = true;
    return OMMA_OK;
}
