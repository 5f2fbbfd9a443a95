/* Headers of safetensors files: whatever opens must be whole, and what is found must be found
 * again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    char path[] = "fuzz";
    const struct omma_mapping mapping = {.bytes = bytes, .n_bytes = n_bytes, .path = path};
    struct omma_safetensors *file = NULL;
    struct omma_error error;
    size_t total;

    if (omma_safetensors_open(&mapping, &file, &error) != OMMA_OK) {
        require(error.status == OMMA_STATUS_MODEL);
        require(strlen(error.message) < sizeof error.message);
        return 0;
    }
    total = omma_safetensors_header_bytes(file);
    for (size_t i = 0; i < omma_safetensors_count(file); i++) {
        const struct omma_tensor *tensor = omma_safetensors_get(file, i);

        require(omma_safetensors_find(file, tensor->name) == tensor);
        require((const uint8_t *)tensor->data == bytes + total);
        require(tensor->n_dimensions <= 8);
        total += tensor->n_bytes;
    }
    require(total == n_bytes);
    omma_safetensors_metadata(file, "format");
    omma_safetensors_close(&file);
    return 0;
}
