/*
 * safetensors_writer.h - the header of a safetensors file that is to be written: tensors are named
 * in the order of their data, and each gets its place.  The data is the caller's to write.
 */
#ifndef OMMA_FORMAT_SAFETENSORS_WRITER_H
#define OMMA_FORMAT_SAFETENSORS_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* All zeroes is a file without tensors, ready for use. */
struct omma_safetensors_writer {
    char *text; /* the length, 8 bytes, then the JSON */
    size_t n_bytes, capacity;
    uint64_t n_data_bytes;
    size_t n_members;
};

void omma_safetensors_writer_free(struct omma_safetensors_writer *writer);

/* __metadata__ with one pair; before the tensors.  Neither text needs an escape in JSON. */
enum omma_status omma_safetensors_writer_note(struct omma_safetensors_writer *writer,
                                              const char *key, const char *value,
                                              struct omma_error *error);

/* The next tensor; name and dtype, the file's word ("BF16"), need no escape in JSON.  *offset (may
 * be NULL): of its data from the end of the header. */
enum omma_status omma_safetensors_writer_add(struct omma_safetensors_writer *writer,
                                             const char *name, const char *dtype,
                                             size_t n_dimensions, const size_t *shape,
                                             uint64_t n_data_bytes, uint64_t *offset,
                                             struct omma_error *error);

/* End the header, padded so that the data begins at a multiple of unit bytes.  text[0..n_bytes) is
 * then the beginning of the file, n_bytes + n_data_bytes its size. */
enum omma_status omma_safetensors_writer_end(struct omma_safetensors_writer *writer, size_t unit,
                                             struct omma_error *error);

#endif
