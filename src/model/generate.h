/*
 * generate.h - the released shapes, and seeded random weights in them (omma_model_generate() and
 * omma_model_generate_folder() of omma.h).
 */
#ifndef OMMA_MODEL_GENERATE_H
#define OMMA_MODEL_GENERATE_H

#include "api/omma.h"

/* The config.json of a shape, to be freed.  OMMA_STATUS_USAGE for an unknown size or more layers
 * than it has. */
enum omma_status omma_generate_config(const struct omma_model_shape *shape, char **text,
                                      struct omma_error *error);

/* Write the safetensors image of a config to fd, an empty file; with in_memory it is a memfd, which
 * is written in huge pages.  name stands for fd in messages.  The same bytes for the same config
 * and seed, on any machine.  OMMA_STATUS_RESOURCES before anything is written if it would take more
 * than max_bytes, or if the memory cannot be had; OMMA_STATUS_OUTPUT where writing fails. */
enum omma_status omma_generate_weights(const char *config, uint64_t seed, int fd, bool in_memory,
                                       const char *name, uint64_t max_bytes,
                                       struct omma_error *error);

#endif
