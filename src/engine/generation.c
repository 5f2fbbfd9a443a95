/* Stages of one request: prefix, tiles, prompt, answer, end.  Computing is the scheduler's. */
#include "engine/generation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "platform/clock.h"

/* Memory, sampler and text of a request that was prepared. */
static enum omma_status equip(struct omma_generation *g, struct omma_error *error)
{
    const struct omma_config *config = &g->engine->model->config;
    const struct omma_language_config *language = &config->language;
    const struct omma_work *work = &g->work;
    size_t n_tiles = work->n_image_tokens / config->tokens_per_tile;

    g->rope = (struct omma_rope){
        .head_dim = language->head_dim,
        .theta = language->rope_theta,
        .dynamic = language->rope_scaling == OMMA_ROPE_DYNAMIC,
        .factor = language->rope_factor,
        .max_positions = language->max_positions,
    };
    g->inverse_frequency = malloc(language->head_dim / 2 * sizeof *g->inverse_frequency);
    g->tiles = calloc(n_tiles + 1, sizeof *g->tiles);
    if (g->inverse_frequency == NULL || g->tiles == NULL) {
        return omma_fail_memory(error, (n_tiles + 1) * sizeof *g->tiles, "a request");
    }
    if (work->score_from > 0) {
        size_t n_logits = OMMA_DECODER_SCORED_ROWS * language->vocab;

        g->score_logits = malloc(n_logits * sizeof *g->score_logits);
        g->scores = malloc(g->engine->prefill_chunk * sizeof *g->scores);
        if (g->score_logits == NULL || g->scores == NULL) {
            return omma_fail_memory(error, n_logits * sizeof *g->score_logits, "scored logits");
        }
    }
    OMMA_TRY(omma_sampler_create(&work->sampling, language->vocab, &g->sampler, error));
    if (work->schema != NULL) {
        OMMA_TRY(omma_sampler_constrain(g->sampler, work->schema, error));
    }
    return omma_text_decoder_create(g->engine->model->tokenizer, work->stops, work->n_stops,
                                    &g->decoder, error);
}

enum omma_status omma_generation_create(struct omma_session *session,
                                        const struct omma_request *request,
                                        struct omma_generation **generation,
                                        struct omma_error *error)
{
    struct omma_generation *made = calloc(1, sizeof *made);
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a request");
    }
    made->engine = session->engine;
    made->session = session;
    OMMA_TRY_OR(
        status, fail,
        omma_work_prepare(made->engine->model, session->n_context, request, &made->work, error));
    OMMA_TRY_OR(status, fail, equip(made, error));
    made->usage.prompt_tokens = made->work.n_prompt;
    made->usage.image_tokens = made->work.n_image_tokens;
    *generation = made;
    return OMMA_OK;

fail:
    omma_generation_destroy(&made);
    return status;
}

void omma_generation_destroy(struct omma_generation **generation)
{
    struct omma_generation *gone = *generation;

    if (gone == NULL) {
        return;
    }
    omma_text_decoder_destroy(&gone->decoder);
    omma_sampler_destroy(&gone->sampler);
    omma_arena_free(&gone->work.arena);
    free(gone->score_logits);
    free(gone->scores);
    free(gone->visual);
    free(gone->tiles);
    free(gone->inverse_frequency);
    free(gone);
    *generation = NULL;
}

static enum omma_status report_progress(struct omma_generation *g, enum omma_phase phase,
                                        size_t n_done, size_t n_total, struct omma_error *error)
{
    struct omma_event event = {
        .type = OMMA_EVENT_PROGRESS, .phase = phase, .n_done = n_done, .n_total = n_total};

    return omma_events_add(&g->session->events, &event, error);
}

/* Seconds since the stage began; another begins. */
static double end_stage(struct omma_generation *g)
{
    double start = g->stage_start;

    g->stage_start = omma_clock_now();
    return g->stage_start - start;
}

/* An omma_kv_match_fn of a generation.  The tokens whose logits are wanted are always computed, and
 * in the deterministic mode what was computed as an answer. */
