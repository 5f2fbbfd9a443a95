/*
 * reply.h - what a client is told, as the OpenAI API words it.  All return texts to be freed, NULL
 * if memory lacks.
 */
#ifndef OMMA_TOOLS_SERVE_REPLY_H
#define OMMA_TOOLS_SERVE_REPLY_H

#include "tools/serve/server.h"

char *reply_problem(const struct problem *problem, size_t *n_bytes);
char *reply_models(const struct server *server, size_t *n_bytes);

char *reply_tokens(const struct server *server, const struct omma_tokens *tokens, size_t *n_bytes);

/* Of a job that is done. */
char *reply_completion(const struct exchange *exchange, size_t *n_bytes);

/* With the lock held: the next event of a stream; NULL with *n_bytes 0 if there is none yet.  Moves
 * the exchange's stage on. */
char *reply_event(struct exchange *exchange, size_t *n_bytes);

#endif
