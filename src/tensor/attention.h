/*
 * attention.h - softmax(q k^T scale) v for many queries (prefill, vision) or one (decode), with
 * grouped heads: query head h reads key head h / (n_heads / n_kv_heads).
 *
 * Softmax runs over blocks of keys that start at fixed positions, with a running maximum, in f32;
 * queries, probabilities and values enter the products as operands.  The bits of a row depend on
 * nothing but its query and keys, and on whether it came alone (or the way that compute asks for).
 */
#ifndef OMMA_TENSOR_ATTENTION_H
#define OMMA_TENSOR_ATTENTION_H

#include "platform/team.h"
#include "tensor/compute.h"

struct omma_attention {
    size_t n_queries, n_keys;
    size_t n_heads, n_kv_heads, head_dim;
    float scale;           /* of the scores: head_dim^-0.5 */
    bool causal;           /* query i sees keys 0 .. first_position + i, else all */
    size_t first_position; /* first_position + n_queries <= n_keys */
    struct omma_operand q; /* [n_queries][n_heads * head_dim] */
    const void *k, *v;     /* of key head 0: [n_keys][head_dim], rows kv_stride elements apart */
    size_t kv_stride;
    size_t kv_head_stride;      /* elements between key heads */
    enum omma_dtype kv_dtype;   /* bf16 or f32; bf16 where the operands are */
    struct omma_operand output; /* [n_queries][n_heads * head_dim] */
    float *partials; /* for n_queries 1: omma_attention_partials() floats, shared by the team */
};

/* The attention of n sequences with heads of the same shape.  By all threads.  No barrier at the
 * end; inputs must be complete (a barrier before). */
void omma_attention(struct omma_thread *self, const struct omma_compute *compute,
                    const struct omma_attention *attentions, size_t n);

/* Floats that one query over n_keys needs for its partial results. */
size_t omma_attention_partials(size_t n_heads, size_t head_dim, size_t n_keys);

/* Scratch that a thread needs. */
size_t omma_attention_scratch_bytes(size_t head_dim);

#endif
