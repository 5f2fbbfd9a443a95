/*
 * names.h - every tensor of a checkpoint: its names in the layouts, its shape in terms of the
 * config, and the field of struct omma_weights that it fills.
 *
 * Names have three parts: a prefix, which differs between the layouts and between versions of
 * transformers; for the tensors of a layer the layer; and the table's own.
 */
#ifndef OMMA_MODEL_NAMES_H
#define OMMA_MODEL_NAMES_H

#include "model/config.h"

enum omma_part { OMMA_PART_VISION, OMMA_PART_PROJECTOR, OMMA_PART_LANGUAGE, OMMA_N_PARTS };

/* What a tensor fills. */
enum omma_fill {
    OMMA_FILL_VECTOR,     /* const float * */
    OMMA_FILL_MATRIX,     /* struct omma_matrix: the last dimensions joined */
    OMMA_FILL_QKV_WEIGHT, /* q, k and v of a vision layer: a third of the rows each */
    OMMA_FILL_QKV_BIAS,
};

/* What a tensor is for, which is also what a generated one is drawn by. */
enum omma_tensor_role {
    OMMA_TENSOR_NORM,  /* about 1 */
    OMMA_TENSOR_SCALE, /* of a branch: about 0.1 */
    OMMA_TENSOR_BIAS,
    OMMA_TENSOR_ATTENTION_BIAS,
    OMMA_TENSOR_POSITION,
    OMMA_TENSOR_PATCH,
    OMMA_TENSOR_EMBEDDING,
    OMMA_TENSOR_LINEAR,
    OMMA_TENSOR_HEAD,
};

enum { OMMA_NAME_BYTES = 160, OMMA_NAME_DIMENSIONS = 4 };

/* One tensor of one checkpoint. */
struct omma_named_tensor {
    char name[OMMA_NAME_BYTES];
    enum omma_part part;
    enum omma_tensor_role role;
    enum omma_fill fill;
    size_t offset; /* of the field, in the struct of its layer or else of its part */
    bool in_layer;
    size_t layer;
    size_t n_dimensions;
    size_t shape[OMMA_NAME_DIMENSIONS];
};

/* One way to name a part. */
struct omma_name_form {
    const char *prefix;      /* "model.vision_tower." */
    const char *layers;      /* "encoder.layer." */
    enum omma_layout layout; /* whose names follow */
};

/* The forms of a part, best known first, prefix NULL at the end. */
const struct omma_name_form *omma_name_forms(enum omma_part part);

/* The names under which the head may stand, NULL at the end: the first is the original layout's. */
const char *const *omma_head_names(void);

/* Called for each tensor that a model of this config has, but the head, in the order of the
 * computation; ends with the first status that is not OMMA_OK. */
typedef enum omma_status (*omma_name_fn)(void *user, const struct omma_named_tensor *tensor);

enum omma_status omma_names_each(const struct omma_config *config,
                                 const struct omma_name_form *const forms[OMMA_N_PARTS],
                                 omma_name_fn each, void *user);

/* The head as a tensor of that name. */
void omma_names_head(const struct omma_config *config, const char *name,
                     struct omma_named_tensor *tensor);

#endif
