/*
 * listen.h - the socket that a server listens on.
 */
#ifndef OMMA_TOOLS_SERVE_LISTEN_H
#define OMMA_TOOLS_SERVE_LISTEN_H

#include "tools/status.h"

struct listen_place {
    const char *host;   /* a name or an address */
    size_t port;        /* 0: any that is free */
    const char *path;   /* of a Unix socket, instead of both; NULL: none */
    bool allows_others; /* addresses beside this machine's own (loopback) */
};

/* Bind, without listening yet, so that what is wrong is told before a model is loaded.  *port is
 * the one taken.  OMMA_STATUS_USAGE for a name that has no address, or one that is not allowed;
 * OMMA_STATUS_RESOURCES for a port that is taken. */
enum omma_status listen_bind(const struct listen_place *place, int *descriptor, size_t *port,
                             struct omma_error *error);
enum omma_status listen_begin(int descriptor, struct omma_error *error);

/* Close what libmicrohttpd has not; remove the path of a Unix socket. */
void listen_end(const struct listen_place *place, int descriptor);

#endif
