/*
 * safetensors.h - the index of a safetensors file over its mapping.
 *
 * The format: https://github.com/huggingface/safetensors#format.  Bytes 0..7: length n of the
 * header, little-endian; then n bytes of JSON; then the tensors' data without a hole.  This reader
 * is stricter than the reference: it refuses repeated keys, unknown keys of a tensor, and a NUL in
 * a name.
 */
#ifndef OMMA_FORMAT_SAFETENSORS_H
#define OMMA_FORMAT_SAFETENSORS_H

#include "api/omma.h"
#include "base/status.h"
#include "platform/mapping.h"

struct omma_safetensors;

/* Read the header and check all of it: names, types, shapes, and that the data fills the file.  The
 * mapping is not copied and must outlive *file; the data is not touched.  OMMA_STATUS_MODEL with
 * "path: header @byte: expected X, found Y". */
enum omma_status omma_safetensors_open(const struct omma_mapping *mapping,
                                       struct omma_safetensors **file, struct omma_error *error);
void omma_safetensors_close(struct omma_safetensors **file);

size_t omma_safetensors_count(const struct omma_safetensors *file);

/* Tensors in the order of their data; valid as long as the file. */
const struct omma_tensor *omma_safetensors_get(const struct omma_safetensors *file, size_t index);
const struct omma_tensor *omma_safetensors_find(const struct omma_safetensors *file,
                                                const char *name); /* NULL: none */

/* A value of __metadata__; NULL: none. */
const char *omma_safetensors_metadata(const struct omma_safetensors *file, const char *key);

/* Bytes before the data: the length's 8 and the header. */
size_t omma_safetensors_header_bytes(const struct omma_safetensors *file);

#endif
