/*
 * The public tensor files: a mapping and the safetensors index over it.
 */
#include <stdlib.h>

#include "api/omma.h"
#include "base/status.h"
#include "format/safetensors.h"
#include "platform/mapping.h"

struct omma_tensor_file {
    struct omma_mapping mapping;
    struct omma_safetensors *tensors;
};

enum omma_status omma_tensor_file_open(const char *path, struct omma_tensor_file **file,
                                       struct omma_error *error)
{
    struct omma_tensor_file *made = calloc(1, sizeof *made);
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a tensor file");
    }
    OMMA_TRY_OR(status, fail, omma_mapping_open(path, &made->mapping, error));
    OMMA_TRY_OR(status, fail, omma_safetensors_open(&made->mapping, &made->tensors, error));
    *file = made;
    return OMMA_OK;
fail:
    omma_tensor_file_close(&made);
    return status;
}

void omma_tensor_file_close(struct omma_tensor_file **file)
{
    if (*file == NULL) {
        return;
    }
    omma_safetensors_close(&(*file)->tensors);
    omma_mapping_close(&(*file)->mapping);
    free(*file);
    *file = NULL;
}

size_t omma_tensor_file_count(const struct omma_tensor_file *file)
{
    return omma_safetensors_count(file->tensors);
}

const struct omma_tensor *omma_tensor_file_get(const struct omma_tensor_file *file, size_t index)
{
    return omma_safetensors_get(file->tensors, index);
}

const struct omma_tensor *omma_tensor_file_find(const struct omma_tensor_file *file,
                                                const char *name)
{
    return omma_safetensors_find(file->tensors, name);
}

const char *omma_tensor_file_metadata(const struct omma_tensor_file *file, const char *key)
{
    return omma_safetensors_metadata(file->tensors, key);
}
