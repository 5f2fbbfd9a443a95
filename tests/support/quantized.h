/*
 * quantized.h - the small checkpoint of checkpoint.h with int8 weights, in the form of
 * compressed-tensors' int-quantized.
 */
#ifndef OMMA_TESTS_QUANTIZED_H
#define OMMA_TESTS_QUANTIZED_H

#include "support/checkpoint.h"

struct omma_test_quantization {
    size_t group; /* columns that share a scale, where they are several; 0: those of a row */
    bool vision;  /* vision tower and projector too */
    bool head;
    bool weights_only; /* the config has no input_activations */
};

/* Make the weights of the language model's linears I8, each with a weight_scale BF16 [rows, 1] or
 * [rows, groups] at the end of the list, and say so in the config.  Of any layout. */
void omma_test_checkpoint_quantize(struct omma_test_checkpoint *checkpoint,
                                   const struct omma_test_quantization *quantization);

/* The feed-forward of the language model as wide as ffn, before it is quantized: the small model's
 * rows are shorter than a group. */
void omma_test_checkpoint_widen(struct omma_test_checkpoint *checkpoint, size_t ffn);

#endif
