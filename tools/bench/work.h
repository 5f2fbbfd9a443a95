/*
 * work.h - what a pass must do at the least: multiply-adds of prefill and of a tile, bytes of a
 * decoding step.
 */
#ifndef OMMA_BENCH_WORK_H
#define OMMA_BENCH_WORK_H

#include "api/omma.h"

/* Multiply-adds of a prompt of n_tokens from an empty cache: all linear layers of the language
 * model, causal attention (each token sees half of them on average), and one row of logits. */
double bench_prefill_work(const struct omma_model_info *model, size_t n_tokens);

/* Multiply-adds of a tile in one layer of the encoder. */
double bench_tile_layer_work(const struct omma_model_info *model);

/* Multiply-adds of one tile: patch embedding, encoder, projector. */
double bench_tile_work(const struct omma_model_info *model);

/* Bytes of the keys and values of a token.  kv_dtype: "bf16" or "f32". */
double bench_kv_bytes(const struct omma_model_info *model, const char *kv_dtype);

/* Bytes that one step of n_sequences reads with `depth` tokens in the cache of each: all weights of
 * the language model once, scales and head included, of the embedding one row, and the keys and
 * values of those tokens. */
double bench_decode_bytes(const struct omma_model_info *model, double depth, size_t n_sequences,
                          const char *kv_dtype);

#endif