static size_t match_prompt(const void *prompt, const struct omma_kv_sequence *candidate)
{
    const struct omma_generation *g = prompt;
    size_t n = 0, end = g->work.score_from > 0 ? g->work.score_from : g->work.n_prompt;

    while (n < candidate->n_cached && n + 1 < end) {
        const struct omma_slot *cached = &candidate->slots[n];
        struct omma_slot slot = omma_work_slot(&g->work, n, g->rope_length);

        if (slot.content != cached->content || slot.rope_length != cached->rope_length ||
            (cached->of_answer && g->engine->info.deterministic)) {
            break;
        }
        n++;
    }
    return n;
}

/* List a picture's tiles from the first one that has a token not cached. */
static void list_tiles(struct omma_generation *g, const struct omma_image_span *span)
{
    size_t per_tile = g->engine->model->config.tokens_per_tile;
    size_t cached = g->session->kv->n_cached;
    size_t k =
        cached <= span->first ? 0 : omma_min(cached - span->first, span->n_tokens) / per_tile;

    for (; k < span->n_tokens / per_tile; k++) {
        struct omma_generation_tile *tile = &g->tiles[g->n_tiles++];

        *tile = (struct omma_generation_tile){
            .tile = {.pixels = omma_image_tile(span->image, k),
                     .index = span->first_tile + k,
                     .observer = &g->work.observer},
            .key.tile = k,
            .first = span->first + k * per_tile,
        };
        memcpy(tile->key.picture, omma_image_info(span->image)->digest, sizeof tile->key.picture);
    }
}

static enum omma_status place_visual_tokens(struct omma_generation *g, struct omma_error *error)
{
    const struct omma_config *config = &g->engine->model->config;
    size_t n_floats = config->tokens_per_tile * config->language.hidden;
    size_t n_bytes = g->work.n_image_tokens * config->language.hidden * sizeof *g->visual;

    if (g->n_tiles == 0) {
        return OMMA_OK;
    }
    g->visual = malloc(n_bytes);
    if (g->visual == NULL) {
        return omma_fail_memory(error, n_bytes, "visual tokens");
    }
    for (size_t i = 0; i < g->n_tiles; i++) {
        g->tiles[i].tile.tokens = g->visual + g->tiles[i].tile.index * n_floats;
    }
    return OMMA_OK;
}

enum omma_status omma_generation_begin(struct omma_generation *g, struct omma_error *error)
{
    const struct omma_work *work = &g->work;

    g->stage = OMMA_GENERATION_PROMPT;
    g->stage_start = work->submitted;
    g->timings.queue_s = end_stage(g);
    OMMA_TRY(omma_model_check(g->engine->model, error));
    g->rope_length = omma_rope_length(&g->rope, work->n_prompt);
    omma_rope_frequencies(&g->rope, g->rope_length, g->inverse_frequency);
    g->usage.cached_tokens =
        omma_kv_store_find(g->engine->kv_store, g->session->kv, match_prompt, g);
    for (size_t i = 0; i < work->n_images; i++) {
        list_tiles(g, &work->images[i]);
    }
    return place_visual_tokens(g, error);
}

size_t omma_generation_positions(const struct omma_generation *g)
{
    size_t left = g->session->n_context - g->work.n_prompt;

    return g->work.n_prompt +
           (g->score_logits != NULL ? 0 : omma_min(g->work.max_new_tokens, left));
}

const struct omma_generation_tile *omma_generation_next_tile(const struct omma_generation *g)
{
    return g->stage == OMMA_GENERATION_PROMPT && g->n_taken < g->n_tiles ? &g->tiles[g->n_taken]
                                                                         : NULL;
}

const struct omma_generation_tile *omma_generation_take_tile(struct omma_generation *g)
{
    return &g->tiles[g->n_taken++];
}

bool omma_generation_is_encoding(const struct omma_generation *g, const struct omma_tile_key *key)
{
    for (size_t i = g->n_encoded; i < g->n_taken; i++) {
        if (omma_tile_key_is(&g->tiles[i].key, key)) {
            return true;
        }
    }
    return false;
}

