/*
 * checkpoint.h - the files of a model folder, mapped: one safetensors file or shards with an index,
 * and beside them config and tokenizer, so that identity and changes cover all of them.
 */
#ifndef OMMA_MODEL_CHECKPOINT_H
#define OMMA_MODEL_CHECKPOINT_H

#include "base/log.h"
#include "base/status.h"
#include "format/safetensors.h"
#include "platform/mapping.h"

struct omma_checkpoint_file {
    char *name; /* in the folder */
    struct omma_mapping mapping;
    bool is_weights;
    struct omma_safetensors *tensors; /* NULL: no weights */
};

struct omma_checkpoint_tensor {
    const struct omma_tensor *tensor;
    const struct omma_checkpoint_file *file;
};

struct omma_checkpoint {
    char *path;                             /* the folder */
    struct omma_checkpoint_file *files;     /* by name */
    struct omma_checkpoint_tensor *tensors; /* of all files, by name */
    size_t n_files, n_weight_files, n_tensors;
};

/* Map a folder's files.  Symbolic links are followed; names in the index must not lead out of the
 * folder.  No descriptor stays open. */
enum omma_status omma_checkpoint_open(const char *dir, const struct omma_log *log,
                                      struct omma_checkpoint **checkpoint,
                                      struct omma_error *error);

/* A checkpoint of one safetensors image alone, e.g. in memory; takes the mapping over, also when it
 * fails. */
enum omma_status omma_checkpoint_open_mapping(struct omma_mapping *mapping,
                                              struct omma_checkpoint **checkpoint,
                                              struct omma_error *error);

void omma_checkpoint_close(struct omma_checkpoint **checkpoint);

/* The index in tensors of the one with this name; n_tensors if there is none. */
size_t omma_checkpoint_find(const struct omma_checkpoint *checkpoint, const char *name);

/* OMMA_STATUS_CHANGED if any file was written or truncated since. */
enum omma_status omma_checkpoint_check(const struct omma_checkpoint *checkpoint,
                                       struct omma_error *error);

/* What lies at an address: file, tensor ("header" before the first, "content" in a file without)
 * and the offset in the file.  Async-signal-safe. */
bool omma_checkpoint_locate(const struct omma_checkpoint *checkpoint, const void *address,
                            const char **file, const char **tensor, uint64_t *offset);

/* SHA-256 in hex over name and size of each file, the whole of config and tokenizer files, and the
 * headers of the weights. */
enum omma_status omma_checkpoint_identity(const struct omma_checkpoint *checkpoint, char hex[65],
                                          struct omma_error *error);

#endif
