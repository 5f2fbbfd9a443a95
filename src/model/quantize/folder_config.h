/*
 * folder_config.h - the JSON files of the folder that omma_model_quantize() writes: config.json in
 * transformers' layout with its quantization_config, generation_config.json,
 * preprocessor_config.json.
 */
#ifndef OMMA_MODEL_QUANTIZE_FOLDER_CONFIG_H
#define OMMA_MODEL_QUANTIZE_FOLDER_CONFIG_H

#include "model/quantize/plan.h"

/* Each gives a text that ends in a newline, to be freed.  A config of that layout already is kept,
 * with what quantizing changes; from one of the original layout what transformers needs is taken
 * over, and what omma reads beside it where it is not the layout's default. */
enum omma_status omma_quantize_config(const struct omma_model *model,
                                      const struct omma_quantize_plan *plan, char **text,
                                      struct omma_error *error);

/* The model's own, with all ids at which its answers end. */
enum omma_status omma_quantize_generation_config(const struct omma_model *model, char **text,
                                                 struct omma_error *error);

/* Of the layout's image processor; that of an original layout names another one, which is not what
 * the model was trained with. */
enum omma_status omma_quantize_preprocessor_config(const struct omma_model *model, char **text,
                                                   struct omma_error *error);

#endif
