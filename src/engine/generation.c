/*
 * One request from prompt to end, on the engine's thread:
 *
 *   reuse     the longest prefix of the prompt that the cache holds, the last token always computed
 *   encode    the tiles whose tokens are not cached
 *   prefill   the rest of the prompt, in chunks; logits of the last token
 *   decode    choose, report, feed, until a stop, a limit, or the caller's wish
 *
 * The cache stays true to session->slots at every moment, so that a cancelled or failed request
 * leaves a session that goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "engine/session.h"
#include "model/language/sampler.h"
#include "model/language/text_decoder.h"
#include "platform/clock.h"
#include "tensor/rope.h"

struct generation {
    struct omma_engine *engine;
    struct omma_session *session;
    const struct omma_work *work;
    struct omma_rope rope;
    float *inverse_frequency; /* [head_dim / 2] */
    float *visual;            /* [n_image_tokens][hidden] of the tiles encoded, NULL: none */
    const float **rows;       /* [prefill_chunk]: visual rows of a chunk */
    float *positions;         /* [prefill_chunk] */
    struct omma_sampler *sampler;
    struct omma_text_decoder *decoder;
    bool ended; /* by a stop or a limit, for the reason in finish */
    enum omma_finish finish;
    struct omma_usage usage;
    struct omma_timings timings;
    const char *rest; /* text that the last event brings */
    size_t n_rest;
};

/* An SPMD call of the team, by value. */
struct tile_pass {
    struct omma_encoder *encoder;
    const uint8_t *tile;
    size_t tile_index;
    const struct omma_observer *observer;
    float *tokens;
};

struct token_pass {
    struct omma_decoder *decoder;
    struct omma_decoder_pass pass;
};

static void run_tile(struct omma_thread *self, void *argument)
{
    struct tile_pass *pass = argument;

    omma_encoder_tile(self, pass->encoder, pass->tile, pass->tile_index, pass->observer,
                      pass->tokens);
}

static void run_tokens(struct omma_thread *self, void *argument)
{
    struct token_pass *pass = argument;

    omma_decoder_forward(self, pass->decoder, &pass->pass);
}

static bool is_cancelled(const struct generation *g)
{
    return atomic_load(&g->session->cancelled);
}

static enum omma_status report_progress(struct generation *g, enum omma_phase phase, size_t n_done,
                                        size_t n_total, struct omma_error *error)
{
    struct omma_event event = {
        .type = OMMA_EVENT_PROGRESS, .phase = phase, .n_done = n_done, .n_total = n_total};

    return omma_events_add(&g->session->events, &event, error);
}

static enum omma_status begin(struct generation *g, struct omma_error *error)
{
    const struct omma_language_config *language = &g->engine->model->config.language;
    const struct omma_work *work = g->work;
    size_t chunk = g->engine->prefill_chunk;

    g->rope = (struct omma_rope){
        .head_dim = language->head_dim,
        .theta = language->rope_theta,
        .dynamic = language->rope_scaling == OMMA_ROPE_DYNAMIC,
        .factor = language->rope_factor,
        .max_positions = language->max_positions,
    };
    g->inverse_frequency = malloc(language->head_dim / 2 * sizeof *g->inverse_frequency);
    g->rows = calloc(chunk, sizeof *g->rows);
    g->positions = calloc(chunk, sizeof *g->positions);
    if (g->inverse_frequency == NULL || g->rows == NULL || g->positions == NULL) {
        return omma_fail_memory(error, chunk * sizeof *g->rows, "a request");
    }
    OMMA_TRY(omma_sampler_create(&work->sampling, language->vocab, &g->sampler, error));
    OMMA_TRY(omma_text_decoder_create(g->engine->model->tokenizer, work->stops, work->n_stops,
                                      &g->decoder, error));
    g->usage.prompt_tokens = work->n_prompt;
    g->usage.image_tokens = work->n_image_tokens;
    return omma_model_check(g->engine->model, error);
}

/* Keep the slots that the prompt shares with the cache. */
static void reuse_prefix(struct generation *g)
{
    struct omma_session *session = g->session;
    size_t rope_length = omma_rope_length(&g->rope, g->work->n_prompt);
    size_t n = 0;

    while (n < session->n_cached && n + 1 < g->work->n_prompt) {
        struct omma_slot slot = omma_work_slot(g->work, n, rope_length);

        if (slot.content != session->slots[n].content ||
            slot.rope_length != session->slots[n].rope_length) {
            break;
        }
        n++;
    }
    session->n_cached = n;
    g->usage.cached_tokens = n;
}

/* Tiles of a picture from the first one that has a token not cached. */
static size_t first_new_tile(const struct generation *g, const struct omma_image_span *span)
{
    size_t per_tile = g->engine->model->config.tokens_per_tile;
    size_t cached = g->session->n_cached;

    return cached <= span->first ? 0 : omma_min(cached - span->first, span->n_tokens) / per_tile;
}

