/*
 * sha256.h - SHA-256 (libcrypto's), in pieces.
 */
#ifndef OMMA_FORMAT_SHA256_H
#define OMMA_FORMAT_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct omma_sha256; /* opaque */

enum omma_status omma_sha256_begin(struct omma_sha256 **hash, struct omma_error *error);
void omma_sha256_add(struct omma_sha256 *hash, const void *bytes, size_t n_bytes);

/* Gives the digest, releases *hash and leaves NULL there.  digest may be NULL to release alone. */
void omma_sha256_end(struct omma_sha256 **hash, uint8_t digest[32]);

/* 64 lower-case digits and a NUL. */
void omma_sha256_hex(const uint8_t digest[32], char hex[65]);

#endif
