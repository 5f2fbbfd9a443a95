/*
 * attention_decode.h - attention of sequences with a single query: memory-bound, split over
 * sequences, key heads and blocks of keys.  Part of attention.c's omma_attention().
 */
#ifndef OMMA_TENSOR_ATTENTION_DECODE_H
#define OMMA_TENSOR_ATTENTION_DECODE_H

#include "tensor/attention.h"

/* Those of the n whose n_queries is 1.  Meets at one barrier inside if there is one; none at the
 * end. */
void omma_attention_decode(struct omma_thread *self, const struct omma_compute *compute,
                           const struct omma_attention *attentions, size_t n);

size_t omma_attention_decode_scratch_bytes(void);

#endif
