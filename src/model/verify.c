/*
 * Hashes all files of a model, through the mappings that it computes from: what is hashed is what
 * is used, also where a file of that name was replaced meanwhile.
 */
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

enum omma_status omma_model_verify(const struct omma_model *model, omma_digest_fn each, void *user,
                                   struct omma_error *error)
{
    const struct omma_checkpoint *checkpoint = model->checkpoint;

    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *file = &checkpoint->files[i];
        char hex[65];

        OMMA_TRY(hash_file(file, hex, error));
        if (!each(user, file->name, file->mapping.n_bytes, hex)) {
            break;
        }
    }
    return OMMA_OK;
}
