/*
 * All threads run the same layers; between two operators that depend on each other stands a
 * barrier. The residual stream x is f32 [n_tokens][hidden].  Keys are cached after RoPE.
 *
 * Memory of a pass of 512 tokens (1B, bf16): x 1.8 MB, q k v 2.4 MB, operands 0.9 + 0.9 + 5 MB.
 */
#include "model/language/decoder.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bf16.h"
#include "base/checked.h"
#include "model/observe.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"
#include "tensor/norm.h"
#include "tensor/rope.h"

/* all ones: infinite or no number */
#define EXPONENT_BITS 0x7F800000u

struct omma_decoder {
    const struct omma_config *config;
    const struct omma_weights *weights;
    const struct omma_compute *compute;
    struct omma_arena arena;
    size_t max_tokens;
    float *x;                     /* [max_tokens][hidden] */
    float *qkv;                   /* [max_tokens][(n_heads + 2 n_kv_heads) * head_dim] */
    float *cosine, *sine;         /* [max_tokens][head_dim / 2] */
    float *last;                  /* [hidden]: the last token's final norm, in f32 */
    struct omma_operand normed;   /* [max_tokens][hidden] */
    struct omma_operand q;        /* [max_tokens][n_heads * head_dim] */
    struct omma_operand attended; /* [max_tokens][n_heads * head_dim] */
    struct omma_operand inner;    /* [max_tokens][ffn] */
    _Atomic int bad_layer;        /* any thread lowers it */
};

static bool take_operand(struct omma_decoder *decoder, size_t n_columns,
                         struct omma_operand *operand)
{
    const struct omma_compute *compute = decoder->compute;

    operand->dtype = compute->operand;
    operand->stride = omma_operand_stride(compute, n_columns);
    operand->data = omma_arena_take(&decoder->arena,
                                    omma_operand_bytes(compute, decoder->max_tokens, n_columns), 1);
    return operand->data != NULL;
}

static float *take_floats(struct omma_decoder *decoder, size_t n_rows, size_t n_columns)
{
    return omma_arena_take(&decoder->arena, n_rows * n_columns, sizeof(float));
}

enum omma_status omma_decoder_create(const struct omma_config *config,
                                     const struct omma_weights *weights,
                                     const struct omma_compute *compute, size_t max_tokens,
                                     struct omma_decoder **decoder, struct omma_error *error)
{
    const struct omma_language_config *language = &config->language;
    size_t q_width = language->n_heads * language->head_dim;
    size_t qkv_width = q_width + 2 * language->n_kv_heads * language->head_dim;
    struct omma_decoder *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "the decoder");
    }
    made->config = config;
    made->weights = weights;
    made->compute = compute;
    made->max_tokens = max_tokens;
    made->x = take_floats(made, max_tokens, language->hidden);
    made->qkv = take_floats(made, max_tokens, qkv_width);
    made->cosine = take_floats(made, max_tokens, language->head_dim / 2);
    made->sine = take_floats(made, max_tokens, language->head_dim / 2);
    made->last = take_floats(made, 1, language->hidden);
    if (made->x == NULL || made->qkv == NULL || made->cosine == NULL || made->sine == NULL ||
        made->last == NULL || !take_operand(made, language->hidden, &made->normed) ||
        !take_operand(made, q_width, &made->q) || !take_operand(made, q_width, &made->attended) ||
        !take_operand(made, language->ffn, &made->inner)) {
        omma_decoder_destroy(&made);
        return omma_fail(error, OMMA_STATUS_RESOURCES, "out of memory: the decoder");
    }
    *decoder = made;
    return OMMA_OK;
}

void omma_decoder_destroy(struct omma_decoder **decoder)
{
    if (*decoder != NULL) {
        omma_arena_free(&(*decoder)->arena);
        free(*decoder);
        *decoder = NULL;
    }
}

int omma_decoder_bad_layer(const struct omma_decoder *decoder)
{
    int bad = atomic_load(&decoder->bad_layer);

    return bad == INT32_MAX ? OMMA_DECODER_ALL_FINITE : bad;
}

size_t omma_decoder_scratch_bytes(const struct omma_config *config)
{
    size_t row = config->language.hidden * sizeof(float);

    return omma_max(row, omma_max(omma_matmul_scratch_bytes(),
                                  omma_attention_scratch_bytes(config->language.head_dim)));
}

