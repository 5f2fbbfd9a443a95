/*
 * binding.h - from the tensors of a checkpoint to the fields of struct omma_weights.
 */
#ifndef OMMA_MODEL_BINDING_H
#define OMMA_MODEL_BINDING_H

#include "base/arena.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/names.h"
#include "model/weights.h"

/* What was bound, counted. */
struct omma_binding {
    uint64_t n_parameters[OMMA_N_PARTS]; /* elements; the head counts as language */
    uint64_t n_bytes[OMMA_N_PARTS];      /* of those tensors in the files, and of scales in f32 */
    uint64_t mapped_bytes;               /* of matrices that are views of the files */
    const char *linear_dtype;            /* "bf16", "f16", "f32", "int8" or "mixed" */
    size_t n_linears, n_int8_linears;    /* weights of linears, and those of int8 */
};

/* Fill *weights.  Matrices are views of the checkpoint, which must outlive them; vectors, and
 * tensors that are not aligned to their elements, are copied to the arena.  A linear is quantized
 * if its weight is int8 with a weight_scale beside it, whatever the config's list of ignored
 * modules says.  OMMA_STATUS_MODEL with one message that lists all tensors that are missing,
 * unexpected, of another shape or type, or hold scales that are none. */
enum omma_status omma_weights_bind(const struct omma_checkpoint *checkpoint,
                                   const struct omma_config *config, struct omma_arena *arena,
                                   struct omma_weights *weights, struct omma_binding *binding,
                                   struct omma_error *error);

/* For each part the form that the checkpoint's tensors have; that of the config's layout where
 * there are none of it. */
void omma_weights_forms(const struct omma_checkpoint *checkpoint, const struct omma_config *config,
                        const struct omma_name_form *forms[OMMA_N_PARTS]);

#endif
