/*
 * omma_decode_measure(): several sequences decode in one pass, as many tokens deep as is asked,
 * without the prefill that would bring them there.
 *
 * Keys and values are made up, but written: pages never written are one page of zeros, which is
 * read out of the cache.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/philox.h"
#include "engine/engine.h"
#include "model/language/kv_cache.h"
#include "model/language/sampler.h"
#include "platform/clock.h"
#include "tensor/attention.h"
#include "tensor/rope.h"

enum {
    FILLING = 0x3C,       /* as every byte: 0.0115 in bf16 and in f32 */
    MAX_TOKENS = 1 << 24, /* positions are exact in f32 */
};

/* One conversation. */
struct stream {
    struct omma_kv_cache cache;
    float *partials;
    struct omma_sampler *sampler;
    int32_t id;
};

struct measurement {
    const struct omma_decode_plan *plan;
    double *steps_s; /* [n_steps] */
    struct omma_error *error;
    enum omma_status status;

    struct stream *streams;                  /* [n_sequences] */
    struct omma_decoder_sequence *sequences; /* [n_sequences] */
    float *inverse_frequency;                /* [head_dim / 2] */
    float *logits;                           /* [n_sequences][vocab] */
    float position;                          /* the same for all */
};

static enum omma_status check(const struct omma_engine *engine, const struct omma_decode_plan *plan,
                              struct omma_error *error)
{
    size_t n_tokens;

    if (plan->n_sequences == 0 || plan->n_sequences > engine->prefill_chunk) {
        return omma_fail(error, OMMA_STATUS_USAGE, "sequences: expected 1 to %zu, found %zu",
                         engine->prefill_chunk, plan->n_sequences);
    }
    if (!omma_checked_add(plan->n_steps, plan->depth, &n_tokens) || n_tokens > MAX_TOKENS) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "decoding %zu tokens at depth %zu: expected at most %d together",
                         plan->n_steps, plan->depth, MAX_TOKENS);
    }
    return OMMA_OK;
}

/* The warming step makes it one position more. */
static size_t capacity(const struct omma_decode_plan *plan)
{
    return plan->depth + plan->n_steps + 1;
}

static enum omma_status open_stream(const struct omma_engine *engine,
                                    const struct measurement *measurement, size_t index,
                                    struct stream *stream, struct omma_error *error)
{
    static const struct omma_sampling greedy = {0};
    const struct omma_language_config *language = &engine->model->config.language;
    const struct omma_decode_plan *plan = measurement->plan;
    const uint32_t key[2] = {(uint32_t)plan->seed, (uint32_t)(plan->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)index};
    size_t n_partials =
        omma_attention_partials(language->n_heads, language->head_dim, capacity(plan));
    uint32_t random[4];

    OMMA_TRY(omma_kv_cache_init(language, engine->kv_dtype, capacity(plan), &stream->cache, error));
    memset(stream->cache.data, FILLING, stream->cache.n_bytes);
    stream->partials = malloc(n_partials * sizeof *stream->partials);
    if (stream->partials == NULL) {
        return omma_fail_memory(error, n_partials * sizeof *stream->partials, "attention");
    }
    omma_philox(key, counter, random);
    stream->id = (int32_t)(random[0] % language->vocab);
    return omma_sampler_create(&greedy, language->vocab, &stream->sampler, error);
}

static enum omma_status open_streams(struct omma_engine *engine, struct measurement *measurement,
                                     struct omma_error *error)
{
    const struct omma_language_config *language = &engine->model->config.language;
    size_t n = measurement->plan->n_sequences;

    measurement->streams = calloc(n, sizeof *measurement->streams);
    measurement->sequences = calloc(n, sizeof *measurement->sequences);
    measurement->inverse_frequency =
        calloc(language->head_dim / 2, sizeof *measurement->inverse_frequency);
    measurement->logits = calloc(n * language->vocab, sizeof *measurement->logits);
    if (measurement->streams == NULL || measurement->sequences == NULL ||
        measurement->inverse_frequency == NULL || measurement->logits == NULL) {
        return omma_fail_memory(error, n * language->vocab * sizeof(float), "logits");
    }
    for (size_t i = 0; i < n; i++) {
        OMMA_TRY(open_stream(engine, measurement, i, &measurement->streams[i], error));
    }
    return OMMA_OK;
}

static void close_streams(struct measurement *measurement)
{
    for (size_t i = 0; measurement->streams != NULL && i < measurement->plan->n_sequences; i++) {
        omma_kv_cache_fini(&measurement->streams[i].cache);
        omma_sampler_destroy(&measurement->streams[i].sampler);
        free(measurement->streams[i].partials);
    }
    free(measurement->streams);
    free(measurement->sequences);
    free(measurement->inverse_frequency);
    free(measurement->logits);
}

/* A token of each sequence, and the choice of the next. */
static enum omma_status step(struct omma_engine *engine, struct measurement *measurement,
                             size_t n_cached, struct omma_error *error)
{
    size_t n = measurement->plan->n_sequences, vocab = engine->model->config.language.vocab;
    struct omma_decoder_pass pass = {
        .kind = engine->info.deterministic ? OMMA_PASS_ANSWERS : OMMA_PASS_MIXED,
        .sequences = measurement->sequences,
        .n_sequences = n,
        .logits = measurement->logits,
    };

    measurement->position = (float)n_cached;
    for (size_t i = 0; i < n; i++) {
        measurement->sequences[i] = (struct omma_decoder_sequence){
            .n_tokens = 1,
            .n_cached = n_cached,
            .ids = &measurement->streams[i].id,
            .positions = &measurement->position,
            .inverse_frequency = measurement->inverse_frequency,
            .cache = &measurement->streams[i].cache,
            .partials = measurement->streams[i].partials,
            .wants_logits = true,
        };
    }
    omma_engine_forward(engine, &pass);
    for (size_t i = 0; i < n; i++) {
        struct stream *stream = &measurement->streams[i];
        float margin;

        OMMA_TRY(omma_sampler_choose(stream->sampler, measurement->logits + i * vocab, &stream->id,
                                     &margin, error));
        OMMA_TRY(omma_sampler_accept(stream->sampler, stream->id, error));
    }
    return OMMA_OK;
}

static enum omma_status run_steps(struct omma_engine *engine, struct measurement *measurement,
                                  struct omma_error *error)
{
    const struct omma_language_config *language = &engine->model->config.language;
    const struct omma_decode_plan *plan = measurement->plan;
    const struct omma_rope rope = {.head_dim = language->head_dim, .theta = language->rope_theta};

    OMMA_TRY(check(engine, plan, error));
    OMMA_TRY(open_streams(engine, measurement, error));
    omma_rope_frequencies(&rope, 0, measurement->inverse_frequency);
    OMMA_TRY(step(engine, measurement, plan->depth, error));
    for (size_t i = 0; i < plan->n_steps; i++) {
        double begin = omma_clock_now();

        OMMA_TRY(step(engine, measurement, plan->depth + 1 + i, error));
        measurement->steps_s[i] = omma_clock_now() - begin;
    }
    return OMMA_OK;
}

static void measure(struct omma_engine *engine, void *argument)
{
    struct measurement *measurement = argument;

    measurement->status = run_steps(engine, measurement, measurement->error);
    close_streams(measurement);
}

enum omma_status omma_decode_measure(struct omma_engine *engine,
                                     const struct omma_decode_plan *plan, double *steps_s,
                                     struct omma_error *error)
{
    struct measurement measurement = {.plan = plan, .steps_s = steps_s, .error = error};

    omma_engine_call(engine, measure, &measurement);
    return measurement.status;
}
