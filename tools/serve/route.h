/*
 * route.h - paths and methods; what is checked of a request's headers before its body is read.
 */
#ifndef OMMA_TOOLS_SERVE_ROUTE_H
#define OMMA_TOOLS_SERVE_ROUTE_H

#include "tools/serve/server.h"

enum { ROUTE_MAX_HEADER_BYTES = 16384 };

/* The route of a request, or false with a problem: 431, 400 for a foreign Host or two lengths, 401,
 * 404, 405, 415, 413, 503 on a surplus connection or while the server drains. */
bool route_check(struct exchange *exchange, const char *path, const char *method,
                 struct problem *problem);

/* The method that the route takes, for the header Allow; NULL for ROUTE_NONE. */
const char *route_method(enum route route);

/* Its path, for the log. */
const char *route_name(enum route route);

/* Bytes of the body that the headers tell; 0 if they do not. */
size_t route_body_bytes(const struct exchange *exchange);

#endif
