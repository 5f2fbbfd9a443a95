/*
 * weights.h - the weights of a model by their place in it.
 *
 * Matrices are views of the mapped files, or of an engine's copies (engine/weight_memory.h).
 * Vectors (norms, biases, layer scales) are small and stand in f32 in the model's arena.
 */
#ifndef OMMA_MODEL_WEIGHTS_H
#define OMMA_MODEL_WEIGHTS_H

#include <stdbool.h>

#include "base/arena.h"
#include "model/config.h"
#include "tensor/matrix.h"
#include "tensor/norm.h"

struct omma_vision_layer {
    struct omma_norm norm1, norm2; /* [hidden] */
    struct omma_linear q, k,
        v; /* [hidden][hidden]; rows of one fused matrix in the original layout */
    const float *q_norm, *k_norm;  /* [hidden], over all heads together; NULL: none */
    struct omma_linear projection; /* [hidden][hidden] */
    struct omma_linear fc1, fc2;   /* [ffn][hidden], [hidden][ffn] */
    const float *scale1, *scale2;  /* [hidden]: layer scale of the two branches */
};

struct omma_vision_weights {
    const float *class_embedding;          /* [hidden] */
    struct omma_matrix position_embedding; /* [n_patches + 1][hidden] */
    struct omma_linear patch_embedding;    /* [hidden][3 * patch_size * patch_size] */
    struct omma_vision_layer *layers;      /* [n_layers] */
};

struct omma_projector_weights {
    struct omma_norm norm;       /* [shuffle^2 * vision hidden] */
    struct omma_linear fc1, fc2; /* [hidden][shuffle^2 * vision hidden], [hidden][hidden] */
};

struct omma_language_layer {
    const float *attention_norm, *ffn_norm; /* [hidden] */
    struct omma_linear q, k, v,
        o; /* [n_heads * head_dim][hidden], ..., [hidden][n_heads * head_dim] */
    struct omma_linear gate, up, down; /* [ffn][hidden] twice, [hidden][ffn] */
};

struct omma_language_weights {
    struct omma_matrix embedding;       /* [vocab][hidden] */
    struct omma_language_layer *layers; /* [n_layers] */
    const float *norm;                  /* [hidden] */
    struct omma_linear lm_head;         /* [vocab][hidden] */
};

struct omma_weights {
    struct omma_vision_weights vision;
    struct omma_projector_weights projector;
    struct omma_language_weights language;
    bool has_int8_vision, has_int8_language; /* of its linears some are int8; the projector's count
                                                as vision */
    size_t scale_group; /* columns that share a scale of those that have groups; 0: none has */
    bool all_bf16;      /* every matrix of a linear is bf16, or int8: bf16 operands suit them all */
    const struct omma_weights
        *mirrors; /* [nodes of the team]: each node's own; NULL: one for all */
};

/* What the threads of a team's node read. */
static inline const struct omma_weights *omma_weights_of_node(const struct omma_weights *weights,
                                                              size_t node)
{
    return weights->mirrors != NULL ? &weights->mirrors[node] : weights;
}

/* Linears whose rows are dealt out to the threads together: n is 1, or those of one
 * omma_matmul_several(). */
typedef void (*omma_linears_fn)(void *user, struct omma_linear *const *linears, size_t n);

/* All that the model multiplies by, always in the same order; as the encoder and the decoder deal
 * it out. */
void omma_weights_each_product(struct omma_weights *weights, const struct omma_config *config,
                               omma_linears_fn each, void *user);

/* The same weights with layers of its own, in the arena; false if memory is short. */
bool omma_weights_copy(const struct omma_weights *weights, const struct omma_config *config,
                       struct omma_arena *arena, struct omma_weights *copy);

#endif
