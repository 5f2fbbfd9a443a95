/*
 * One tile at a time, all rows in one pass: 1025 rows are far beyond the point where reading the
 * weights would cost.  The residual stream h is f32; what enters a product is an operand.
 *
 * Memory of a pass (300M, bf16): h and one more f32 [1025][1024], 4 MB each; operands of 2 MB
 * (five) and 8 MB; taken once.
 */
#include "model/vision/encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "model/observe.h"
#include "model/vision/image_processor.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"
#include "tensor/norm.h"

struct omma_encoder {
    const struct omma_config *config;
    const struct omma_weights *weights;
    const struct omma_compute *compute;
    struct omma_arena arena;
    float pixel_values[3][256];    /* normalised, by channel and byte */
    size_t n_rows;                 /* n_patches + 1 */
    float *h;                      /* [n_rows][hidden]: the residual stream */
    float *wide;                   /* [n_rows][hidden]: q or k before their norm; shuffled rows */
    struct omma_operand patches;   /* [n_patches][3 * patch_size^2] */
    struct omma_operand normed;    /* [n_rows][hidden] */
    struct omma_operand q, k, v;   /* [n_rows][hidden] */
    struct omma_operand attended;  /* [n_rows][hidden] */
    struct omma_operand inner;     /* [n_rows][ffn] */
    struct omma_operand shuffled;  /* [tokens_per_tile][shuffle^2 * hidden] */
    struct omma_operand projected; /* [tokens_per_tile][hidden of the language model] */
};

static size_t patch_width(const struct omma_vision_config *vision)
{
    return 3 * vision->patch_size * vision->patch_size;
}

static size_t shuffled_width(const struct omma_config *config)
{
    return config->shuffle * config->shuffle * config->vision.hidden;
}

static struct omma_operand shape_operand(const struct omma_compute *compute, void *data,
                                         size_t n_columns)
{
    return (struct omma_operand){
        .data = data, .dtype = compute->operand, .stride = omma_operand_stride(compute, n_columns)};
}

/* Carve the operands; some lie in the memory of others that are not in use at the same time. */
static bool take_operands(struct omma_encoder *made)
{
    const struct omma_compute *compute = made->compute;
    const struct omma_vision_config *vision = &made->config->vision;
    size_t d = vision->hidden, n = made->n_rows, n_tokens = made->config->tokens_per_tile;
    size_t width = shuffled_width(made->config), hidden = made->config->language.hidden;
    size_t row_bytes = omma_operand_bytes(compute, n, d);
    size_t normed_bytes = omma_max(row_bytes, omma_operand_bytes(compute, n_tokens, hidden));
    size_t inner_bytes = omma_max(omma_operand_bytes(compute, n, vision->ffn),
                                  omma_operand_bytes(compute, n_tokens, width));
    void *normed, *inner;

    inner_bytes =
        omma_max(inner_bytes, omma_operand_bytes(compute, vision->n_patches, patch_width(vision)));
    normed = omma_arena_take(&made->arena, normed_bytes, 1);
    inner = omma_arena_take(&made->arena, inner_bytes, 1);
    made->normed = shape_operand(compute, normed, d);
    made->projected = shape_operand(compute, normed, hidden);
    made->inner = shape_operand(compute, inner, vision->ffn);
    made->patches = shape_operand(compute, inner, patch_width(vision));
    made->shuffled = shape_operand(compute, inner, width);
    made->q = shape_operand(compute, omma_arena_take(&made->arena, row_bytes, 1), d);
    made->k = shape_operand(compute, omma_arena_take(&made->arena, row_bytes, 1), d);
    made->v = shape_operand(compute, omma_arena_take(&made->arena, row_bytes, 1), d);
    made->attended = shape_operand(compute, omma_arena_take(&made->arena, row_bytes, 1), d);
    return normed != NULL && inner != NULL && made->q.data != NULL && made->k.data != NULL &&
           made->v.data != NULL && made->attended.data != NULL;
}

