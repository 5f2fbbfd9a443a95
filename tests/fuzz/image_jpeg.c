/* Any bytes as a JPEG: as they are, and behind a signature. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t *signed_bytes = malloc(n_bytes + 3);

    if (signed_bytes == NULL) {
        return 0;
    }
    memcpy(signed_bytes, "\xFF\xD8\xFF", 3);
    if (n_bytes >= 3) {
        memcpy(signed_bytes + 3, bytes + 3, n_bytes - 3);
        fuzz_picture(signed_bytes, n_bytes);
    }
    fuzz_picture(bytes, n_bytes);
    free(signed_bytes);
    return 0;
}
