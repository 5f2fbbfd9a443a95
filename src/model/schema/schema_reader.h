/*
 * schema_reader.h - what the parts of the reader share: value_tree_read.c, schema_constants.c.
 */
#ifndef OMMA_SCHEMA_SCHEMA_READER_H
#define OMMA_SCHEMA_SCHEMA_READER_H

#include <jansson.h>

#include "model/schema/value_tree.h"

enum { OMMA_SCHEMA_MAX_POINTER = 1024 };

struct omma_schema_reader {
    struct omma_value_tree *tree;
    json_t *document;
    const json_t **sources; /* [OMMA_SCHEMA_MAX_VALUES] the schema that each value is of */
    const char **pointers;  /* where it stands */
    char pointer[OMMA_SCHEMA_MAX_POINTER]; /* of the schema that is read now: "#/properties/a" */
    size_t nesting;
    struct omma_error *error;
};

/* OMMA_STATUS_USAGE with the place of a keyword ("": of the schema itself). */
enum omma_status omma_schema_refuse(const struct omma_schema_reader *reader, const char *keyword,
                                    const char *why);

/* JSON of a constant or name, into the tree's arena. */
enum omma_status omma_schema_text(struct omma_schema_reader *reader, const json_t *value,
                                  struct omma_value_text *text);

/* minLength, maxLength; 0 and UINT32_MAX where they are absent. */
enum omma_status omma_schema_read_lengths(struct omma_schema_reader *reader, const json_t *schema,
                                          uint32_t *least, uint32_t *most);

/* enum, const: a value of those that the schema's type and lengths allow. */
enum omma_status omma_schema_read_constants(struct omma_schema_reader *reader, const json_t *schema,
                                            uint32_t *index);

#endif
