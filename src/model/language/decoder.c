/*
 * All threads run the same layers; between two operators that depend on each other stands a
 * barrier. Norms of few rows are an exception: each thread computes all of them for itself, which
 * takes less time than to meet. The residual stream x is f32 [n_rows][hidden]: the tokens of all
 * sequences, one after the other.  Keys are cached after RoPE.
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

enum {
    CACHE_LINE = 64,
    OWN_ROWS = OMMA_GEMV_MAX_M, /* that every thread norms for itself */
    SMALLEST_GROUP = 64,        /* of int8 weights' scales */
};

/* Where a row's key and value go. */
struct place {
    const struct omma_kv_cache *cache;
    size_t position;
};

struct omma_decoder {
    const struct omma_config *config;
    const struct omma_weights *weights;
    const struct omma_compute *compute;      /* the engine's */
    const struct omma_compute *pass_compute; /* of the layers of the pass at hand: that, or */
    struct omma_compute many, few;           /* by a rule of their own */
    struct omma_arena arena;
    size_t max_tokens;
    float *x;                          /* [max_tokens][hidden] */
    float *qkv;                        /* [max_tokens][(n_heads + 2 n_kv_heads) * head_dim] */
    float *cosine, *sine;              /* [max_tokens][head_dim / 2] */
    struct place *places;              /* [max_tokens] */
    struct omma_attention *attentions; /* [max_tokens]: a sequence's, in the layer at hand */
    struct omma_operand normed;        /* [max_tokens][hidden] */
    struct omma_operand q;             /* [max_tokens][n_heads * head_dim] */
    struct omma_operand attended;      /* [max_tokens][n_heads * head_dim] */
    struct omma_operand inner;         /* [max_tokens][ffn] */
    _Atomic int bad_layer;             /* any thread lowers it */
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

/* The int8 form of an operand; pieces: rows that are to be quantized, or NULL. */
static bool take_i8(struct omma_decoder *decoder, size_t n_columns, float *pieces,
                    struct omma_operand *operand)
{
    size_t group = decoder->weights->scale_group;
    size_t n_bytes = omma_i8_rows_bytes(decoder->max_tokens, n_columns, group);
    void *memory = omma_arena_take(&decoder->arena, n_bytes, 1);

