/*
 * validate.h - whether a JSON value fits a schema: a plain validator of the keywords that omma
 * holds answers to, written from the standard, to check the automaton by.
 */
#ifndef OMMA_TESTS_SCHEMA_VALIDATE_H
#define OMMA_TESTS_SCHEMA_VALIDATE_H

#include <jansson.h>
#include <stdbool.h>

/* root: the document that references are of */
bool omma_test_validate(const json_t *value, const json_t *schema, const json_t *root);

#endif