static size_t count_new_tiles(const struct generation *g)
{
    size_t per_tile = g->engine->model->config.tokens_per_tile;
    size_t n = 0;

    for (size_t i = 0; i < g->work->n_images; i++) {
        const struct omma_image_span *span = &g->work->images[i];

        n += span->n_tokens / per_tile - first_new_tile(g, span);
    }
    return n;
}

/* Encode one picture's new tiles. */
static enum omma_status encode_image(struct generation *g, const struct omma_image_span *span,
                                     size_t n_total, struct omma_error *error)
{
    const struct omma_config *config = &g->engine->model->config;
    size_t tile_floats = config->tokens_per_tile * config->language.hidden;
    struct tile_pass pass = {.observer = &g->work->observer};

    OMMA_TRY(omma_engine_encoder(g->engine, &pass.encoder, error));
    for (size_t k = first_new_tile(g, span); k < span->n_tokens / config->tokens_per_tile; k++) {
        if (is_cancelled(g)) {
            return OMMA_OK;
        }
        pass.tile = omma_image_tile(span->image, k);
        pass.tile_index = span->first_tile + k;
        pass.tokens = g->visual + pass.tile_index * tile_floats;
        omma_team_run(g->engine->team, run_tile, &pass);
        g->usage.n_tiles++;
        OMMA_TRY(report_progress(g, OMMA_PHASE_ENCODE, g->usage.n_tiles, n_total, error));
    }
    return OMMA_OK;
}

static enum omma_status encode(struct generation *g, struct omma_error *error)
{
    size_t n_total = count_new_tiles(g);
    size_t hidden = g->engine->model->config.language.hidden;
    double start = omma_clock_now();

    if (n_total == 0) {
        return OMMA_OK;
    }
    g->visual = malloc(g->work->n_image_tokens * hidden * sizeof *g->visual);
    if (g->visual == NULL) {
        return omma_fail_memory(error, g->work->n_image_tokens * hidden * sizeof *g->visual,
                                "visual tokens");
    }
    for (size_t i = 0; i < g->work->n_images && !is_cancelled(g); i++) {
        OMMA_TRY(encode_image(g, &g->work->images[i], n_total, error));
    }
    g->timings.encode_s = omma_clock_now() - start;
    return OMMA_OK;
}

/* Point rows[i] at the visual row of position first + i, or NULL. */
static void find_visual_rows(struct generation *g, size_t first, size_t n)
{
    size_t hidden = g->engine->model->config.language.hidden;
    size_t row = 0;

    memset(g->rows, 0, n * sizeof *g->rows);
    for (size_t k = 0; k < g->work->n_images; k++) {
        const struct omma_image_span *span = &g->work->images[k];
        size_t begin_at = omma_max(span->first, first);
        size_t end_at = omma_min(span->first + span->n_tokens, first + n);

        for (size_t i = begin_at; i < end_at; i++) {
            g->rows[i - first] = g->visual + (row + i - span->first) * hidden;
        }
        row += span->n_tokens;
    }
}

/* Compute n tokens that follow those cached; logits if they are wanted. */
static enum omma_status step(struct generation *g, const int32_t *ids, size_t n, bool has_visual,
                             float *logits, struct omma_error *error)
{
    struct omma_session *session = g->session;
    struct omma_decoder_sequence sequence = {
        .n_tokens = n,
        .n_cached = session->n_cached,
        .ids = ids,
        .visual = has_visual ? g->rows : NULL,
        .positions = g->positions,
        .inverse_frequency = g->inverse_frequency,
        .cache = &session->cache,
        .partials = session->partials,
        .observer = &g->work->observer,
        .wants_logits = logits != NULL,
    };
    struct token_pass call = {
        .decoder = g->engine->decoder,
        .pass = {.sequences = &sequence, .n_sequences = 1, .logits = logits},
    };
    int bad_layer;

    for (size_t i = 0; i < n; i++) {
        g->positions[i] = (float)(session->n_cached + i);
    }
    omma_team_run(g->engine->team, run_tokens, &call);
    bad_layer = omma_decoder_bad_layer(g->engine->decoder);
    if (bad_layer != OMMA_DECODER_ALL_FINITE) {
        return omma_fail(error, OMMA_STATUS_INTERNAL,
                         "values that are not finite after language layer %d, tokens %zu to %zu",
                         bad_layer, session->n_cached, session->n_cached + n - 1);
    }
    return OMMA_OK;
}

static enum omma_status prefill(struct generation *g, struct omma_error *error)
{
    struct omma_session *session = g->session;
    const struct omma_work *work = g->work;
    size_t rope_length = omma_rope_length(&g->rope, work->n_prompt);
    double start = omma_clock_now();

