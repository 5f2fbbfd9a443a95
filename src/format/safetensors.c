/*
 * Reads the header of a safetensors file in two passes of the same code: the first checks and
 * counts, the second fills arrays of exactly that size.  Both work on a private copy of the header,
 * so that a file written to meanwhile cannot make them differ; the second unescapes names where
 * they stand and puts a NUL over the closing quote.  So a header of n bytes takes O(n log n) time
 * and less than 4 n bytes of memory, whatever it holds: an entry has at least 50 bytes and takes
 * 108, and 20 while it is sorted.  Names are found, and repeated ones noticed, by sorting: unlike a
 * hash table, no choice of names slows that down.
 */
#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "format/json_pull.h"

enum { LENGTH_BYTES = 8, MAX_RANK = 8, MAX_DIMENSION = 0x7FFFFFFF };
static const size_t max_header_bytes = 100000000; /* the reference's limit */

struct pair { /* of __metadata__, as offsets in the header */
    uint32_t key, value;
};

struct omma_safetensors {
    const struct omma_mapping *mapping;
    char *header; /* the JSON, and in its place the names, keys and values that point to it */
    size_t header_bytes;         /* LENGTH_BYTES among them */
    struct omma_tensor *tensors; /* by their data */
    uint32_t *by_name;           /* indices of tensors, by name */
    struct pair *pairs;          /* by key */
    size_t n_tensors, n_pairs;
};

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
                     reader->file->mapping->path, LENGTH_BYTES + at, expected, found);
}

/* expected is NULL for a token that is invalid in itself, which says so. */
static enum omma_status fail_token(const struct reader *reader, const struct omma_json_token *token,
                                   const char *expected)
{
    char excerpt[48];
    size_t n = omma_min(token->n_bytes, sizeof excerpt - 1);

    if (token->kind == OMMA_JSON_INVALID) {
        return omma_fail(reader->error, OMMA_STATUS_MODEL, "%s: header @%zu: %s",
                         reader->file->mapping->path, LENGTH_BYTES + token->at, token->problem);
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

/* Where in the file a kept name or key began, its quote included. */
static size_t header_at(const struct omma_safetensors *file, const char *text)
{
    return LENGTH_BYTES + (size_t)(text - file->header) - 1;
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
                             file->mapping->path, n_name, name->text, LENGTH_BYTES + name->at);
        }
    }
    n_bytes = is_empty ? 0 : n_bytes;
    if (offsets[1] < offsets[0] || offsets[1] > n_data) {
        return omma_fail(reader->error, OMMA_STATUS_MODEL,
                         "%s: %.*s @%zu: expected offsets that rise within the %zu bytes of data, "
                         "found %zu to %zu",
                         file->mapping->path, n_name, name->text, LENGTH_BYTES + name->at, n_data,
                         offsets[0], offsets[1]);
    }
    if (offsets[1] - offsets[0] != n_bytes) {
        return omma_fail(reader->error, OMMA_STATUS_MODEL,
                         "%s: %.*s @%zu: expected %zu bytes for its shape and type, found %zu",
                         file->mapping->path, n_name, name->text, LENGTH_BYTES + name->at, n_bytes,
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
                             file->mapping->path, LENGTH_BYTES + token.at, keys[key],
                             LENGTH_BYTES + key_at[key]);
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
            file->pairs[file->n_pairs] = (struct pair){
                .key = (uint32_t)(keep_text(reader, &token) - file->header),
                .value = (uint32_t)(keep_text(reader, &value) - file->header),
            };
        }
        file->n_pairs++;
        OMMA_TRY(take_separator(reader, OMMA_JSON_OBJECT_END, "',' or '}'", &more));
    }
    return OMMA_OK;
}

/* One pass over the header. */
static enum omma_status read_header(struct reader *reader)
{
    struct omma_json_token token;
    bool more = true;

    reader->file->n_tensors = 0;
    reader->file->n_pairs = 0;
    reader->metadata_at = 0;
    reader->pull.at = 0;
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
                reader->file->mapping->path, LENGTH_BYTES + token.at,
                LENGTH_BYTES + reader->metadata_at);
        } else {
            reader->metadata_at = token.at;
            OMMA_TRY(read_metadata(reader));
        }
        OMMA_TRY(take_separator(reader, OMMA_JSON_OBJECT_END, "',' or '}'", &more));
    }
    return take(reader, OMMA_JSON_END, "nothing behind the last '}' but spaces", &token);
}

