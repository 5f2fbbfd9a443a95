/* Builds the header's JSON as the reference's serializer does: compact, padded with spaces. */
#include "format/safetensors_writer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, FIRST_CAPACITY = 1 << 14 };

void omma_safetensors_writer_free(struct omma_safetensors_writer *writer)
{
    free(writer->text);
    *writer = (struct omma_safetensors_writer){0};
}

/* Room for n_bytes more and a NUL; the first time, the place of the length, too. */
static enum omma_status reserve(struct omma_safetensors_writer *writer, size_t n_bytes,
                                struct omma_error *error)
{
    size_t begin = writer->n_bytes == 0 ? LENGTH_BYTES : writer->n_bytes;
    size_t needed = begin + n_bytes + 1;

    if (needed > writer->capacity) {
        size_t capacity = 2 * needed + FIRST_CAPACITY;
        char *grown = realloc(writer->text, capacity);

        if (grown == NULL) {
            return omma_fail_memory(error, capacity, "the header of a safetensors file");
        }
        writer->text = grown;
        writer->capacity = capacity;
    }
    writer->n_bytes = begin;
    return OMMA_OK;
}

static enum omma_status __attribute__((format(printf, 3, 4)))
append(struct omma_safetensors_writer *writer, struct omma_error *error, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    OMMA_TRY(reserve(writer, (size_t)n, error));
    va_start(arguments, format);
    vsnprintf(writer->text + writer->n_bytes, (size_t)n + 1, format, arguments);
    va_end(arguments);
    writer->n_bytes += (size_t)n;
    return OMMA_OK;
}

static const char *separator(struct omma_safetensors_writer *writer)
{
    return writer->n_members++ == 0 ? "{" : ",";
}

enum omma_status omma_safetensors_writer_note(struct omma_safetensors_writer *writer,
                                              const char *key, const char *value,
                                              struct omma_error *error)
{
    return append(writer, error, "%s\"__metadata__\":{\"%s\":\"%s\"}", separator(writer), key,
                  value);
}

enum omma_status omma_safetensors_writer_add(struct omma_safetensors_writer *writer,
                                             const char *name, const char *dtype,
                                             size_t n_dimensions, const size_t *shape,
                                             uint64_t n_data_bytes, uint64_t *offset,
                                             struct omma_error *error)
{
    OMMA_TRY(append(writer, error, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", separator(writer),
                    name, dtype));
    for (size_t i = 0; i < n_dimensions; i++) {
        OMMA_TRY(append(writer, error, "%s%zu", i > 0 ? "," : "", shape[i]));
    }
    OMMA_TRY(append(writer, error, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
                    writer->n_data_bytes, writer->n_data_bytes + n_data_bytes));
    if (offset != NULL) {
        *offset = writer->n_data_bytes;
    }
    writer->n_data_bytes += n_data_bytes;
    return OMMA_OK;
}

enum omma_status omma_safetensors_writer_end(struct omma_safetensors_writer *writer, size_t unit,
                                             struct omma_error *error)
{
    uint64_t length;

    OMMA_TRY(append(writer, error, writer->n_members == 0 ? "{}" : "}"));
    OMMA_TRY(append(writer, error, "%*s", (int)((unit - writer->n_bytes % unit) % unit), ""));
    length = writer->n_bytes - LENGTH_BYTES;
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        writer->text[i] = (char)(uint8_t)(length >> (8 * i));
    }
    return OMMA_OK;
}