enum omma_status omma_generation_tile_done(struct omma_generation *g, const float *tokens,
                                           bool was_cached, double seconds,
                                           struct omma_error *error)
{
    const struct omma_config *config = &g->engine->model->config;
    size_t n_floats = config->tokens_per_tile * config->language.hidden;

    if (tokens != NULL) {
        memcpy(g->tiles[g->n_encoded].tile.tokens, tokens, n_floats * sizeof *tokens);
    }
    g->n_encoded++;
    g->timings.tiles_s += seconds;
    ++*(was_cached ? &g->usage.cached_tiles : &g->usage.n_tiles);
    if (g->n_encoded == g->n_tiles) {
        g->timings.encode_s = end_stage(g);
    }
    return report_progress(g, OMMA_PHASE_ENCODE, g->n_encoded, g->n_tiles, error);
}

/* Chunks end at the same positions whatever was ready when.  What is cut off one because a tile is
 * still missing goes with its rest through the same products (GEMM), so the bits are the same;
 * where either would have too few rows for that, it waits.  All tiles come first where nothing
 * would be done beside them, and for who watches. */
static size_t next_prompt_tokens(const struct omma_generation *g, size_t most)
{
    size_t n_cached = g->session->kv->n_cached, chunk = g->engine->prefill_chunk;
    size_t n_done = n_cached - g->usage.cached_tokens;
    size_t left = omma_min(chunk - n_done % chunk, g->work.n_prompt - n_cached), ready = left;

    if (g->n_encoded < g->n_tiles) {
        bool goes_ahead = g->engine->info.n_vision_threads > 0 && g->work.observer.rows == NULL;

        ready = goes_ahead ? g->tiles[g->n_encoded].first - n_cached : 0;
    }
    if (ready < left && (ready <= OMMA_GEMV_MAX_M || left - ready <= OMMA_GEMV_MAX_M)) {
        return 0;
    }
    return omma_min(omma_min(ready, left), most);
}

size_t omma_generation_next_tokens(const struct omma_generation *g, size_t most)
{
    switch (g->stage) {
    case OMMA_GENERATION_PROMPT:
        return next_prompt_tokens(g, most);
    case OMMA_GENERATION_ANSWER:
        return 1;
    case OMMA_GENERATION_QUEUED:
    case OMMA_GENERATION_ENDED:
        break;
    }
    return 0;
}

/* Point rows[i] at the visual row of position first + i, or NULL. */
static void find_visual_rows(const struct omma_generation *g, size_t first, size_t n,
                             const float **rows)
{
    size_t hidden = g->engine->model->config.language.hidden;
    size_t row = 0;

    memset(rows, 0, n * sizeof *rows);
    for (size_t k = 0; k < g->work.n_images; k++) {
        const struct omma_image_span *span = &g->work.images[k];
        size_t begin_at = omma_max(span->first, first);
        size_t end_at = omma_min(span->first + span->n_tokens, first + n);

        for (size_t i = begin_at; i < end_at; i++) {
            rows[i - first] = g->visual + (row + i - span->first) * hidden;
        }
        row += span->n_tokens;
    }
}

/* Which of n tokens from `first` on are scored: those before the prompt's tokens from score_from
 * on.
 */
static struct omma_decoder_scores scored_tokens(const struct omma_generation *g, size_t first,
                                                size_t n)
{
    size_t begin = omma_max(g->work.score_from, first + 1);
    size_t end = omma_min(first + n + 1, g->work.n_prompt);

    if (g->score_logits == NULL || begin >= end) {
        return (struct omma_decoder_scores){0};
    }
    return (struct omma_decoder_scores){
        .first = begin - 1 - first,
        .n = end - begin,
        .next = g->work.prompt + begin,
        .logits = g->score_logits,
        .scores = g->scores,
    };
}

