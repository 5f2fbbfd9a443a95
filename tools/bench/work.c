/*
 * The formulas, with a model's sizes as they stand in struct omma_model_info.
 *
 * InternViT, d wide, N = 1025 positions of a tile, a layer: N (4 d^2 + 2 d ffn) for the linear
 * layers and 2 N^2 d for the scores and their sum over values; 14 x 14 x 3 inputs a patch.
 * Projector, 256 tokens a tile: 4 d -> hidden -> hidden.  Qwen2, a token and layer: queries and
 * output, keys and values, three matrices of the feed-forward; attention 2 n_heads head_dim a token
 * and position.
 */
#include "tools/bench/work.h"

#include <math.h>
#include <string.h>

/* Multiply-adds, and weights, of a token in all linear layers of the language model. */
static double linear_work(const struct omma_model_info *model)
{
    double hidden = (double)model->hidden;
    double queries = (double)(model->n_heads * model->head_dim);
    double keys = (double)(model->n_kv_heads * model->head_dim);

    return (double)model->n_layers *
           (2 * hidden * queries + 2 * hidden * keys + 3 * hidden * (double)model->ffn);
}

double bench_prefill_work(const struct omma_model_info *model, size_t n_tokens)
{
    double n = (double)n_tokens;
    double attention = (double)(model->n_layers * model->n_heads * model->head_dim) * n * n;

    return n * linear_work(model) + attention + (double)model->hidden * (double)model->vocab;
}

double bench_tile_layer_work(const struct omma_model_info *model)
{
    double d = (double)model->vision_hidden, ffn = (double)model->vision_ffn;
    double n_positions = 4 * (double)model->tokens_per_tile + 1; /* the pixel shuffle joins 2 x 2 */

    return n_positions * (4 * d * d + 2 * d * ffn) + 2 * n_positions * n_positions * d;
}

double bench_tile_work(const struct omma_model_info *model)
{
    double d = (double)model->vision_hidden, hidden = (double)model->hidden;
    double n_tokens = (double)model->tokens_per_tile;
    double n_patches = 4 * n_tokens;
    double patch = (double)model->tile_size / sqrt(n_patches);

    return (double)model->n_vision_layers * bench_tile_layer_work(model) +
           n_patches * 3 * patch * patch * d + n_tokens * (4 * d * hidden + hidden * hidden);
}

double bench_kv_bytes(const struct omma_model_info *model, const char *kv_dtype)
{
    return (double)model->kv_bytes_per_token * (strcmp(kv_dtype, "f32") == 0 ? 2 : 1);
}

double bench_decode_bytes(const struct omma_model_info *model, double depth, size_t n_sequences,
                          const char *kv_dtype)
{
    return (double)model->step_bytes +
           (double)n_sequences * depth * bench_kv_bytes(model, kv_dtype);
}