    if (memory != NULL) {
        operand->i8 = omma_i8_rows_carve(memory, decoder->max_tokens, n_columns, group);
        operand->pieces = pieces;
        operand->pieces_stride = omma_pieces_stride(n_columns);
    }
    return memory != NULL;
}

static float *take_floats(struct omma_decoder *decoder, size_t n_rows, size_t n_columns)
{
    return omma_arena_take(&decoder->arena, n_rows * n_columns, sizeof(float));
}

static bool take_operands(struct omma_decoder *decoder, size_t q_width)
{
    const struct omma_language_config *language = &decoder->config->language;
    size_t widest = omma_pieces_stride(omma_max(q_width, language->ffn));
    float *pieces;

    if (!take_operand(decoder, language->hidden, &decoder->normed) ||
        !take_operand(decoder, q_width, &decoder->q) ||
        !take_operand(decoder, q_width, &decoder->attended) ||
        !take_operand(decoder, language->ffn, &decoder->inner)) {
        return false;
    }
    if (!decoder->compute->int8_activations || !decoder->weights->has_int8_language) {
        return true;
    }
    pieces = take_floats(decoder, decoder->max_tokens, widest);
    return pieces != NULL && take_i8(decoder, language->hidden, NULL, &decoder->normed) &&
           take_i8(decoder, q_width, pieces, &decoder->attended) &&
           take_i8(decoder, language->ffn, pieces, &decoder->inner);
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
    made->compute = made->pass_compute = compute;
    made->many = made->few = *compute;
    made->many.rows = OMMA_ROWS_MANY;
    made->few.rows = OMMA_ROWS_FEW;
    made->max_tokens = max_tokens;
    made->x = take_floats(made, max_tokens, language->hidden);
    made->qkv = take_floats(made, max_tokens, qkv_width);
    made->cosine = take_floats(made, max_tokens, language->head_dim / 2);
    made->sine = take_floats(made, max_tokens, language->head_dim / 2);
    made->places = omma_arena_take(&made->arena, max_tokens, sizeof *made->places);
    made->attentions = omma_arena_take(&made->arena, max_tokens, sizeof *made->attentions);
    if (made->x == NULL || made->qkv == NULL || made->cosine == NULL || made->sine == NULL ||
        made->places == NULL || made->attentions == NULL || !take_operands(made, q_width)) {
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

/* What operators take of a thread's scratch. */
static size_t shared_scratch_bytes(const struct omma_config *config)
{
    size_t row = config->language.hidden * sizeof(float);
    size_t most = omma_max(row, omma_max(omma_matmul_scratch_bytes(),
                                         omma_attention_scratch_bytes(config->language.head_dim)));

    return omma_round_up(most, CACHE_LINE);
}

/* Behind that: few normed rows of a thread's own, of f32 or less, and as int8. */
static size_t own_rows_bytes(const struct omma_config *config)
{
    static const struct omma_compute widest = {.operand = OMMA_DTYPE_F32};
    size_t hidden = config->language.hidden;

    return omma_operand_bytes(&widest, OWN_ROWS, hidden) +
           omma_i8_rows_bytes(OWN_ROWS, hidden, SMALLEST_GROUP);
}

size_t omma_decoder_scratch_bytes(const struct omma_config *config)
{
    return shared_scratch_bytes(config) + own_rows_bytes(config);
}

/* All sequences' tokens. */
static size_t count_rows(const struct omma_decoder_pass *pass)
{
    size_t n = 0;

    for (size_t s = 0; s < pass->n_sequences; s++) {
        n += pass->sequences[s].n_tokens;
    }
    return n;
}

/* Those whose last token is to have logits. */
static size_t count_wanted(const struct omma_decoder_pass *pass)
{
    size_t n = 0;

    for (size_t s = 0; s < pass->n_sequences; s++) {
        n += pass->sequences[s].wants_logits;
    }
    return n;
}

/* Prepare the row of a sequence's token t: its embedding, its rotation, its place in the cache. */
static void embed_token(struct omma_decoder *decoder, const struct omma_decoder_sequence *sequence,
                        size_t t, size_t row)
{
    const struct omma_language_config *language = &decoder->config->language;
    struct omma_rope rope = {.head_dim = language->head_dim};
    float *x = decoder->x + row * language->hidden;
    size_t half = language->head_dim / 2;

    if (sequence->visual != NULL && sequence->visual[t] != NULL) {
        memcpy(x, sequence->visual[t], language->hidden * sizeof *x);
    } else {
        omma_matrix_read_row(decoder->compute, &decoder->weights->language.embedding,
                             (size_t)sequence->ids[t], x);
    }
    omma_rope_angles(&rope, sequence->inverse_frequency, sequence->positions[t],
                     decoder->cosine + row * half, decoder->sine + row * half);
    decoder->places[row] = (struct place){sequence->cache, sequence->n_cached + t};
}

/* Show each sequence's rows of a stage to its observer. */
static void observe(struct omma_thread *self, struct omma_decoder *decoder,
                    const struct omma_decoder_pass *pass, const char *stage, int layer)
{
    size_t hidden = decoder->config->language.hidden, row = 0;

    for (size_t s = 0; s < pass->n_sequences; s++) {
        const struct omma_decoder_sequence *sequence = &pass->sequences[s];

        omma_observe(self, sequence->observer, stage, layer, sequence->n_cached, sequence->n_tokens,
                     hidden, decoder->x + row * hidden);
        row += sequence->n_tokens;
    }
}

static void embed(struct omma_thread *self, struct omma_decoder *decoder,
                  const struct omma_decoder_pass *pass)
{
    struct omma_range range = omma_team_range(self, count_rows(pass));
    size_t row = 0;

    for (size_t s = 0; s < pass->n_sequences; s++) {
        for (size_t t = 0; t < pass->sequences[s].n_tokens; t++, row++) {
            if (row >= range.begin && row < range.end) {
                embed_token(decoder, &pass->sequences[s], t, row);
            }
        }
    }
    if (self->index == 0) {
        atomic_store(&decoder->bad_layer, INT32_MAX);
        decoder->pass_compute = pass->kind == OMMA_PASS_PROMPTS   ? &decoder->many
                                : pass->kind == OMMA_PASS_ANSWERS ? &decoder->few
                                                                  : decoder->compute;
    }
    omma_team_barrier(self);
    observe(self, decoder, pass, "inputs_embeds", OMMA_OBSERVE_NO_LAYER);
}

/* Put a head's values into the cache. */
static void cache_values(const struct omma_compute *compute, const struct place *place, void *plane,
                         size_t head, const float *values)
{
    const struct omma_kv_cache *cache = place->cache;
    size_t at = (head * cache->capacity + place->position) * cache->head_dim;

    if (cache->dtype == OMMA_DTYPE_BF16) {
        compute->kernels.f32_to_bf16(cache->head_dim, values, (uint16_t *)plane + at);
    } else {
        memcpy((float *)plane + at, values, cache->head_dim * sizeof *values);
    }
}

/* Rotate queries and keys; queries become an operand, keys and values go into the caches. */
static void rotate_and_cache(struct omma_thread *self, struct omma_decoder *decoder, size_t n_rows,
                             size_t layer)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_compute *compute = decoder->compute;
    size_t hd = language->head_dim;
    size_t n_heads = language->n_heads + 2 * language->n_kv_heads;
    struct omma_range range = omma_team_range(self, n_rows * n_heads);

    for (size_t i = range.begin; i < range.end; i++) {
        size_t row = i / n_heads, head = i % n_heads;
        const struct place *place = &decoder->places[row];
        float *values = decoder->qkv + i * hd;
        const float *cosine = decoder->cosine + row * (hd / 2);
        const float *sine = decoder->sine + row * (hd / 2);

        if (head < language->n_heads) {
            compute->kernels.rope(hd, cosine, sine, values);
            omma_operand_store(compute, &decoder->q, row, head * hd, values, hd);
        } else if (head < language->n_heads + language->n_kv_heads) {
            compute->kernels.rope(hd, cosine, sine, values);
            cache_values(compute, place, omma_kv_cache_keys(place->cache, layer),
                         head - language->n_heads, values);
        } else {
            cache_values(compute, place, omma_kv_cache_values(place->cache, layer),
                         head - language->n_heads - language->n_kv_heads, values);
        }
    }
}

/* The attention of each sequence over its own cache. */
static void plan_attentions(struct omma_decoder *decoder, const struct omma_decoder_pass *pass,
                            size_t layer)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_matrix *o = &decoder->weights->language.layers[layer].o.weight;
    struct omma_operand all = omma_operand_for(decoder->compute, &decoder->attended, &o, 1);
    size_t hd = language->head_dim, row = 0;

    for (size_t s = 0; s < pass->n_sequences; s++) {
        const struct omma_decoder_sequence *sequence = &pass->sequences[s];
        decoder->attentions[s] = (struct omma_attention){
            .n_queries = sequence->n_tokens,
            .n_keys = sequence->n_cached + sequence->n_tokens,
            .n_heads = language->n_heads,
            .n_kv_heads = language->n_kv_heads,
            .head_dim = hd,
            .scale = 1.0f / sqrtf((float)hd),
            .causal = true,
            .first_position = sequence->n_cached,
            .q = omma_operand_rows(&decoder->q, row),
            .k = omma_kv_cache_keys(sequence->cache, layer),
            .v = omma_kv_cache_values(sequence->cache, layer),
            .kv_stride = hd,
            .kv_head_stride = sequence->cache->capacity * hd,
            .kv_dtype = sequence->cache->dtype,
            .output = omma_operand_rows(&all, row),
            .partials = sequence->partials,
        };
        row += sequence->n_tokens;
    }
}

/* The place of a thread's own normed rows, in the forms that normed has. */
static struct omma_operand own_rows(struct omma_thread *self, const struct omma_decoder *decoder,
                                    const struct omma_operand *normed)
{
    size_t hidden = decoder->config->language.hidden;
    size_t group = decoder->weights->scale_group;
    char *memory = self->scratch + shared_scratch_bytes(decoder->config);
    struct omma_operand own = *normed;

    if (own.data != NULL) {
        own.data = memory;
    }
    if (own.i8.data != NULL) {
        memory += omma_operand_bytes(decoder->compute, OWN_ROWS, hidden);
        own.i8 = omma_i8_rows_carve(memory, OWN_ROWS, hidden, group);
    }
    return own;
}

/* RMSNorm of x for n products; complete for this thread when it returns. */
static struct omma_operand norm_rows(struct omma_thread *self, struct omma_decoder *decoder,
                                     size_t n_rows, const float *weight,
                                     const struct omma_matrix *const *readers, size_t n)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_compute *compute = decoder->pass_compute;
    struct omma_operand normed = omma_operand_for(compute, &decoder->normed, readers, n);
    struct omma_norm norm = {.weight = weight};

