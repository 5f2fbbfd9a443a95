/*
 * quantization.h - what config.json says about quantized linears, read from its
 * quantization_config.
 *
 * The form is that of the compressed-tensors library.  Of its formats omma computes int-quantized:
 * int8 weights, symmetric, with a scale a row ("channel") or a scale for every 64 or 128 columns of
 * a row ("group"); activations in int8, symmetric, with a scale a token that is found as the model
 * runs, or not quantized.  Which linears are quantized is not read here: those are that have a
 * weight_scale in the files.
 */
#ifndef OMMA_MODEL_QUANTIZATION_H
#define OMMA_MODEL_QUANTIZATION_H

#include <stdbool.h>

#include "base/status.h"
#include "format/json.h"

struct omma_quantization {
    bool is_quantized;     /* there may be int8 linears */
    bool int8_activations; /* what enters them is quantized too */
};

/* Read from->quantization_config, if it is there.  OMMA_STATUS_MODEL, naming the field, for
 * whatever omma does not compute. */
enum omma_status omma_quantization_read(const struct omma_json_object *from,
                                        struct omma_quantization *quantization,
                                        struct omma_error *error);

#endif
