/*
 * guard.h - who may ask: keys, and the names under which this server may be addressed.
 */
#ifndef OMMA_TOOLS_SERVE_GUARD_H
#define OMMA_TOOLS_SERVE_GUARD_H

#include "tools/status.h"

struct guard {
    char *keys; /* of the file, each ended by a NUL */
    size_t n_keys, n_key_bytes;
    const char *const *names; /* beside localhost and addresses */
    size_t n_names;
};

/* Read a file of keys, one a line; NULL: no key is asked for.  OMMA_STATUS_USAGE if it cannot be
 * read, holds none, or others than its owner may read or write it. */
enum omma_status guard_open(const char *key_file, struct guard *guard, struct omma_error *error);
void guard_close(struct guard *guard);

/* Whether a Host header (NULL: none) names this server: an address, localhost, or one of the names.
 * A page of another site whose name was made to lead here (DNS rebinding) sends that name. */
bool guard_allows_host(const struct guard *guard, const char *host);

/* Whether an Authorization header (NULL: none) has one of the keys: as Bearer, or as the password
 * of Basic, which browsers ask for.  The time taken does not depend on where keys differ. */
bool guard_allows_key(const struct guard *guard, const char *authorization);

#endif
