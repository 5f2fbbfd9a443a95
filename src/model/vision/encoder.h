/*
 * encoder.h - InternViT and the projector: a tile of pixels to visual tokens.
 *
 * h = [class ; W p + b] + position embedding; each layer h += s1 * Attention(norm1 h),
 * h += s2 * MLP(norm2 h); no norm at the end; the class row is dropped, 2 x 2 patches are put side
 * by side (pixel shuffle, version 2), LayerNorm, Linear, GELU, Linear. Source: InternVL's
 * modeling_intern_vit.py and modeling_internvl_chat.py.
 */
#ifndef OMMA_VISION_ENCODER_H
#define OMMA_VISION_ENCODER_H

#include "api/omma.h"
#include "model/config.h"
#include "model/weights.h"
#include "platform/team.h"
#include "tensor/compute.h"

/* Weights bound to the memory of one pass. */
struct omma_encoder;

/* All arguments must outlive the encoder. */
enum omma_status omma_encoder_create(const struct omma_config *config,
                                     const struct omma_weights *weights,
                                     const struct omma_compute *compute,
                                     struct omma_encoder **encoder, struct omma_error *error);
void omma_encoder_destroy(struct omma_encoder **encoder);

/* tokens[tokens_per_tile][hidden] of a tile, RGB8 [tile_size][tile_size][3].  By all threads; ends
 * with a barrier.  Rows of observed stages are numbered from tile_index on. */
void omma_encoder_tile(struct omma_thread *self, struct omma_encoder *encoder, const uint8_t *tile,
                       size_t tile_index, const struct omma_observer *observer, float *tokens);

/* Scratch that a thread needs. */
size_t omma_encoder_scratch_bytes(const struct omma_config *config);

#endif
