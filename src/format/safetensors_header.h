/*
 * safetensors_header.h - within the reader of safetensors files: what its two halves share.
 */
#ifndef OMMA_FORMAT_SAFETENSORS_HEADER_H
#define OMMA_FORMAT_SAFETENSORS_HEADER_H

#include "format/safetensors.h"

enum { OMMA_SAFETENSORS_LENGTH_BYTES = 8 }; /* in front of the header */

struct omma_safetensors_pair { /* of __metadata__, as offsets in the header */
    uint32_t key, value;
};

struct omma_safetensors {
    const struct omma_mapping *mapping;
    char *header; /* the JSON, and in its place the names, keys and values that point to it */
    size_t header_bytes;                 /* the length's own 8 among them */
    struct omma_tensor *tensors;         /* by their data */
    uint32_t *by_name;                   /* indices of tensors, by name */
    struct omma_safetensors_pair *pairs; /* by key */
    size_t n_tensors, n_pairs;
};

/* One pass over the header: all of it is checked but what needs all tensors at once, and tensors
 * and pairs are counted.  With fill they are stored in the arrays, in the order of the header, and
 * their names unescaped and ended where they stand: the pass can be made only once. */
enum omma_status omma_safetensors_read_header(struct omma_safetensors *file, bool fill,
                                              struct omma_error *error);

#endif