    if (n_rows <= OWN_ROWS) {
        normed = own_rows(self, decoder, &normed);
        omma_norm_own_rows(self, compute, n_rows, language->hidden, decoder->x, language->hidden,
                           &norm, language->norm_eps, &normed);
    } else {
        omma_norm_rows(self, compute, n_rows, language->hidden, decoder->x, language->hidden, &norm,
                       language->norm_eps, &normed);
        omma_team_barrier(self);
    }
    return normed;
}

/* What is multiplied after layer `index`: q, k, v of the next, or the logits' weights; how many. */
static size_t linears_after(const struct omma_decoder *decoder, size_t node, size_t index,
                            const struct omma_linear *linears[3])
{
    const struct omma_language_weights *weights =
        &omma_weights_of_node(decoder->weights, node)->language;
    const struct omma_language_layer *layer = &weights->layers[index + 1];

    if (index + 1 == decoder->config->language.n_layers) {
        linears[0] = &weights->lm_head;
        return 1;
    }
    linears[0] = &layer->q;
    linears[1] = &layer->k;
    linears[2] = &layer->v;
    return 3;
}

static void attend(struct omma_thread *self, struct omma_decoder *decoder,
                   const struct omma_decoder_pass *pass, size_t n_rows, size_t index)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_language_layer *layer =
        &omma_weights_of_node(decoder->weights, self->node)->language.layers[index];
    const struct omma_compute *compute = decoder->pass_compute;
    size_t q_width = language->n_heads * language->head_dim;
    size_t kv_width = language->n_kv_heads * language->head_dim;
    struct omma_output output = {
        .kind = OMMA_OUTPUT_STORE, .f32 = decoder->qkv, .f32_stride = q_width + 2 * kv_width};
    struct omma_product products[3] = {
        {&layer->q, output}, {&layer->k, output}, {&layer->v, output}};

    const struct omma_matrix *readers[] = {&layer->q.weight, &layer->k.weight, &layer->v.weight};
    const struct omma_matrix *o = &layer->o.weight;
    const struct omma_linear *o_linear = &layer->o, *gate = &layer->gate;
    struct omma_operand normed =
        norm_rows(self, decoder, n_rows, layer->attention_norm, readers, 3);
    struct omma_operand attended = omma_operand_for(compute, &decoder->attended, &o, 1);

    products[1].output.f32 += q_width;
    products[2].output.f32 += q_width + kv_width;
    omma_matmul_several(self, compute, n_rows, &normed, products, 3);
    omma_team_barrier(self);
    rotate_and_cache(self, decoder, n_rows, index);
    if (self->index == 0) {
        plan_attentions(decoder, pass, index);
    }
    omma_matmul_barrier(self, compute, n_rows, &o_linear, 1);
    omma_attention(self, compute, decoder->attentions, pass->n_sequences);
    omma_matmul_barrier(self, compute, n_rows, &o_linear, 1);
    omma_quantize_rows(self, compute, n_rows, q_width, &attended);
    output = (struct omma_output){
        .kind = OMMA_OUTPUT_RESIDUAL, .f32 = decoder->x, .f32_stride = language->hidden};
    omma_matmul(self, compute, n_rows, &attended, &layer->o, &output);
    omma_matmul_barrier(self, compute, n_rows, &gate, 1);
}