/* The int8 forms of what linears read, which share memory as the operands do. */
static bool take_i8(struct omma_encoder *made)
{
    size_t d = made->config->vision.hidden, ffn = made->config->vision.ffn, n = made->n_rows;
    size_t width = shuffled_width(made->config), n_tokens = made->config->tokens_per_tile;
    size_t hidden = made->config->language.hidden, group = made->weights->scale_group;
    size_t n_bytes[] = {
        omma_max(omma_i8_rows_bytes(n, d, group), omma_i8_rows_bytes(n_tokens, hidden, group)),
        omma_i8_rows_bytes(n, d, group),
        omma_max(omma_i8_rows_bytes(n, ffn, group), omma_i8_rows_bytes(n_tokens, width, group)),
    };
    size_t n_pieces =
        omma_max(n * omma_pieces_stride(omma_max(d, ffn)), n_tokens * omma_pieces_stride(hidden));
    float *pieces = omma_arena_take(&made->arena, n_pieces, sizeof *pieces);
    void *memory[3];

    for (size_t i = 0; i < 3; i++) {
        memory[i] = omma_arena_take(&made->arena, n_bytes[i], 1);
        if (memory[i] == NULL || pieces == NULL) {
            return false;
        }
    }
    made->normed.i8 = omma_i8_rows_carve(memory[0], n, d, group);
    made->attended.i8 = omma_i8_rows_carve(memory[1], n, d, group);
    made->inner.i8 = omma_i8_rows_carve(memory[2], n, ffn, group);
    made->shuffled.i8 = omma_i8_rows_carve(memory[2], n_tokens, width, group);
    made->projected.i8 = omma_i8_rows_carve(memory[0], n_tokens, hidden, group);
    made->attended.pieces = made->inner.pieces = made->projected.pieces = pieces;
    made->attended.pieces_stride = omma_pieces_stride(d);
    made->inner.pieces_stride = omma_pieces_stride(ffn);
    made->projected.pieces_stride = omma_pieces_stride(hidden);
    return true;
}

enum omma_status omma_encoder_create(const struct omma_config *config,
                                     const struct omma_weights *weights,
                                     const struct omma_compute *compute,
                                     struct omma_encoder **encoder, struct omma_error *error)
{
    struct omma_encoder *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "the vision encoder");
    }
    made->config = config;
    made->weights = weights;
    made->compute = compute;
    made->n_rows = config->vision.n_patches + 1;
    omma_image_pixel_values(made->pixel_values);
    made->h = omma_arena_take(&made->arena, made->n_rows * config->vision.hidden, sizeof(float));
    made->wide = omma_arena_take(&made->arena, made->n_rows * config->vision.hidden, sizeof(float));
    if (made->h == NULL || made->wide == NULL || !take_operands(made) ||
        (compute->int8_activations && weights->has_int8_vision && !take_i8(made))) {
        omma_encoder_destroy(&made);
        return omma_fail(error, OMMA_STATUS_RESOURCES, "out of memory: the vision encoder");
    }
    *encoder = made;
    return OMMA_OK;
}

void omma_encoder_destroy(struct omma_encoder **encoder)
{
    if (*encoder != NULL) {
        omma_arena_free(&(*encoder)->arena);
        free(*encoder);
        *encoder = NULL;
    }
}

size_t omma_encoder_scratch_bytes(const struct omma_config *config)
{
    size_t row = omma_max(shuffled_width(config), patch_width(&config->vision)) * sizeof(float);

    return omma_max(row, omma_max(omma_matmul_scratch_bytes(),
                                  omma_attention_scratch_bytes(config->vision.head_dim)));
}

/* Normalised pixels of each patch as a row [channel][y][x], the order of the convolution's weight.
 */
static void gather_patches(struct omma_thread *self, struct omma_encoder *encoder,
                           const uint8_t *tile)
{
    const struct omma_vision_config *vision = &encoder->config->vision;
    size_t side = vision->patch_size, per_row = vision->tile_size / side;
    struct omma_range range = omma_team_range(self, vision->n_patches);
    float *values = (float *)(void *)self->scratch;

    for (size_t patch = range.begin; patch < range.end; patch++) {
        const uint8_t *corner =
            tile + 3 * (patch / per_row * side * vision->tile_size + patch % per_row * side);
        float *at = values;

        for (size_t channel = 0; channel < 3; channel++) {
            for (size_t y = 0; y < side; y++) {
                const uint8_t *pixel = corner + 3 * y * vision->tile_size + channel;

                for (size_t x = 0; x < side; x++) {
                    *at++ = encoder->pixel_values[channel][pixel[3 * x]];
                }
            }
        }
        omma_operand_store(encoder->compute, &encoder->patches, patch, 0, values,
                           patch_width(vision));
    }
}

/* h = [class ; patches] + position embedding */
static void embed(struct omma_thread *self, struct omma_encoder *encoder, const uint8_t *tile,
                  size_t tile_index, const struct omma_observer *observer)
{
    const struct omma_vision_config *vision = &encoder->config->vision;
    const struct omma_vision_weights *weights =
        &omma_weights_of_node(encoder->weights, self->node)->vision;
    size_t d = vision->hidden;
    struct omma_output output = {.kind = OMMA_OUTPUT_STORE, .f32 = encoder->h + d, .f32_stride = d};
    struct omma_range rows = omma_team_range(self, encoder->n_rows);
    float *position = (float *)(void *)self->scratch;

    gather_patches(self, encoder, tile);
    omma_team_barrier(self);
    omma_matmul(self, encoder->compute, vision->n_patches, &encoder->patches,
                &weights->patch_embedding, &output);
    if (self->index == 0) {
        memcpy(encoder->h, weights->class_embedding, d * sizeof *encoder->h);
    }
    omma_team_barrier(self);
    omma_observe(self, observer, "vision.patch_embedding", OMMA_OBSERVE_NO_LAYER,
                 tile_index * vision->n_patches, vision->n_patches, d, encoder->h + d);
    for (size_t i = rows.begin; i < rows.end; i++) {
        omma_matrix_read_row(encoder->compute, &weights->position_embedding, i, position);
        encoder->compute->kernels.add(d, position, encoder->h + i * d);
    }
    omma_team_barrier(self);
    omma_observe(self, observer, "vision.embedding", OMMA_OBSERVE_NO_LAYER,
                 tile_index * encoder->n_rows, encoder->n_rows, d, encoder->h);
}