static int compare_names(const void *a, const void *b, void *context)
{
    const struct omma_tensor *tensors = context;

    return strcmp(tensors[*(const uint32_t *)a].name, tensors[*(const uint32_t *)b].name);
}

static int compare_keys(const void *a, const void *b, void *context)
{
    const char *header = context;

    return strcmp(header + ((const struct pair *)a)->key, header + ((const struct pair *)b)->key);
}

/* By data; where a tensor without elements shares its place with another, it comes first. */
static int compare_data(const void *a, const void *b)
{
    const struct omma_tensor *x = a, *y = b;

    if (x->data != y->data) {
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    }
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

/* Neighbours in an order by name. */
static enum omma_status check_distinct(const struct omma_safetensors *file, const char *a,
                                       const char *b, struct omma_error *error)
{
    size_t a_at = header_at(file, a), b_at = header_at(file, b);

    if (strcmp(a, b) != 0) {
        return OMMA_OK;
    }
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s: header @%zu: expected each key once, found %.200s again, first @%zu",
                     file->mapping->path, omma_max(a_at, b_at), a, omma_min(a_at, b_at));
}

static enum omma_status sort_names(struct omma_safetensors *file, struct omma_error *error)
{
    for (size_t i = 0; i < file->n_tensors; i++) {
        file->by_name[i] = (uint32_t)i;
    }
    qsort_r(file->by_name, file->n_tensors, sizeof *file->by_name, compare_names, file->tensors);
    for (size_t i = 1; i < file->n_tensors; i++) {
        OMMA_TRY(check_distinct(file, file->tensors[file->by_name[i - 1]].name,
                                file->tensors[file->by_name[i]].name, error));
    }
    qsort_r(file->pairs, file->n_pairs, sizeof *file->pairs, compare_keys, file->header);
    for (size_t i = 1; i < file->n_pairs; i++) {
        OMMA_TRY(check_distinct(file, file->header + file->pairs[i - 1].key,
                                file->header + file->pairs[i].key, error));
    }
    return OMMA_OK;
}

/* The tensors, sorted by their data, must fill the file from the header's end to its own. */
static enum omma_status check_coverage(const struct omma_safetensors *file,
                                       struct omma_error *error)
{
    const uint8_t *bytes = file->mapping->bytes;
    size_t at = file->header_bytes;

    for (size_t i = 0; i < file->n_tensors; i++) {
        const struct omma_tensor *tensor = &file->tensors[i];
        size_t begin = (size_t)((const uint8_t *)tensor->data - bytes);

        if (begin != at) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %.200s @%zu: expected its data @%zu, found it @%zu: %s",
                             file->mapping->path, tensor->name, header_at(file, tensor->name), at,
                             begin, begin < at ? "tensors overlap" : "a hole between tensors");
        }
        at += tensor->n_bytes;
    }
    if (at != file->mapping->n_bytes) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: expected the file to end @%zu with the last tensor, found %zu bytes",
                         file->mapping->path, at, file->mapping->n_bytes);
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Opening
 * --------------------------------------------------------------------------------------------- */

/* What files that are taken for safetensors often are. */
static const char *other_format(const struct omma_mapping *mapping)
{
    static const struct {
        const char *magic;
        size_t n_bytes;
        const char *name;
    } formats[] = {
        {"version https://git-lfs", 23, "a git-LFS pointer: the file itself was not downloaded"},
        {"GGUF", 4, "a GGUF file"},
        {"PK\x03\x04", 4, "a zip archive, as PyTorch's pickled checkpoints are"},
        {"\x80\x02", 2, "a Python pickle"},
        {"<!DOCTYPE", 9, "a HTML page"},
        {"<!doctype", 9, "a HTML page"},
        {"<html", 5, "a HTML page"},
        {"\x1F\x8B", 2, "a gzip archive"},
    };

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (mapping->n_bytes >= formats[i].n_bytes &&
            memcmp(mapping->bytes, formats[i].magic, formats[i].n_bytes) == 0) {
            return formats[i].name;
        }
    }
    return NULL;
}

/* The length of the header, checked against the file. */
static enum omma_status read_length(const struct omma_mapping *mapping, size_t *n_bytes,
                                    struct omma_error *error)
{
    const char *other = other_format(mapping);
    uint64_t length = 0;