static void feed_forward(struct omma_thread *self, struct omma_decoder *decoder, size_t n_rows,
                         size_t index)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_language_layer *layer =
        &omma_weights_of_node(decoder->weights, self->node)->language.layers[index];
    const struct omma_compute *compute = decoder->pass_compute;
    struct omma_output output = {
        .kind = OMMA_OUTPUT_RESIDUAL, .f32 = decoder->x, .f32_stride = language->hidden};
    const struct omma_matrix *readers[] = {&layer->gate.weight, &layer->up.weight};
    const struct omma_matrix *down = &layer->down.weight;
    const struct omma_linear *down_linear = &layer->down, *next[3];
    size_t n_next = linears_after(decoder, self->node, index, next);
    struct omma_operand normed = norm_rows(self, decoder, n_rows, layer->ffn_norm, readers, 2);
    struct omma_operand inner = omma_operand_for(compute, &decoder->inner, &down, 1);

    omma_matmul_gated(self, compute, n_rows, &normed, &layer->gate, &layer->up, &inner);
    omma_matmul_barrier(self, compute, n_rows, &down_linear, 1);
    omma_quantize_rows(self, compute, n_rows, language->ffn, &inner);
    omma_matmul(self, compute, n_rows, &inner, &layer->down, &output);
    omma_matmul_barrier(self, compute, n_rows, next, n_next);
}