/* q or k with its norm over all heads together (6B), or without. */
static void project_query(struct omma_thread *self, struct omma_encoder *encoder,
                          const struct omma_operand *normed, const struct omma_linear *linear,
                          const float *norm_weight, const struct omma_operand *result)
{
    size_t d = encoder->config->vision.hidden;
    struct omma_norm norm = {.weight = norm_weight};
    struct omma_output output = {.kind = OMMA_OUTPUT_OPERAND, .operand = *result};

    if (norm_weight != NULL) {
        output =
            (struct omma_output){.kind = OMMA_OUTPUT_STORE, .f32 = encoder->wide, .f32_stride = d};
    }
    omma_matmul(self, encoder->compute, encoder->n_rows, normed, linear, &output);
    if (norm_weight != NULL) {
        omma_team_barrier(self);
        omma_norm_rows(self, encoder->compute, encoder->n_rows, d, encoder->wide, d, &norm,
                       encoder->config->vision.norm_eps, result);
        omma_team_barrier(self);
    }
}

static void attend(struct omma_thread *self, struct omma_encoder *encoder,
                   const struct omma_vision_layer *layer)
{
    const struct omma_vision_config *vision = &encoder->config->vision;
    size_t d = vision->hidden, n = encoder->n_rows;
    struct omma_output output = {.kind = OMMA_OUTPUT_OPERAND, .operand = encoder->v};
    const struct omma_matrix *readers[] = {&layer->q.weight, &layer->k.weight, &layer->v.weight};
    const struct omma_matrix *projection = &layer->projection.weight;
    struct omma_operand normed = omma_operand_for(encoder->compute, &encoder->normed, readers, 3);
    struct omma_operand attended =
        omma_operand_for(encoder->compute, &encoder->attended, &projection, 1);
    struct omma_attention attention = {
        .n_queries = n,
        .n_keys = n,
        .n_heads = vision->n_heads,
        .n_kv_heads = vision->n_heads,
        .head_dim = vision->head_dim,
        .scale = 1.0f / sqrtf((float)vision->head_dim),
        .q = encoder->q,
        .k = encoder->k.data,
        .v = encoder->v.data,
        .kv_stride = encoder->k.stride,
        .kv_head_stride = vision->head_dim,
        .kv_dtype = encoder->k.dtype,
        .output = attended,
    };

    omma_norm_rows(self, encoder->compute, n, d, encoder->h, d, &layer->norm1, vision->norm_eps,
                   &normed);
    omma_team_barrier(self);
    project_query(self, encoder, &normed, &layer->q, layer->q_norm, &encoder->q);
    project_query(self, encoder, &normed, &layer->k, layer->k_norm, &encoder->k);
    omma_matmul(self, encoder->compute, n, &normed, &layer->v, &output);
    omma_team_barrier(self);
    omma_attention(self, encoder->compute, &attention, 1);
    omma_team_barrier(self);
    omma_quantize_rows(self, encoder->compute, n, d, &attended);
    output = (struct omma_output){
        .kind = OMMA_OUTPUT_RESIDUAL, .f32 = encoder->h, .f32_stride = d, .scale = layer->scale1};
    omma_matmul(self, encoder->compute, n, &attended, &layer->projection, &output);
    omma_team_barrier(self);
}

static void feed_forward(struct omma_thread *self, struct omma_encoder *encoder,
                         const struct omma_vision_layer *layer)
{
    const struct omma_vision_config *vision = &encoder->config->vision;
    size_t d = vision->hidden, n = encoder->n_rows;
    const struct omma_matrix *fc1 = &layer->fc1.weight, *fc2 = &layer->fc2.weight;
    struct omma_operand normed = omma_operand_for(encoder->compute, &encoder->normed, &fc1, 1);
    struct omma_operand inner = omma_operand_for(encoder->compute, &encoder->inner, &fc2, 1);
    struct omma_output output = {.kind = OMMA_OUTPUT_GELU, .operand = inner};

    omma_norm_rows(self, encoder->compute, n, d, encoder->h, d, &layer->norm2, vision->norm_eps,
                   &normed);
    omma_team_barrier(self);
    omma_matmul(self, encoder->compute, n, &normed, &layer->fc1, &output);
    omma_team_barrier(self);
    omma_quantize_rows(self, encoder->compute, n, vision->ffn, &inner);
    output = (struct omma_output){
        .kind = OMMA_OUTPUT_RESIDUAL, .f32 = encoder->h, .f32_stride = d, .scale = layer->scale2};
    omma_matmul(self, encoder->compute, n, &inner, &layer->fc2, &output);
    omma_team_barrier(self);
}