    if (mapping->n_bytes < LENGTH_BYTES) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s @0: expected a safetensors file, found %s%s%zu bytes%s", mapping->path,
                         other != NULL ? other : "", other != NULL ? " (" : "", mapping->n_bytes,
                         other != NULL ? ")" : "");
    }
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        length |= (uint64_t)mapping->bytes[i] << (8 * i);
    }
    if (length >= 2 && length <= max_header_bytes && length <= mapping->n_bytes - LENGTH_BYTES) {
        *n_bytes = (size_t)length;
        return OMMA_OK;
    }
    if (other != NULL) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @0: expected a safetensors file, found %s",
                         mapping->path, other);
    }
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s @0: expected the length of a header, 2 to %zu bytes, found %llu",
                     mapping->path, omma_min(max_header_bytes, mapping->n_bytes - LENGTH_BYTES),
                     (unsigned long long)length);
}

static enum omma_status copy_header(struct omma_safetensors *file, struct omma_error *error)
{
    size_t n_bytes = file->header_bytes - LENGTH_BYTES;

    file->header = malloc(n_bytes);
    if (file->header == NULL) {
        return omma_fail_memory(error, n_bytes, "the header of a safetensors file");
    }
    memcpy(file->header, file->mapping->bytes + LENGTH_BYTES, n_bytes);
    return OMMA_OK;
}

static enum omma_status allocate(struct omma_safetensors *file, struct omma_error *error)
{
    size_t n_tensors = file->n_tensors + 1, n_pairs = file->n_pairs + 1; /* never nothing */

    file->tensors = malloc(n_tensors * sizeof *file->tensors);
    file->by_name = malloc(n_tensors * sizeof *file->by_name);
    file->pairs = malloc(n_pairs * sizeof *file->pairs);
    if (file->tensors == NULL || file->by_name == NULL || file->pairs == NULL) {
        return omma_fail_memory(error,
                                n_tensors * (sizeof *file->tensors + sizeof *file->by_name) +
                                    n_pairs * sizeof *file->pairs,
                                "the index of a safetensors file");
    }
    return OMMA_OK;
}

static bool is_sorted(const struct omma_safetensors *file)
{
    for (size_t i = 1; i < file->n_tensors; i++) {
        if (compare_data(&file->tensors[i - 1], &file->tensors[i]) > 0) {
            return false;
        }
    }
    return true;
}

static enum omma_status fill(struct omma_safetensors *file, struct omma_error *error)
{
    struct reader reader = {.file = file, .error = error};

    OMMA_TRY(read_length(file->mapping, &reader.pull.n_bytes, error));
    file->header_bytes = LENGTH_BYTES + reader.pull.n_bytes;
    OMMA_TRY(copy_header(file, error));
    reader.pull.bytes = file->header;
    OMMA_TRY(read_header(&reader));
    OMMA_TRY(allocate(file, error));
    reader.fill = true;
    OMMA_TRY(read_header(&reader));
    if (!is_sorted(file)) {
        qsort(file->tensors, file->n_tensors, sizeof *file->tensors, compare_data);
    }
    OMMA_TRY(sort_names(file, error));
    return check_coverage(file, error);
}

enum omma_status omma_safetensors_open(const struct omma_mapping *mapping,
                                       struct omma_safetensors **file, struct omma_error *error)
{
    struct omma_safetensors *made = calloc(1, sizeof *made);
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a safetensors file");
    }
    made->mapping = mapping;
    status = fill(made, error);
    if (status != OMMA_OK) {
        omma_safetensors_close(&made);
        return status;
    }
    *file = made;
    return OMMA_OK;
}

void omma_safetensors_close(struct omma_safetensors **file)
{
    if (*file == NULL) {
        return;
    }
    free((*file)->tensors);
    free((*file)->by_name);
    free((*file)->pairs);
    free((*file)->header);
    free(*file);
    *file = NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Asking
 * --------------------------------------------------------------------------------------------- */

size_t omma_safetensors_count(const struct omma_safetensors *file)
{
    return file->n_tensors;
}

const struct omma_tensor *omma_safetensors_get(const struct omma_safetensors *file, size_t index)
{
    return &file->tensors[index];
}

const struct omma_tensor *omma_safetensors_find(const struct omma_safetensors *file,
                                                const char *name)
{
    size_t low = 0, high = file->n_tensors;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct omma_tensor *tensor = &file->tensors[file->by_name[middle]];
        int order = strcmp(name, tensor->name);

        if (order == 0) {
            return tensor;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const char *omma_safetensors_metadata(const struct omma_safetensors *file, const char *key)
{
    size_t low = 0, high = file->n_pairs;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, file->header + file->pairs[middle].key);

        if (order == 0) {
            return file->header + file->pairs[middle].value;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

size_t omma_safetensors_header_bytes(const struct omma_safetensors *file)
{
    return file->header_bytes;
}