void omma_generation_sequence(struct omma_generation *g, size_t n, const float **visual,
                              float *positions, struct omma_decoder_sequence *sequence)
{
    struct omma_session *session = g->session;
    bool is_prompt = g->stage == OMMA_GENERATION_PROMPT;
    size_t n_cached = session->kv->n_cached;

    if (is_prompt) {
        find_visual_rows(g, n_cached, n, visual);
    } else {
        size_t rope_length = omma_rope_length(&g->rope, n_cached + 1);

        if (rope_length > 0) {
            omma_rope_frequencies(&g->rope, rope_length, g->inverse_frequency);
        }
    }
    for (size_t i = 0; i < n; i++) {
        positions[i] = (float)(n_cached + i);
    }
    *sequence = (struct omma_decoder_sequence){
        .n_tokens = n,
        .n_cached = n_cached,
        .ids = is_prompt ? g->work.prompt + n_cached : &g->next_id,
        .visual = is_prompt ? visual : NULL,
        .positions = positions,
        .inverse_frequency = g->inverse_frequency,
        .cache = &session->kv->cache,
        .partials = session->partials,
        .observer = &g->work.observer,
        .wants_logits = !is_prompt || (g->score_logits == NULL && n_cached + n == g->work.n_prompt),
    };
    if (is_prompt) {
        sequence->scored = scored_tokens(g, n_cached, n);
    }
}

static bool is_stop_id(const struct omma_generation *g, int32_t id)
{
    const struct omma_model_info *info = &g->engine->model->info;

    for (size_t i = 0; i < info->n_stop_ids; i++) {
        if (info->stop_ids[i] == id) {
            return !g->work.ignore_stop_ids;
        }
    }
    return false;
}

/* Report a token; sets the end with its reason if it is the last. */
static enum omma_status report_token(struct omma_generation *g, struct omma_event event,
                                     struct omma_error *error)
{
    size_t n_new = ++g->usage.completion_tokens;
    bool stopped = false;

    if (is_stop_id(g, event.id)) {
        stopped = true;
    } else {
        OMMA_TRY(omma_text_decoder_add(g->decoder, event.id, &event.text, &event.n_bytes, &stopped,
                                       error));
    }
    OMMA_TRY(omma_events_add(&g->session->events, &event, error));
    g->stage = OMMA_GENERATION_ENDED;
    if (g->work.n_forced > 0) {
        g->finish = OMMA_FINISH_LENGTH;
        g->stage = n_new == g->work.n_forced ? OMMA_GENERATION_ENDED : OMMA_GENERATION_ANSWER;
    } else if (stopped) {
        g->finish = OMMA_FINISH_STOP;
    } else if (n_new == g->work.max_new_tokens ||
               g->session->kv->n_cached == g->session->n_context) {
        g->finish = OMMA_FINISH_LENGTH;
    } else {
        g->stage = OMMA_GENERATION_ANSWER;
    }
    return OMMA_OK;
}

/* Choose a token, and what the next pass is fed: the same, or the one that is forced. */
static enum omma_status choose(struct omma_generation *g, const float *logits,
                               struct omma_error *error)
{
    struct omma_event event = {.type = OMMA_EVENT_TOKEN, .n_top_logprobs = g->work.n_top_logprobs};

    OMMA_TRY(omma_sampler_choose(g->sampler, logits, &event.id, &event.margin, error));
    if (g->work.logprobs) {
        event.logprob = omma_logprob_of(logits, g->engine->model->config.language.vocab, event.id,
                                        event.top_logprobs, event.n_top_logprobs);
    }
    g->next_id = g->work.n_forced > 0 ? g->work.forced[g->usage.completion_tokens] : event.id;
    OMMA_TRY(report_token(g, event, error));
    return g->stage == OMMA_GENERATION_ENDED ? OMMA_OK
                                             : omma_sampler_accept(g->sampler, g->next_id, error);
}

/* Tell the scores of a pass that took n tokens from `first` on. */
static enum omma_status report_scores(struct omma_generation *g, size_t first, size_t n,
                                      struct omma_error *error)
{
    struct omma_decoder_scores scored = scored_tokens(g, first, n);