static void embed(struct omma_thread *self, struct omma_decoder *decoder,
                  const struct omma_decoder_pass *pass)
{
    const struct omma_language_config *language = &decoder->config->language;
    struct omma_range range = omma_team_range(self, pass->n_tokens);
    struct omma_rope rope = {.head_dim = language->head_dim};
    size_t half = language->head_dim / 2;

    for (size_t t = range.begin; t < range.end; t++) {
        float *x = decoder->x + t * language->hidden;

        if (pass->visual != NULL && pass->visual[t] != NULL) {
            memcpy(x, pass->visual[t], language->hidden * sizeof *x);
        } else {
            omma_matrix_read_row(decoder->compute, &decoder->weights->language.embedding,
                                 (size_t)pass->ids[t], x);
        }
        omma_rope_angles(&rope, pass->inverse_frequency, pass->positions[t],
                         decoder->cosine + t * half, decoder->sine + t * half);
    }
    if (self->index == 0) {
        atomic_store(&decoder->bad_layer, INT32_MAX);
    }
    omma_team_barrier(self);
    omma_observe(self, pass->observer, "inputs_embeds", OMMA_OBSERVE_NO_LAYER, pass->n_cached,
                 pass->n_tokens, language->hidden, decoder->x);
}

/* Put n values into the cache, head head of a plane, position position. */
static void cache_values(const struct omma_compute *compute, const struct omma_kv_cache *cache,
                         void *plane, size_t head, size_t position, const float *values)
{
    size_t at = (head * cache->capacity + position) * cache->head_dim;

    if (cache->dtype == OMMA_DTYPE_BF16) {
        compute->kernels.f32_to_bf16(cache->head_dim, values, (uint16_t *)plane + at);
    } else {
        memcpy((float *)plane + at, values, cache->head_dim * sizeof *values);
    }
}

/* Rotate queries and keys; queries become an operand, keys and values go into the cache. */
static void rotate_and_cache(struct omma_thread *self, struct omma_decoder *decoder,
                             const struct omma_decoder_pass *pass, size_t layer)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_compute *compute = decoder->compute;
    size_t hd = language->head_dim;
    size_t n_heads = language->n_heads + 2 * language->n_kv_heads;
    struct omma_range range = omma_team_range(self, pass->n_tokens * n_heads);

    for (size_t i = range.begin; i < range.end; i++) {
        size_t t = i / n_heads, head = i % n_heads;
        float *values = decoder->qkv + i * hd;
        const float *cosine = decoder->cosine + t * (hd / 2);
        const float *sine = decoder->sine + t * (hd / 2);

        if (head < language->n_heads) {
            compute->kernels.rope(hd, cosine, sine, values);
            omma_operand_store(compute, &decoder->q, t, head * hd, values, hd);
        } else if (head < language->n_heads + language->n_kv_heads) {
            compute->kernels.rope(hd, cosine, sine, values);
            cache_values(compute, pass->cache, omma_kv_cache_keys(pass->cache, layer),
                         head - language->n_heads, pass->n_cached + t, values);
        } else {
            cache_values(compute, pass->cache, omma_kv_cache_values(pass->cache, layer),
                         head - language->n_heads - language->n_kv_heads, pass->n_cached + t,
                         values);
        }
    }
}

static void attend(struct omma_thread *self, struct omma_decoder *decoder,
                   const struct omma_decoder_pass *pass, size_t index)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_language_layer *layer = &decoder->weights->language.layers[index];
    const struct omma_compute *compute = decoder->compute;
    struct omma_norm norm = {.weight = layer->attention_norm};
    size_t n = pass->n_tokens, hd = language->head_dim;
    size_t width = (language->n_heads + 2 * language->n_kv_heads) * hd;
    struct omma_output output = {.kind = OMMA_OUTPUT_STORE, .f32_stride = width};
    struct omma_attention attention = {
        .n_queries = n,
        .n_keys = pass->n_cached + n,
        .n_heads = language->n_heads,
        .n_kv_heads = language->n_kv_heads,
        .head_dim = hd,
        .scale = 1.0f / sqrtf((float)hd),
        .causal = true,
        .first_position = pass->n_cached,
        .q = decoder->q,
        .k = omma_kv_cache_keys(pass->cache, index),
        .v = omma_kv_cache_values(pass->cache, index),
        .kv_stride = hd,
        .kv_head_stride = pass->cache->capacity * hd,
        .kv_dtype = pass->cache->dtype,
        .output = decoder->attended,
        .partials = pass->partials,
    };

    omma_norm_rows(self, compute, n, language->hidden, decoder->x, language->hidden, &norm,
                   language->norm_eps, &decoder->normed);
    omma_team_barrier(self);
    output.f32 = decoder->qkv;
    omma_matmul(self, compute, n, &decoder->normed, &layer->q, &output);
    output.f32 = decoder->qkv + language->n_heads * hd;
    omma_matmul(self, compute, n, &decoder->normed, &layer->k, &output);
    output.f32 = decoder->qkv + (language->n_heads + language->n_kv_heads) * hd;
    omma_matmul(self, compute, n, &decoder->normed, &layer->v, &output);
    omma_team_barrier(self);
    rotate_and_cache(self, decoder, pass, index);
    omma_team_barrier(self);
    omma_attention(self, compute, &attention);
    omma_team_barrier(self);
    output = (struct omma_output){
        .kind = OMMA_OUTPUT_RESIDUAL, .f32 = decoder->x, .f32_stride = language->hidden};
    omma_matmul(self, compute, n, &decoder->attended, &layer->o, &output);
    omma_team_barrier(self);
}

