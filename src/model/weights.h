/*
 * weights.h - the weights of a model by their place in it.
 *
 * Matrices are views of the mapped files.  Vectors (norms, biases, layer scales) are small and
 * stand in f32 in the model's arena.
 */
#ifndef OMMA_MODEL_WEIGHTS_H
#define OMMA_MODEL_WEIGHTS_H

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
    bool all_bf16; /* every matrix of a linear is bf16 */
};

#endif
