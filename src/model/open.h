/*
 * open.h - opening a model from memory, as generated ones are.
 */
#ifndef OMMA_MODEL_OPEN_H
#define OMMA_MODEL_OPEN_H

#include "api/omma.h"
#include "platform/mapping.h"

/* From the text of a config.json and one safetensors image, without a tokenizer.  Takes the mapping
 * over, also when it fails. */
enum omma_status omma_model_open_image(const char *config, size_t n_bytes,
                                       struct omma_mapping *mapping, struct omma_model **model,
                                       struct omma_error *error);

#endif
