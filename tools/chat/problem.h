/*
 * problem.h - why a request is refused or failed, as a client is told: a status of HTTP and an
 * error of the OpenAI API.
 */
#ifndef OMMA_TOOLS_CHAT_PROBLEM_H
#define OMMA_TOOLS_CHAT_PROBLEM_H

#include <jansson.h>

#include "api/omma.h"

struct problem {
    unsigned status;  /* of HTTP; 0: there is none */
    const char *code; /* "context_length_exceeded", ...; NULL: null */
    char param[96];   /* the field of the request; "": null */
    char message[1024];
};

/* Fill *problem; param may be NULL.  Always false, to return from a function that failed. */
bool problem_set(struct problem *problem, unsigned status, const char *code, const char *param,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
bool problem_set_memory(struct problem *problem);

/* What the library said: 400 for pictures and prompts, 429 for a full queue, 503 for lack of
 * memory, else 500, without the message, which is for the server's own log. */
bool problem_set_error(struct problem *problem, const char *param, const struct omma_error *error);

/* {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}; NULL if memory lacks. */
json_t *problem_json(const struct problem *problem);

#endif
