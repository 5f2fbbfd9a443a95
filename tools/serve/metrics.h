/*
 * metrics.h - what the server and its engine do and did, in Prometheus' text format.
 */
#ifndef OMMA_TOOLS_SERVE_METRICS_H
#define OMMA_TOOLS_SERVE_METRICS_H

#include "tools/serve/server.h"

/* With the lock held: a reply was sent with this status (0: none was). */
void metrics_count(struct server *server, unsigned status);

/* To be freed; NULL if memory lacks. */
char *metrics_text(struct server *server, size_t *n_bytes);

#endif
