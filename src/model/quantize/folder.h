/*
 * folder.h - the folder that omma_model_quantize() writes, beside the weights: what may stand there
 * before, and the small files.
 */
#ifndef OMMA_MODEL_QUANTIZE_FOLDER_H
#define OMMA_MODEL_QUANTIZE_FOLDER_H

#include "model/quantize/plan.h"

enum omma_quantize_folder_state {
    OMMA_QUANTIZE_FOLDER_EMPTY,
    OMMA_QUANTIZE_FOLDER_BEGUN,    /* has a journal */
    OMMA_QUANTIZE_FOLDER_COMPLETE, /* this config and shards of these headers; their data is not
                                      read */
    OMMA_QUANTIZE_FOLDER_OTHER,
};

/* Make the folder if need be, and look what it holds.  OMMA_STATUS_USAGE if it is the model's own.
 */
enum omma_status omma_quantize_folder_look(const struct omma_model *model,
                                           const struct omma_quantize_plan *plan, const char *dir,
                                           const char *config,
                                           enum omma_quantize_folder_state *state,
                                           struct omma_error *error);

/* Remove every file of a model, also an unfinished one; all others stay. */
enum omma_status omma_quantize_folder_clear(const char *dir, struct omma_error *error);

/* OMMA_STATUS_OUTPUT if the disk cannot hold the rest of the plan. */
enum omma_status omma_quantize_folder_check_room(const struct omma_quantize_plan *plan,
                                                 const char *dir, struct omma_error *error);

/* Everything but the weights, the journal aside; config.json last, which makes it a model. */
enum omma_status omma_quantize_folder_complete(const struct omma_model *model,
                                               const struct omma_quantize_plan *plan,
                                               const char *dir, const char *config,
                                               struct omma_error *error);

#endif