    for (size_t i = 0; i < scored.n; i++) {
        struct omma_event event = {
            .type = OMMA_EVENT_SCORE,
            .n_done = first + scored.first + 1 + i,
            .n_total = g->work.n_prompt,
            .id = scored.next[i],
            .logprob = scored.scores[i].logprob,
            .margin = scored.scores[i].margin,
        };

        if (!isfinite(event.logprob)) {
            return omma_fail(error, OMMA_STATUS_INTERNAL, "logits of token %zu: not finite",
                             event.n_done - 1);
        }
        OMMA_TRY(omma_events_add(&g->session->events, &event, error));
    }
    return OMMA_OK;
}

static enum omma_status prompt_computed(struct omma_generation *g, size_t n,
                                        struct omma_error *error)
{
    struct omma_session *session = g->session;

    OMMA_TRY(report_scores(g, session->kv->n_cached, n, error));
    for (size_t i = session->kv->n_cached; i < session->kv->n_cached + n; i++) {
        session->kv->slots[i] = omma_work_slot(&g->work, i, g->rope_length);
    }
    session->kv->n_cached += n;
    if (session->kv->n_cached == g->work.n_prompt) {
        free(g->visual);
        g->visual = NULL;
        g->timings.prefill_s = end_stage(g);
        g->finish = OMMA_FINISH_LENGTH;
        g->stage = g->score_logits == NULL ? OMMA_GENERATION_ANSWER : OMMA_GENERATION_ENDED;
    }
    return report_progress(g, OMMA_PHASE_PREFILL, session->kv->n_cached, g->work.n_prompt, error);
}

enum omma_status omma_generation_computed(struct omma_generation *g, size_t n, const float *logits,
                                          struct omma_error *error)
{
    struct omma_session *session = g->session;

    if (g->stage == OMMA_GENERATION_PROMPT) {
        OMMA_TRY(prompt_computed(g, n, error));
    } else {
        session->kv->slots[session->kv->n_cached] = (struct omma_slot){
            (uint64_t)g->next_id, omma_rope_length(&g->rope, session->kv->n_cached + 1), true};
        session->kv->n_cached++;
    }
    return g->stage == OMMA_GENERATION_ANSWER ? choose(g, logits, error) : OMMA_OK;
}

/* Text that was held back, and whether the model is still what it was. */
static enum omma_status close_answer(struct omma_generation *g, struct omma_event *event,
                                     struct omma_error *error)
{
    if (g->stage == OMMA_GENERATION_QUEUED) {
        return OMMA_OK;
    }
    OMMA_TRY(omma_text_decoder_finish(g->decoder, &event->text, &event->n_bytes, error));
    return omma_model_check(g->engine->model, error);
}

void omma_generation_end(struct omma_generation **generation, enum omma_status status,
                         enum omma_finish finish)
{
    struct omma_generation *g = *generation;
    struct omma_session *session = g->session;
    struct omma_event event = {.type = OMMA_EVENT_DONE};

    if (status == OMMA_OK) {
        status = close_answer(g, &event, &session->end_error);
    }
    if (g->stage == OMMA_GENERATION_ANSWER || g->stage == OMMA_GENERATION_ENDED) {
        g->timings.decode_s = end_stage(g);
    }
    g->timings.total_s = omma_clock_now() - g->work.submitted;
    if (g->stage == OMMA_GENERATION_QUEUED) {
        g->timings.queue_s = g->timings.total_s;
    }
    event.finish = status != OMMA_OK ? OMMA_FINISH_ERROR : finish;
    event.usage = g->usage;
    event.timings = g->timings;
    session->end_status = status;
    if (session->kv->is_busy) {
        omma_kv_store_settle(g->engine->kv_store, session->kv);
    }
    if (omma_events_add(&session->events, &event, &session->end_error) != OMMA_OK) {
        event.n_bytes = 0; /* the caller waits for this event: without its text it always fits */
        session->end_status = OMMA_STATUS_RESOURCES;
        omma_events_add(&session->events, &event, NULL);
    }
    omma_generation_destroy(generation);
}
