/*
 * Hashes all files of a model, through the mappings that it computes from: what is hashed is what
 * is used, also where a file of that name was replaced meanwhile.  The weights are looked through
 * for values that are not finite: one of them spoils every answer.
 */
#include <string.h>

#include "format/sha256.h"
#include "model/checkpoint.h"
#include "model/model.h"

enum { STEP = 16 << 20 }; /* bytes between two looks at whether the file changed */

static enum omma_status hash_file(const struct omma_checkpoint_file *file, char hex[65],
                                  struct omma_error *error)
{
    const struct omma_mapping *mapping = &file->mapping;
    struct omma_sha256 *hash = NULL;
    enum omma_status status = OMMA_OK;
    uint8_t digest[32];

    OMMA_TRY(omma_sha256_begin(&hash, error));
    for (size_t at = 0; at < mapping->n_bytes && status == OMMA_OK; at += STEP) {
        size_t n = mapping->n_bytes - at < STEP ? mapping->n_bytes - at : STEP;

        status = omma_mapping_check(mapping, error); /* pages behind the end raise SIGBUS */
        if (status == OMMA_OK) {
            omma_sha256_add(hash, mapping->bytes + at, n);
        }
    }
    omma_sha256_end(&hash, digest);
    omma_sha256_hex(digest, hex);
    return status == OMMA_OK ? omma_mapping_check(mapping, error) : status;
}

/* The exponent's bits in the upper 16 of a value: all ones in what is not finite. */
static bool read_exponent(const char *dtype, size_t *n_bytes, uint16_t *exponent)
{
    static const struct {
        const char *dtype;
        size_t n_bytes;
        uint16_t exponent;
    } known[] = {{"BF16", 2, 0x7F80}, {"F16", 2, 0x7C00}, {"F32", 4, 0x7F80}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(dtype, known[i].dtype) == 0) {
            *n_bytes = known[i].n_bytes;
            *exponent = known[i].exponent;
            return true;
        }
    }
    return false;
}

static enum omma_status check_finite(const struct omma_checkpoint_file *file,
                                     const struct omma_tensor *tensor, struct omma_error *error)
{
    const uint8_t *bytes = tensor->data;
    uint16_t exponent;
    size_t n_bytes;

    if (!read_exponent(tensor->dtype, &n_bytes, &exponent)) {
        return OMMA_OK;
    }
    for (size_t at = n_bytes - 2; at < tensor->n_bytes; at += n_bytes) {
        uint16_t upper;

        memcpy(&upper, bytes + at, sizeof upper);
        if ((upper & exponent) == exponent) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %.200s @%zu: expected finite weights, found NaN or infinity at "
                             "element %zu",
                             file->mapping.path, tensor->name,
                             (size_t)(bytes + at - file->mapping.bytes) - (n_bytes - 2),
                             at / n_bytes);
        }
    }
    return OMMA_OK;
}

enum omma_status omma_model_verify(const struct omma_model *model, omma_digest_fn each, void *user,
                                   struct omma_error *error)
{
    const struct omma_checkpoint *checkpoint = model->checkpoint;

    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *file = &checkpoint->files[i];
        char hex[65];

        OMMA_TRY(hash_file(file, hex, error));
        for (size_t k = 0; file->tensors != NULL && k < omma_safetensors_count(file->tensors);
             k++) {
            OMMA_TRY(check_finite(file, omma_safetensors_get(file->tensors, k), error));
        }
        if (!each(user, file->name, file->mapping.n_bytes, hex)) {
            break;
        }
    }
    return OMMA_OK;
}
