/*
 * rope.h - rotary position embedding with dynamic NTK scaling, in the f32 arithmetic of
 * transformers (modeling_rope_utils.py), on which angles at large positions depend.
 */
#ifndef OMMA_TENSOR_ROPE_H
#define OMMA_TENSOR_ROPE_H

#include <stdbool.h>
#include <stddef.h>

struct omma_rope {
    size_t head_dim;
    double theta;
    bool dynamic; /* scale the base once a text is longer than max_positions */
    double factor;
    size_t max_positions;
};

/* What the base of a text of n_tokens follows from: 0 up to max_positions (and always, if not
 * dynamic), else n_tokens.  Keys rotated under different values do not go together in a reused
 * prefix. */
size_t omma_rope_length(const struct omma_rope *rope, size_t n_tokens);

/* inverse_frequency[head_dim / 2] for a value of omma_rope_length(). */
void omma_rope_frequencies(const struct omma_rope *rope, size_t length, float *inverse_frequency);

/* cosine[head_dim / 2], sine[head_dim / 2] of one position. */
void omma_rope_angles(const struct omma_rope *rope, const float *inverse_frequency, float position,
                      float *cosine, float *sine);

#endif