/* Put the shuffle x shuffle patches of a token side by side:
 * out[(dr * shuffle + dc) * d + i] = patch (shuffle R + dr, shuffle C + dc)[i], token = (R, C). */
static void shuffle_token(const struct omma_encoder *encoder, size_t token, float *out)
{
    const struct omma_vision_config *vision = &encoder->config->vision;
    size_t s = encoder->config->shuffle, d = vision->hidden;
    size_t per_row = vision->tile_size / vision->patch_size;
    size_t row = token / (per_row / s), column = token % (per_row / s);

    for (size_t dr = 0; dr < s; dr++) {
        size_t patch = (s * row + dr) * per_row + s * column;

        memcpy(out + dr * s * d, encoder->h + (1 + patch) * d, s * d * sizeof *out);
    }
}

static void project(struct omma_thread *self, struct omma_encoder *encoder, size_t tile_index,
                    const struct omma_observer *observer, float *tokens)
{
    const struct omma_config *config = encoder->config;
    const struct omma_projector_weights *weights =
        &omma_weights_of_node(encoder->weights, self->node)->projector;
    size_t n = config->tokens_per_tile, width = shuffled_width(config);
    size_t hidden = config->language.hidden;
    struct omma_range range = omma_team_range(self, n);
    const struct omma_matrix *fc1 = &weights->fc1.weight, *fc2 = &weights->fc2.weight;
    struct omma_operand shuffled = omma_operand_for(encoder->compute, &encoder->shuffled, &fc1, 1);
    struct omma_operand projected =
        omma_operand_for(encoder->compute, &encoder->projected, &fc2, 1);
    struct omma_output output = {.kind = OMMA_OUTPUT_GELU, .operand = projected};

    for (size_t t = range.begin; t < range.end; t++) {
        shuffle_token(encoder, t, encoder->wide + t * width);
    }
    omma_team_barrier(self);
    omma_observe(self, observer, "vision.shuffled", OMMA_OBSERVE_NO_LAYER, tile_index * n, n, width,
                 encoder->wide);
    omma_norm_rows(self, encoder->compute, n, width, encoder->wide, width, &weights->norm,
                   config->projector_eps, &shuffled);
    omma_team_barrier(self);
    omma_matmul(self, encoder->compute, n, &shuffled, &weights->fc1, &output);
    omma_team_barrier(self);
    omma_quantize_rows(self, encoder->compute, n, hidden, &projected);
    output = (struct omma_output){.kind = OMMA_OUTPUT_STORE, .f32 = tokens, .f32_stride = hidden};
    omma_matmul(self, encoder->compute, n, &projected, &weights->fc2, &output);
    omma_team_barrier(self);
    omma_observe(self, observer, "projector", OMMA_OBSERVE_NO_LAYER, tile_index * n, n, hidden,
                 tokens);
}

size_t omma_encoder_n_stages(const struct omma_encoder *encoder)
{
    return encoder->config->vision.n_layers + 2;
}

void omma_encoder_stage(struct omma_thread *self, struct omma_encoder *encoder, size_t stage,
                        const struct omma_encoder_tile *tile)
{
    const struct omma_vision_config *vision = &encoder->config->vision;
    const struct omma_weights *weights = omma_weights_of_node(encoder->weights, self->node);

    if (stage == 0) {
        embed(self, encoder, tile->pixels, tile->index, tile->observer);
    } else if (stage <= vision->n_layers) {
        const struct omma_vision_layer *layer = &weights->vision.layers[stage - 1];

        attend(self, encoder, layer);
        feed_forward(self, encoder, layer);
        omma_observe(self, tile->observer, "vision.layer", (int)stage - 1,
                     tile->index * encoder->n_rows, encoder->n_rows, vision->hidden, encoder->h);
    } else {
        project(self, encoder, tile->index, tile->observer, tile->tokens);
    }
}

void omma_encoder_tile(struct omma_thread *self, struct omma_encoder *encoder,
                       const struct omma_encoder_tile *tile)
{
    for (size_t stage = 0; stage < omma_encoder_n_stages(encoder); stage++) {
        omma_encoder_stage(self, encoder, stage, tile);
    }
}
