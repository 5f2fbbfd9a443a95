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

struct omma_encoder_tile {
    const uint8_t *pixels;                /* RGB8 [tile_size][tile_size][3] */
    size_t index;                         /* rows of observed stages are numbered by it */
    const struct omma_observer *observer; /* may be NULL */
    float *tokens;                        /* the result: [tokens_per_tile][hidden] */
};

/* Encode a tile.  By all threads; ends with a barrier. */
void omma_encoder_tile(struct omma_thread *self, struct omma_encoder *encoder,
                       const struct omma_encoder_tile *tile);

/* The same in steps, one after the other: 0 embeds, each layer is one, the last one projects.
 * Other threads, and more or fewer of them, may take the next: the bits are the same. */
size_t omma_encoder_n_stages(const struct omma_encoder *encoder);
void omma_encoder_stage(struct omma_thread *self, struct omma_encoder *encoder, size_t stage,
                        const struct omma_encoder_tile *tile);

/* Scratch that a thread needs. */
size_t omma_encoder_scratch_bytes(const struct omma_config *config);

#endif
