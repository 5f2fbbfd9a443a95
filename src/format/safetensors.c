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
#include "format/safetensors_header.h"

static const size_t max_header_bytes = 100000000; /* the reference's limit */

/* ------------------------------------------------------------------------------------------------
 * All tensors together
 * --------------------------------------------------------------------------------------------- */

/* Where in the file a kept name or key began, its quote included. */
static size_t header_at(const struct omma_safetensors *file, const char *text)
{
    return OMMA_SAFETENSORS_LENGTH_BYTES + (size_t)(text - file->header) - 1;
}

static int compare_names(const void *a, const void *b, void *context)
{
    const struct omma_tensor *tensors = context;

    return strcmp(tensors[*(const uint32_t *)a].name, tensors[*(const uint32_t *)b].name);
}

static int compare_keys(const void *a, const void *b, void *context)
{
    const char *header = context;

    return strcmp(header + ((const struct omma_safetensors_pair *)a)->key,
                  header + ((const struct omma_safetensors_pair *)b)->key);
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

    if (mapping->n_bytes < OMMA_SAFETENSORS_LENGTH_BYTES) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s @0: expected a safetensors file, found %s%s%zu bytes%s", mapping->path,
                         other != NULL ? other : "", other != NULL ? " (" : "", mapping->n_bytes,
                         other != NULL ? ")" : "");
    }
    for (size_t i = 0; i < OMMA_SAFETENSORS_LENGTH_BYTES; i++) {
        length |= (uint64_t)mapping->bytes[i] << (8 * i);
    }
    if (length >= 2 && length <= max_header_bytes &&
        length <= mapping->n_bytes - OMMA_SAFETENSORS_LENGTH_BYTES) {
        *n_bytes = (size_t)length;
        return OMMA_OK;
    }
    if (other != NULL) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s @0: expected a safetensors file, found %s",
                         mapping->path, other);
    }
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s @0: expected the length of a header, 2 to %zu bytes, found %llu",
                     mapping->path,
                     omma_min(max_header_bytes, mapping->n_bytes - OMMA_SAFETENSORS_LENGTH_BYTES),
                     (unsigned long long)length);
}

static enum omma_status copy_header(struct omma_safetensors *file, struct omma_error *error)
{
    size_t n_bytes = file->header_bytes - OMMA_SAFETENSORS_LENGTH_BYTES;

    file->header = malloc(n_bytes);
    if (file->header == NULL) {
        return omma_fail_memory(error, n_bytes, "the header of a safetensors file");
    }
    memcpy(file->header, file->mapping->bytes + OMMA_SAFETENSORS_LENGTH_BYTES, n_bytes);
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
    size_t n_bytes = 0;

    OMMA_TRY(read_length(file->mapping, &n_bytes, error));
    file->header_bytes = OMMA_SAFETENSORS_LENGTH_BYTES + n_bytes;
    OMMA_TRY(copy_header(file, error));
    OMMA_TRY(omma_safetensors_read_header(file, false, error));
    OMMA_TRY(allocate(file, error));
    OMMA_TRY(omma_safetensors_read_header(file, true, error));
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
