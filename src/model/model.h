/*
 * model.h - a loaded checkpoint: config, weights, tokenizer, identity.  Immutable after opening,
 * and shared by everything that runs it.
 */
#ifndef OMMA_MODEL_MODEL_H
#define OMMA_MODEL_MODEL_H

#include "api/omma.h"
#include "base/arena.h"
#include "model/config.h"
#include "model/weights.h"

struct omma_checkpoint; /* the mapped files, model/checkpoint.h */

struct omma_model {
    struct omma_config config;
    struct omma_weights weights;
    struct omma_tokenizer *tokenizer; /* NULL for a generated model */
    struct omma_model_info info;      /* what omma_model_info() shows */
    struct omma_checkpoint *checkpoint;
    struct omma_arena arena; /* lifetime of the model */
};

#endif
