/*
 * json_in.h - a request's JSON: parsed within limits, and its fields with their ranges.
 *
 * The readers leave *value alone where the field is absent or null, and return false with a 400
 * that names the field where it is not what it should be.
 */
#ifndef OMMA_TOOLS_CHAT_JSON_IN_H
#define OMMA_TOOLS_CHAT_JSON_IN_H

#include "tools/chat/problem.h"

enum { JSON_IN_MAX_DEPTH = 64 };

/* An object, to be released with json_decref().  False (400) for what is no JSON, nested deeper
 * than the limit, has a member twice, or is something else than an object. */
bool json_in_parse(const char *body, size_t n_body, json_t **root, struct problem *problem);

/* The member, NULL if it is absent or null. */
json_t *json_in_get(const json_t *object, const char *name);

/* A whole number; one that is written with a fraction of zero ("2.0") is one too. */
bool json_in_integer(const json_t *object, const char *name, json_int_t minimum, json_int_t maximum,
                     json_int_t *value, struct problem *problem);
bool json_in_real(const json_t *object, const char *name, double minimum, double maximum,
                  double *value, struct problem *problem);
bool json_in_bool(const json_t *object, const char *name, bool *value, struct problem *problem);

#endif
