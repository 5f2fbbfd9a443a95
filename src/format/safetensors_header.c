/*
 * The JSON of a header, member by member, over the pull parser.  Every fault is a message with the
 * offset of the byte in the file.
 */
#include "format/safetensors_header.h"

#include <string.h>

#include "base/checked.h"
#include "format/json_pull.h"

enum { MAX_RANK = 8, MAX_DIMENSION = 0x7FFFFFFF };

/* ------------------------------------------------------------------------------------------------
 * Element types
 * --------------------------------------------------------------------------------------------- */

static const struct element_type {
    const char *name;
    size_t n_bytes;
} element_types[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
    {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
    {"F32", 4},  {"I64", 8}, {"U64", 8}, {"F64", 8},     {"C64", 8},
};

static const struct element_type *find_element_type(const struct omma_json_token *token)
{
    for (size_t i = 0; i < sizeof element_types / sizeof *element_types; i++) {
        if (omma_json_token_is(token, element_types[i].name)) {
            return &element_types[i];
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Messages
 * --------------------------------------------------------------------------------------------- */

struct reader {
    struct omma_safetensors *file;
    struct omma_json_pull pull;
    bool fill;          /* second pass */
    size_t metadata_at; /* of the __metadata__ key in the header; 0: none yet */
    struct omma_error *error;
};

static enum omma_status fail_at(const struct reader *reader, size_t at, const char *expected,
                                const char *found)
{
    return omma_fail(reader->error, OMMA_STATUS_MODEL, "%s: header @%zu: expected %s, found %s",
                     reader->file->mapping->path, OMMA_SAFETENSORS_LENGTH_BYTES + at, expected,
                     found);
}

/* expected is NULL for a token that is invalid in itself, which says so. */
static enum omma_status fail_token(const struct reader *reader, const struct omma_json_token *token,
                                   const char *expected)
{
    char excerpt[48];
    size_t n = omma_min(token->n_bytes, sizeof excerpt - 1);

    if (token->kind == OMMA_JSON_INVALID) {
        return omma_fail(reader->error, OMMA_STATUS_MODEL, "%s: header @%zu: %s",
                         reader->file->mapping->path, OMMA_SAFETENSORS_LENGTH_BYTES + token->at,
                         token->problem);
    }
    if (token->kind == OMMA_JSON_END) {
        return fail_at(reader, token->at, expected, "the end of the header");
    }
    memcpy(excerpt, token->text, n);
    excerpt[n] = '\0';
    return fail_at(reader, token->at, expected, excerpt);
}

/* Take the next token, which must be of the kind. */
static enum omma_status take(struct reader *reader, enum omma_json_kind kind, const char *expected,
                             struct omma_json_token *token)
{
    *token = omma_json_pull_next(&reader->pull);
    return token->kind == kind ? OMMA_OK : fail_token(reader, token, expected);
}

static enum omma_status take_key(struct reader *reader, struct omma_json_token *token)
{
    struct omma_json_token colon;

    OMMA_TRY(take(reader, OMMA_JSON_STRING, "a key", token));
    if (token->has_nul) {
        return fail_at(reader, token->at, "a name", "one with a NUL in it");
    }
    return take(reader, OMMA_JSON_COLON, "':'", &colon);
}

/* Behind a member: *more tells whether another follows or close ended them. */
static enum omma_status take_separator(struct reader *reader, enum omma_json_kind close,
                                       const char *expected, bool *more)
{
    struct omma_json_token token = omma_json_pull_next(&reader->pull);

    if (token.kind != OMMA_JSON_COMMA && token.kind != close) {
        return fail_token(reader, &token, expected);
    }
    *more = token.kind == OMMA_JSON_COMMA;
    return OMMA_OK;
}

/* Whether the object or array that was just begun ends at once; takes its end then. */
static bool take_end_of_empty(struct reader *reader, enum omma_json_kind close)
{
    struct omma_json_pull ahead = reader->pull;

    if (omma_json_pull_next(&ahead).kind != close) {
        return false;
    }
    reader->pull = ahead;
    return true;
}

/* What a string stands for, in its own place.  Its token is spent. */
static const char *keep_text(struct reader *reader, const struct omma_json_token *token)
{
    char *text = reader->file->header + (token->at + 1); /* behind the opening quote */

    text[omma_json_token_unescape(token, text)] = '\0';
    return text;
}

/* ------------------------------------------------------------------------------------------------
 * One tensor
 * --------------------------------------------------------------------------------------------- */

static enum omma_status read_shape(struct reader *reader, struct omma_tensor *tensor)
{
    struct omma_json_token token;
    bool more = true;

    OMMA_TRY(take(reader, OMMA_JSON_ARRAY_BEGIN, "an array of dimensions", &token));
    tensor->n_dimensions = 0;
    if (take_end_of_empty(reader, OMMA_JSON_ARRAY_END)) {
        return OMMA_OK;
    }
    while (more) {
        size_t dimension;

        OMMA_TRY(take(reader, OMMA_JSON_NUMBER, "a dimension", &token));
        if (!omma_json_token_size(&token, &dimension) || dimension > MAX_DIMENSION) {
            return fail_token(reader, &token, "a dimension from 0 to 2^31 - 1");
        }
        if (tensor->n_dimensions == MAX_RANK) {
            return fail_token(reader, &token, "at most 8 dimensions");
        }
        tensor->shape[tensor->n_dimensions++] = dimension;
        OMMA_TRY(take_separator(reader, OMMA_JSON_ARRAY_END, "',' or ']'", &more));
    }
    return OMMA_OK;
}

static enum omma_status read_offsets(struct reader *reader, size_t offsets[2])
{
    struct omma_json_token token;

    OMMA_TRY(take(reader, OMMA_JSON_ARRAY_BEGIN, "an array of two offsets", &token));
    for (size_t i = 0; i < 2; i++) {
        OMMA_TRY(take(reader, OMMA_JSON_NUMBER, "an offset", &token));
        if (!omma_json_token_size(&token, &offsets[i])) {
            return fail_token(reader, &token, "an offset");
        }
        OMMA_TRY(take(reader, i == 0 ? OMMA_JSON_COMMA : OMMA_JSON_ARRAY_END,
                      i == 0 ? "','" : "']'", &token));
    }
    return OMMA_OK;
}

/* Shape x type = size, and the data lies in the file.  Zero dimensions do not hide an overflow of
 * the others. */
static enum omma_status check_extent(const struct reader *reader,
                                     const struct omma_json_token *name, struct omma_tensor *tensor,
                                     size_t element_bytes, const size_t offsets[2])
{
    const struct omma_safetensors *file = reader->file;
    size_t n_data = file->mapping->n_bytes - file->header_bytes;
    size_t n_bytes = element_bytes;
    bool is_empty = false;
    int n_name = (int)omma_min(name->n_bytes, 200);

    for (size_t i = 0; i < tensor->n_dimensions; i++) {
        is_empty = is_empty || tensor->shape[i] == 0;
        if (tensor->shape[i] != 0 && !omma_checked_multiply(n_bytes, tensor->shape[i], &n_bytes)) {
            return omma_fail(reader->error, OMMA_STATUS_MODEL,
                             "%s: %.*s @%zu: expected a shape of fewer than 2^64 bytes, found more",
                             file->mapping->path, n_name, name->text,
                             OMMA_SAFETENSORS_LENGTH_BYTES + name->at);
        }
    }
    n_bytes = is_empty ? 0 : n_bytes;
    if (offsets[1] < offsets[0] || offsets[1] > n_data) {
        return omma_fail(reader->error, OMMA_STATUS_MODEL,
                         "%s: %.*s @%zu: expected offsets that rise within the %zu bytes of data, "
                         "found %zu to %zu",
                         file->mapping->path, n_name, name->text,
                         OMMA_SAFETENSORS_LENGTH_BYTES + name->at, n_data, offsets[0], offsets[1]);
    }
    if (offsets[1] - offsets[0] != n_bytes) {
        return omma_fail(reader->error, OMMA_STATUS_MODEL,
                         "%s: %.*s @%zu: expected %zu bytes for its shape and type, found %zu",
                         file->mapping->path, n_name, name->text,
                         OMMA_SAFETENSORS_LENGTH_BYTES + name->at, n_bytes,
                         offsets[1] - offsets[0]);
    }
    tensor->n_bytes = n_bytes;
    tensor->data = file->mapping->bytes + file->header_bytes + offsets[0];
    return OMMA_OK;
}

/* The object behind a tensor's name. */
static enum omma_status read_tensor(struct reader *reader, const struct omma_json_token *name)
{
    enum { DTYPE, SHAPE, OFFSETS, N_KEYS };
    static const char *const keys[N_KEYS] = {"dtype", "shape", "data_offsets"};
    struct omma_safetensors *file = reader->file;
    const struct element_type *type = NULL;
    struct omma_tensor tensor = {0};
    struct omma_json_token token;
    size_t key_at[N_KEYS] = {0}, offsets[2] = {0};
    bool more = true;

    OMMA_TRY(take(reader, OMMA_JSON_OBJECT_BEGIN, "an object that describes a tensor", &token));
    if (take_end_of_empty(reader, OMMA_JSON_OBJECT_END)) {
        return fail_at(reader, token.at, "dtype, shape and data_offsets", "none");
    }
    while (more) {
        size_t key = 0;

        OMMA_TRY(take_key(reader, &token));
        while (key < N_KEYS && !omma_json_token_is(&token, keys[key])) {
            key++;
        }
        if (key == N_KEYS) {
            return fail_token(reader, &token, "dtype, shape or data_offsets");
        }
        if (key_at[key] != 0) {
            return omma_fail(reader->error, OMMA_STATUS_MODEL,
                             "%s: header @%zu: expected each key once, found %s again, first @%zu",
                             file->mapping->path, OMMA_SAFETENSORS_LENGTH_BYTES + token.at,
                             keys[key], OMMA_SAFETENSORS_LENGTH_BYTES + key_at[key]);
        }
        key_at[key] = token.at;
        if (key == DTYPE) {
            OMMA_TRY(take(reader, OMMA_JSON_STRING, "the name of a type", &token));
            type = find_element_type(&token);
            if (type == NULL) {
                return fail_token(reader, &token, "a known type of elements (F32, BF16, F16, ...)");
            }
        } else if (key == SHAPE) {
            OMMA_TRY(read_shape(reader, &tensor));
        } else {
            OMMA_TRY(read_offsets(reader, offsets));
        }
        OMMA_TRY(take_separator(reader, OMMA_JSON_OBJECT_END, "',' or '}'", &more));
    }
    for (size_t key = 0; key < N_KEYS; key++) {
        if (key_at[key] == 0) {
            return fail_at(reader, name->at, "dtype, shape and data_offsets", "one missing");
        }
    }
    OMMA_TRY(check_extent(reader, name, &tensor, type->n_bytes, offsets));
    tensor.dtype = type->name;
    if (reader->fill) {
        tensor.name = keep_text(reader, name);
        file->tensors[file->n_tensors] = tensor;
    }
    file->n_tensors++;
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The header
 * --------------------------------------------------------------------------------------------- */

static enum omma_status read_metadata(struct reader *reader)
{
    struct omma_safetensors *file = reader->file;
    struct omma_json_token token;
    bool more = true;

    OMMA_TRY(take(reader, OMMA_JSON_OBJECT_BEGIN, "an object of texts", &token));
    if (take_end_of_empty(reader, OMMA_JSON_OBJECT_END)) {
        return OMMA_OK;
    }
    while (more) {
        struct omma_json_token value;

        OMMA_TRY(take_key(reader, &token));
        OMMA_TRY(take(reader, OMMA_JSON_STRING, "a text", &value));
        if (value.has_nul) {
            return fail_at(reader, value.at, "a text", "one with a NUL in it");
        }
        if (reader->fill) {
            file->pairs[file->n_pairs] = (struct omma_safetensors_pair){
                .key = (uint32_t)(keep_text(reader, &token) - file->header),
                .value = (uint32_t)(keep_text(reader, &value) - file->header),
            };
        }
        file->n_pairs++;
        OMMA_TRY(take_separator(reader, OMMA_JSON_OBJECT_END, "',' or '}'", &more));
    }
    return OMMA_OK;
}

static enum omma_status read_members(struct reader *reader)
{
    struct omma_json_token token;
    bool more = true;

    OMMA_TRY(take(reader, OMMA_JSON_OBJECT_BEGIN, "'{'", &token));
    more = !take_end_of_empty(reader, OMMA_JSON_OBJECT_END);
    while (more) {
        OMMA_TRY(take_key(reader, &token));
        if (!omma_json_token_is(&token, "__metadata__")) {
            OMMA_TRY(read_tensor(reader, &token));
        } else if (reader->metadata_at != 0) {
            return omma_fail(
                reader->error, OMMA_STATUS_MODEL,
                "%s: header @%zu: expected each key once, found __metadata__ again, first @%zu",
                reader->file->mapping->path, OMMA_SAFETENSORS_LENGTH_BYTES + token.at,
                OMMA_SAFETENSORS_LENGTH_BYTES + reader->metadata_at);
        } else {
            reader->metadata_at = token.at;
            OMMA_TRY(read_metadata(reader));
        }
        OMMA_TRY(take_separator(reader, OMMA_JSON_OBJECT_END, "',' or '}'", &more));
    }
    return take(reader, OMMA_JSON_END, "nothing behind the last '}' but spaces", &token);
}

enum omma_status omma_safetensors_read_header(struct omma_safetensors *file, bool fill,
                                              struct omma_error *error)
{
    struct reader reader = {
        .file = file,
        .pull = {.bytes = file->header,
                 .n_bytes = file->header_bytes - OMMA_SAFETENSORS_LENGTH_BYTES},
        .fill = fill,
        .error = error,
    };

    file->n_tensors = 0;
    file->n_pairs = 0;
    return read_members(&reader);
}