/* Note the layer if a value of this thread's rows is infinite or no number. */
static void check_finite(struct omma_thread *self, struct omma_decoder *decoder, size_t n_rows,
                         int layer)
{
    size_t hidden = decoder->config->language.hidden;
    struct omma_range range = omma_team_range(self, n_rows * hidden);
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

/* The logits of the last tokens that are to have them. */
static void predict(struct omma_thread *self, struct omma_decoder *decoder,
                    const struct omma_decoder_pass *pass)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_language_weights *weights =
        &omma_weights_of_node(decoder->weights, self->node)->language;
    struct omma_output output = {
        .kind = OMMA_OUTPUT_STORE, .f32 = pass->logits, .f32_stride = language->vocab};
    const struct omma_matrix *head = &weights->lm_head.weight;
    const struct omma_compute *compute =
        pass->kind == OMMA_PASS_MIXED ? decoder->compute : &decoder->few;
    struct omma_operand operand = omma_operand_for(decoder->compute, &decoder->normed, &head, 1);
    float *normed = (float *)(void *)self->scratch;
    size_t n_wanted = count_wanted(pass), i = 0, row = 0;
    bool are_own = n_wanted <= OWN_ROWS;

    if (n_wanted == 0) {
        return;
    }
    if (are_own) {
        operand = own_rows(self, decoder, &operand);
    }
    for (size_t s = 0; s < pass->n_sequences; s++) {
        row += pass->sequences[s].n_tokens;
        if (!pass->sequences[s].wants_logits) {
            continue;
        }
        if (are_own || i % self->n_threads == self->index) {
            decoder->compute->kernels.rms_norm(language->hidden,
                                               decoder->x + (row - 1) * language->hidden,
                                               weights->norm, language->norm_eps, normed);
            omma_operand_store_row(decoder->compute, &operand, i, normed, language->hidden);
        }
        i++;
    }
    if (!are_own) {
        omma_team_barrier(self);
    }
    omma_matmul(self, compute, n_wanted, &operand, &weights->lm_head, &output);
    omma_team_barrier(self);
}