static void feed_forward(struct omma_thread *self, struct omma_decoder *decoder,
                         const struct omma_decoder_pass *pass, size_t index)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_language_layer *layer = &decoder->weights->language.layers[index];
    struct omma_norm norm = {.weight = layer->ffn_norm};
    struct omma_output output = {
        .kind = OMMA_OUTPUT_RESIDUAL, .f32 = decoder->x, .f32_stride = language->hidden};

    omma_norm_rows(self, decoder->compute, pass->n_tokens, language->hidden, decoder->x,
                   language->hidden, &norm, language->norm_eps, &decoder->normed);
    omma_team_barrier(self);
    omma_matmul_gated(self, decoder->compute, pass->n_tokens, &decoder->normed, &layer->gate,
                      &layer->up, &decoder->inner);
    omma_team_barrier(self);
    omma_matmul(self, decoder->compute, pass->n_tokens, &decoder->inner, &layer->down, &output);
    omma_team_barrier(self);
}

/* Note the layer if a value of this thread's rows is infinite or no number. */
static void check_finite(struct omma_thread *self, struct omma_decoder *decoder, size_t n_tokens,
                         int layer)
{
    size_t hidden = decoder->config->language.hidden;
    struct omma_range range = omma_team_range(self, n_tokens * hidden);
    uint32_t n_bad = 0;

#pragma omp simd reduction(+ : n_bad)
    for (size_t i = range.begin; i < range.end; i++) {
        n_bad += (omma_bits_of_f32(decoder->x[i]) & EXPONENT_BITS) == EXPONENT_BITS;
    }
    if (n_bad != 0) {
        int bad = atomic_load(&decoder->bad_layer);

        while (layer < bad && !atomic_compare_exchange_weak(&decoder->bad_layer, &bad, layer)) {
        }
    }
}

/* The final norm: of all rows for an observer, of the last one for the logits. */
static void predict(struct omma_thread *self, struct omma_decoder *decoder,
                    const struct omma_decoder_pass *pass)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_language_weights *weights = &decoder->weights->language;
    const struct omma_compute *compute = decoder->compute;
    size_t hidden = language->hidden;
    struct omma_output output = {
        .kind = OMMA_OUTPUT_STORE, .f32 = pass->logits, .f32_stride = language->vocab};

    if (pass->logits != NULL) {
        if (self->index == 0) {
            compute->kernels.rms_norm(hidden, decoder->x + (pass->n_tokens - 1) * hidden,
                                      weights->norm, language->norm_eps, decoder->last);
            omma_operand_store(compute, &decoder->normed, 0, 0, decoder->last, hidden);
        }
        omma_team_barrier(self);
        omma_matmul(self, compute, 1, &decoder->normed, &weights->lm_head, &output);
        omma_team_barrier(self);
    }
    if (pass->observer != NULL && pass->observer->rows != NULL) {
        struct omma_range range = omma_team_range(self, pass->n_tokens);

        for (size_t t = range.begin; t < range.end; t++) {
            float *x = decoder->x + t * hidden;

            compute->kernels.rms_norm(hidden, x, weights->norm, language->norm_eps, x);
        }
        omma_observe(self, pass->observer, "language.norm", OMMA_OBSERVE_NO_LAYER, pass->n_cached,
                     pass->n_tokens, hidden, decoder->x);
        if (pass->logits != NULL) {
            omma_observe(self, pass->observer, "logits", OMMA_OBSERVE_NO_LAYER, 0, 1,
                         language->vocab, pass->logits);
        }
    }
}

void omma_decoder_forward(struct omma_thread *self, struct omma_decoder *decoder,
                          const struct omma_decoder_pass *pass)
{
    const struct omma_language_config *language = &decoder->config->language;

    embed(self, decoder, pass);
    for (size_t i = 0; i < language->n_layers; i++) {
        attend(self, decoder, pass, i);
        feed_forward(self, decoder, pass, i);
        check_finite(self, decoder, pass->n_tokens, (int)i);
        omma_observe(self, pass->observer, "language.layer", (int)i, pass->n_cached, pass->n_tokens,
                     language->hidden, decoder->x);
    }
    predict(self, decoder, pass);
    omma_team_barrier(self);
}