    omma_rope_frequencies(&g->rope, rope_length, g->inverse_frequency);
    while (session->n_cached < work->n_prompt && !is_cancelled(g)) {
        size_t first = session->n_cached;
        size_t n = omma_min(g->engine->prefill_chunk, work->n_prompt - first);
        bool is_last = first + n == work->n_prompt;

        find_visual_rows(g, first, n);
        OMMA_TRY(step(g, work->prompt + first, n, true, is_last ? g->engine->logits : NULL, error));
        for (size_t i = first; i < first + n; i++) {
            session->slots[i] = omma_work_slot(work, i, rope_length);
        }
        session->n_cached = first + n;
        OMMA_TRY(report_progress(g, OMMA_PHASE_PREFILL, session->n_cached, work->n_prompt, error));
    }
    free(g->visual);
    g->visual = NULL;
    g->timings.prefill_s = omma_clock_now() - start;
    return OMMA_OK;
}

static bool is_stop_id(const struct generation *g, int32_t id)
{
    const struct omma_model_info *info = &g->engine->model->info;

    for (size_t i = 0; i < info->n_stop_ids; i++) {
        if (info->stop_ids[i] == id) {
            return !g->work->ignore_stop_ids;
        }
    }
    return false;
}

/* Put a token that was chosen or forced into the cache, giving the next logits. */
static enum omma_status feed(struct generation *g, int32_t id, struct omma_error *error)
{
    struct omma_session *session = g->session;
    size_t rope_length = omma_rope_length(&g->rope, session->n_cached + 1);

    if (rope_length > 0) {
        omma_rope_frequencies(&g->rope, rope_length, g->inverse_frequency);
    }
    OMMA_TRY(step(g, &id, 1, false, g->engine->logits, error));
    session->slots[session->n_cached] = (struct omma_slot){(uint64_t)id, rope_length};
    session->n_cached++;
    return OMMA_OK;
}

/* Report a token; sets g->ended with the reason if it is the last. */
static enum omma_status report_token(struct generation *g, int32_t id, float margin,
                                     struct omma_error *error)
{
    struct omma_event event = {.type = OMMA_EVENT_TOKEN, .id = id, .margin = margin};
    size_t n_new = ++g->usage.completion_tokens;
    bool stopped = false;

    if (is_stop_id(g, id)) {
        stopped = true;
    } else {
        OMMA_TRY(
            omma_text_decoder_add(g->decoder, id, &event.text, &event.n_bytes, &stopped, error));
    }
    OMMA_TRY(omma_events_add(&g->session->events, &event, error));
    g->ended = true;
    if (g->work->n_forced > 0) {
        g->finish = OMMA_FINISH_LENGTH;
        g->ended = n_new == g->work->n_forced;
    } else if (stopped) {
        g->finish = OMMA_FINISH_STOP;
    } else if (n_new == g->work->max_new_tokens || g->session->n_cached == g->session->n_context) {
        g->finish = OMMA_FINISH_LENGTH;
    } else {
        g->ended = false;
    }
    return OMMA_OK;
}

static enum omma_status decode(struct generation *g, struct omma_error *error)
{
    double start = omma_clock_now();

    while (!is_cancelled(g)) {
        int32_t id, next;
        float margin;

        OMMA_TRY(omma_sampler_choose(g->sampler, g->engine->logits, &id, &margin, error));
        next = g->work->n_forced > 0 ? g->work->forced[g->usage.completion_tokens] : id;
        OMMA_TRY(report_token(g, id, margin, error));
        if (g->ended) {
            break;
        }
        OMMA_TRY(omma_sampler_accept(g->sampler, next, error));
        OMMA_TRY(feed(g, next, error));
    }
    g->timings.decode_s = omma_clock_now() - start;
    OMMA_TRY(omma_text_decoder_finish(g->decoder, &g->rest, &g->n_rest, error));
    return omma_model_check(g->engine->model, error);
}

static enum omma_status generate(struct generation *g, struct omma_error *error)
{
    OMMA_TRY(begin(g, error));
    reuse_prefix(g);
    OMMA_TRY(encode(g, error));
    OMMA_TRY(prefill(g, error));
    return decode(g, error);
}

void omma_generation_run(struct omma_engine *engine, void *argument)
{
    struct omma_session *session = argument;
    struct generation g = {.engine = engine, .session = session, .work = &session->work};
    struct omma_event event = {.type = OMMA_EVENT_DONE};
    double start = omma_clock_now();

    g.timings.queue_s = start - session->work.submitted;
    session->end_status = generate(&g, &session->end_error);
    if (session->end_status != OMMA_OK) {
        g.finish = OMMA_FINISH_ERROR;
    } else if (!g.ended) {
        g.finish = OMMA_FINISH_CANCELLED;
    }
    g.timings.total_s = omma_clock_now() - session->work.submitted;
    event.finish = g.finish;
    event.usage = g.usage;
    event.timings = g.timings;
    event.text = g.rest;
    event.n_bytes = g.n_rest;
    if (omma_events_add(&session->events, &event, &session->end_error) != OMMA_OK) {
        event.n_bytes = 0; /* the caller waits for this event: without its text it always fits */
        session->end_status = OMMA_STATUS_RESOURCES;
        omma_events_add(&session->events, &event, NULL);
    }
    omma_text_decoder_destroy(&g.decoder);
    omma_sampler_destroy(&g.sampler);
    free(g.visual);
    free(g.positions);
    free(g.rows);
    free(g.inverse_frequency);
}