/* Score a sequence's tokens, the first of which is row `row`. */
static void score_sequence(struct omma_thread *self, struct omma_decoder *decoder,
                           const struct omma_decoder_sequence *sequence, size_t row)
{
    const struct omma_language_config *language = &decoder->config->language;
    const struct omma_language_weights *weights =
        &omma_weights_of_node(decoder->weights, self->node)->language;
    const struct omma_decoder_scores *scored = &sequence->scored;
    const struct omma_matrix *head = &weights->lm_head.weight;
    const struct omma_norm norm = {.weight = weights->norm};
    struct omma_operand normed = omma_operand_for(&decoder->many, &decoder->normed, &head, 1);
    struct omma_output output = {
        .kind = OMMA_OUTPUT_STORE, .f32 = scored->logits, .f32_stride = language->vocab};

    for (size_t done = 0; done < scored->n; done += OMMA_DECODER_SCORED_ROWS) {
        size_t n = omma_min(scored->n - done, OMMA_DECODER_SCORED_ROWS);
        size_t first = scored->first + done;
        struct omma_range range = omma_team_range(self, n);

        omma_norm_rows(self, &decoder->many, n, language->hidden,
                       decoder->x + (row + first) * language->hidden, language->hidden, &norm,
                       language->norm_eps, &normed);
        omma_team_barrier(self);
        omma_matmul(self, &decoder->many, n, &normed, &weights->lm_head, &output);
        omma_team_barrier(self);
        omma_observe(self, sequence->observer, "logits", OMMA_OBSERVE_NO_LAYER,
                     sequence->n_cached + first, n, language->vocab, scored->logits);
        for (size_t i = range.begin; i < range.end; i++) {
            scored->scores[done + i] =
                omma_token_score_of(&decoder->compute->kernels, language->vocab,
                                    scored->logits + i * language->vocab, scored->next[done + i]);
        }
    }
}

static void score(struct omma_thread *self, struct omma_decoder *decoder,
                  const struct omma_decoder_pass *pass)
{
    size_t row = 0;

    for (size_t s = 0; s < pass->n_sequences; s++) {
        score_sequence(self, decoder, &pass->sequences[s], row);
        row += pass->sequences[s].n_tokens;
    }
}

/* The final norm of the rows, in their place, and the logits, where someone watches. */
static void observe_end(struct omma_thread *self, struct omma_decoder *decoder,
                        const struct omma_decoder_pass *pass)
{
    const struct omma_language_config *language = &decoder->config->language;
    size_t hidden = language->hidden, row = 0, n_wanted = 0;

    for (size_t s = 0; s < pass->n_sequences; s++) {
        const struct omma_decoder_sequence *sequence = &pass->sequences[s];
        const struct omma_observer *observer = sequence->observer;
        struct omma_range range = omma_team_range(self, sequence->n_tokens);
        float *x = decoder->x + row * hidden;
        size_t n = sequence->n_tokens;

        row += n;
        n_wanted += sequence->wants_logits;
        if (observer == NULL || observer->rows == NULL) {
            continue;
        }
        for (size_t t = range.begin; t < range.end; t++) {
            decoder->compute->kernels.rms_norm(hidden, x + t * hidden,
                                               decoder->weights->language.norm, language->norm_eps,
                                               x + t * hidden);
        }
        omma_observe(self, observer, "language.norm", OMMA_OBSERVE_NO_LAYER, sequence->n_cached, n,
                     hidden, x);
        if (sequence->wants_logits) {
            omma_observe(self, observer, "logits", OMMA_OBSERVE_NO_LAYER, 0, 1, language->vocab,
                         pass->logits + (n_wanted - 1) * language->vocab);
        }
    }
}

void omma_decoder_forward(struct omma_thread *self, struct omma_decoder *decoder,
                          const struct omma_decoder_pass *pass)
{
    const struct omma_language_config *language = &decoder->config->language;
    size_t n_rows = count_rows(pass);

    embed(self, decoder, pass);
    for (size_t i = 0; i < language->n_layers; i++) {
        attend(self, decoder, pass, n_rows, i);
        feed_forward(self, decoder, n_rows, i);
        check_finite(self, decoder, n_rows, (int)i);
        observe(self, decoder, pass, "language.layer", (int)i);
    }
    predict(self, decoder, pass);
    score(self, decoder, pass);
    observe_end(self, decoder, pass);
    omma_team_barrier(self);
}
