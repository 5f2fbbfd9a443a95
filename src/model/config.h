/*
 * config.h - the hyper-parameters of a checkpoint, read from its config.json and range-checked
 * once.
 */
#ifndef OMMA_MODEL_CONFIG_H
#define OMMA_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "model/quantization.h"

enum omma_layout { OMMA_LAYOUT_ORIGINAL, OMMA_LAYOUT_HF };
enum omma_norm_type { OMMA_NORM_LAYER, OMMA_NORM_RMS };
enum omma_rope_scaling { OMMA_ROPE_PLAIN, OMMA_ROPE_DYNAMIC };

/* InternViT */
struct omma_vision_config {
    size_t hidden, n_layers, n_heads, head_dim, ffn;
    size_t tile_size, patch_size; /* pixels: 448, 14 */
    size_t n_patches; /* of a tile: (448 / 14)^2 = 1024; with the class token n_patches + 1 */
    float norm_eps;
    enum omma_norm_type norm_type; /* layer: 300M; RMS: 6B */
    bool qkv_bias, qk_norm;
};

/* Qwen2 */
struct omma_language_config {
    size_t hidden, n_layers, n_heads, n_kv_heads, head_dim, ffn, vocab;
    size_t max_positions;
    float norm_eps;
    double rope_theta;
    enum omma_rope_scaling rope_scaling;
    double rope_factor;   /* of dynamic scaling */
    bool tied_embeddings; /* config.json's word; lm_head.weight in the files wins */
};

struct omma_config {
    const char *architecture; /* in the arena */
    enum omma_layout layout;
    struct omma_vision_config vision;
    struct omma_language_config language;
    struct omma_quantization quantization;
    float projector_eps;    /* of its LayerNorm: 1e-5 */
    size_t shuffle;         /* 1 / downsample_ratio: 2; a token covers shuffle x shuffle patches */
    size_t tokens_per_tile; /* 256 */
    size_t min_tiles, max_tiles;
    bool use_thumbnail;
    const char *system_message; /* NULL: the template's own (also for JSON null) */
    int32_t eos_ids[8];         /* of config.json and generation_config.json */
    size_t n_eos_ids;
};

/* Read config.json and, if present, generation_config.json of a folder.  Texts live in the arena.
 * OMMA_STATUS_MODEL with "path: field: expected X, found Y"; *config is then undefined. */
enum omma_status omma_config_read(const char *dir, struct omma_arena *arena,
                                  struct omma_config *config, struct omma_error *error);

/* The same from the text of a config.json alone; name stands for its path in messages. */
enum omma_status omma_config_parse(const char *name, const char *text, size_t n_bytes,
                                   struct omma_arena *arena, struct omma_config *config,
                                   struct omma_error *error);

#endif
