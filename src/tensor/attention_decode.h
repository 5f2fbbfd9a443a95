/*
 * attention_decode.h - attention of a single query: memory-bound, split over key heads and blocks
 * of keys.  Part of attention.c's omma_attention().
 */
#ifndef OMMA_TENSOR_ATTENTION_DECODE_H
#define OMMA_TENSOR_ATTENTION_DECODE_H

#include "tensor/attention.h"

/* attention->n_queries is 1.  Meets at one barrier inside; none at the end. */
void omma_attention_decode(struct omma_thread *self, const struct omma_compute *compute,
                           const struct omma_attention *attention);

size_t omma_attention_decode_scratch_bytes(void);

#endif
