/* A thin layer over EVP, so that one file alone knows libcrypto. */
#include "format/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct omma_sha256 {
    EVP_MD_CTX *context;
};

enum omma_status omma_sha256_begin(struct omma_sha256 **hash, struct omma_error *error)
{
    struct omma_sha256 *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "SHA-256");
    }
    made->context = EVP_MD_CTX_new();
    if (made->context == NULL || EVP_DigestInit_ex(made->context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(made->context);
        free(made);
        return omma_fail(error, OMMA_STATUS_RESOURCES, "libcrypto has no SHA-256 to give");
    }
    *hash = made;
    return OMMA_OK;
}

void omma_sha256_add(struct omma_sha256 *hash, const void *bytes, size_t n_bytes)
{
    EVP_DigestUpdate(hash->context, bytes, n_bytes);
}

void omma_sha256_end(struct omma_sha256 **hash, uint8_t digest[32])
{
    if (*hash == NULL) {
        return;
    }
    if (digest != NULL) {
        EVP_DigestFinal_ex((*hash)->context, digest, NULL);
    }
    EVP_MD_CTX_free((*hash)->context);
    free(*hash);
    *hash = NULL;
}

void omma_sha256_hex(const uint8_t digest[32], char hex[65])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
}
