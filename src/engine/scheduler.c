/*
 * A generation is in one list at a time: arrived (guarded by the engine's lock), waiting, or active
 * (the engine's thread alone).  Tiles are scheduler_tiles.c's.
 */
#include "engine/scheduler.h"

#include <stdlib.h>

#include "base/checked.h"
#include "engine/scheduler_state.h"
#include "platform/clock.h"

/* Of prompts, in a pass that answers wait for: a pass of so many takes a few times as long as one
 * of answers alone (doc/performance.md). */
enum { TOKENS_BESIDE_ANSWERS = 32 };

enum omma_status omma_scheduler_create(struct omma_engine *engine,
                                       struct omma_scheduler **scheduler, struct omma_error *error)
{
    size_t vocab = engine->model->config.language.vocab, n = engine->info.max_batch;
    size_t max_rows = omma_max(engine->prefill_chunk, n);
    struct omma_scheduler *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a scheduler");
    }
    made->engine = engine;
    made->max_batch = n;
    made->max_queue = engine->info.max_queue;
    made->active = calloc(n, sizeof *made->active);
    made->parts = calloc(n, sizeof *made->parts);
    made->sequences = calloc(n, sizeof *made->sequences);
    made->visual = calloc(max_rows, sizeof *made->visual);
    made->positions = calloc(max_rows, sizeof *made->positions);
    made->logits = malloc(n * vocab * sizeof *made->logits);
    if (made->active == NULL || made->parts == NULL || made->sequences == NULL ||
        made->visual == NULL || made->positions == NULL || made->logits == NULL) {
        omma_scheduler_destroy(&made);
        return omma_fail_memory(error, n * vocab * sizeof(float), "the logits of a pass");
    }
    *scheduler = made;
    return OMMA_OK;
}

void omma_scheduler_destroy(struct omma_scheduler **scheduler)
{
    struct omma_scheduler *gone = *scheduler;

    if (gone == NULL) {
        return;
    }
    free(gone->active);
    free(gone->parts);
    free(gone->sequences);
    free(gone->visual);
    free(gone->positions);
    free(gone->logits);
    free(gone);
    *scheduler = NULL;
}

static bool has_room(const struct omma_scheduler *scheduler)
{
    size_t n = atomic_load(&scheduler->engine->counters.n_unfinished);

    return n < scheduler->max_batch || n - scheduler->max_batch < scheduler->max_queue;
}

enum omma_status omma_scheduler_submit(struct omma_scheduler *scheduler,
                                       struct omma_generation *generation, struct omma_error *error)
{
    struct omma_engine *engine = scheduler->engine;
    bool fits;

    generation->next = NULL;
    pthread_mutex_lock(&engine->lock);
    fits = has_room(scheduler);
    if (fits) {
        if (scheduler->last_arrived != NULL) {
            scheduler->last_arrived->next = generation;
        } else {
            scheduler->first_arrived = generation;
        }
        scheduler->last_arrived = generation;
        atomic_fetch_add(&scheduler->engine->counters.n_unfinished, 1);
        pthread_cond_broadcast(&engine->changed);
    }
    pthread_mutex_unlock(&engine->lock);
    atomic_fetch_add(
        fits ? &scheduler->engine->counters.n_requests : &scheduler->engine->counters.n_refused, 1);
    return fits ? OMMA_OK
                : omma_fail(error, OMMA_STATUS_BUSY,
                            "%zu requests are computed and %zu wait, which is all that may: try "
                            "again later",
                            scheduler->max_batch, scheduler->max_queue);
}

bool omma_scheduler_has_requests(const struct omma_scheduler *scheduler)
{
    return atomic_load(&scheduler->engine->counters.n_unfinished) > 0;
}

bool omma_scheduler_has_work(const struct omma_scheduler *scheduler)
{
    const struct omma_vision_pool *pool = scheduler->engine->pool;

    return scheduler->first_arrived != NULL || scheduler->goes_on ||
           (pool != NULL && omma_vision_pool_has_news(pool));
}

/* Count an end and tell the session; the counters first, as its program may ask for them then. */
static void end(struct omma_scheduler *scheduler, struct omma_generation *g,
                enum omma_status status, enum omma_finish finish)
{
    struct omma_counters *counters = &scheduler->engine->counters;
    bool is_cancelled = finish == OMMA_FINISH_CANCELLED || finish == OMMA_FINISH_DEADLINE;

    atomic_fetch_add(status != OMMA_OK ? &counters->n_failed
                     : is_cancelled    ? &counters->n_cancelled
                                       : &counters->n_finished,
                     1);
    atomic_fetch_sub(&counters->n_tiles_waiting, g->n_tiles - g->n_encoded);
    atomic_fetch_sub(&counters->n_unfinished, 1);
    if (scheduler->engine->pool != NULL) {
        omma_vision_pool_abandon(scheduler->engine->pool, g);
    }
    omma_generation_end(&g, status, finish);
}

void omma_scheduler_end(struct omma_scheduler *scheduler, struct omma_generation *g,
                        enum omma_status status, enum omma_finish finish)
{
    size_t i = 0;

    while (scheduler->active[i] != g) {
        i++;
    }
    scheduler->n_active--;
    for (; i < scheduler->n_active; i++) {
        scheduler->active[i] = scheduler->active[i + 1];
    }
    atomic_store(&scheduler->engine->counters.n_active, scheduler->n_active);
    scheduler->lacks_memory = false;
    end(scheduler, g, status, finish);
}

/* Put what arrived where it waits: behind all whose priority is not smaller. */
static void take_arrivals(struct omma_scheduler *scheduler)
{
    struct omma_generation *arrived;

    pthread_mutex_lock(&scheduler->engine->lock);
    arrived = scheduler->first_arrived;
    scheduler->first_arrived = scheduler->last_arrived = NULL;
    pthread_mutex_unlock(&scheduler->engine->lock);
    while (arrived != NULL) {
        struct omma_generation *g = arrived, **at = &scheduler->waiting;

        arrived = g->next;
        while (*at != NULL && (*at)->work.priority >= g->work.priority) {
            at = &(*at)->next;
        }
        g->next = *at;
        *at = g;
    }
}

/* Whether a generation is to end before its time. */
static bool is_over(const struct omma_generation *g, double now, enum omma_finish *finish)
{
    *finish = OMMA_FINISH_CANCELLED;
    if (atomic_load(&g->session->cancelled)) {
        return true;
    }
    *finish = OMMA_FINISH_DEADLINE;
    return now >= g->work.deadline;
}

static void end_those_over(struct omma_scheduler *scheduler)
{
    struct omma_generation **at = &scheduler->waiting;
    double now = omma_clock_now();
    enum omma_finish finish;

    while (*at != NULL) {
        struct omma_generation *g = *at;

        if (is_over(g, now, &finish)) {
            *at = g->next;
            end(scheduler, g, OMMA_OK, finish);
        } else {
            at = &g->next;
        }
    }
    for (size_t i = scheduler->n_active; i-- > 0;) {
        if (is_over(scheduler->active[i], now, &finish)) {
            omma_scheduler_end(scheduler, scheduler->active[i], OMMA_OK, finish);
        }
    }
}

/* Let those that wait take the free places, if there is memory for what they can need.  None goes
 * before one that waits for that: it would wait for ever. */
static void admit(struct omma_scheduler *scheduler)
{
    struct omma_counters *counters = &scheduler->engine->counters;

    while (scheduler->n_active < scheduler->max_batch && scheduler->waiting != NULL) {
        struct omma_generation *g = scheduler->waiting;
        enum omma_status status;

        scheduler->lacks_memory = !omma_kv_store_grant(scheduler->engine->kv_store, g->session->kv,
                                                       omma_generation_positions(g));
        if (scheduler->lacks_memory) {
            break;
        }
        scheduler->waiting = g->next;
        scheduler->active[scheduler->n_active++] = g;
        atomic_store(&counters->n_active, scheduler->n_active);
        status = omma_generation_begin(g, &g->session->end_error);
        omma_counters_add_seconds(&counters->queue_ns, g->timings.queue_s);
        atomic_fetch_add(&counters->cached_tokens, g->usage.cached_tokens);
        atomic_fetch_add(&counters->n_tiles_waiting, g->n_tiles);
        if (status != OMMA_OK) {
            omma_scheduler_end(scheduler, g, status, OMMA_FINISH_ERROR);
        }
    }
}

/* Give a generation n tokens of the pass. */
static void add_part(struct omma_scheduler *scheduler, struct omma_generation *g, size_t n)
{
    omma_generation_sequence(g, n, scheduler->visual + scheduler->n_rows,
                             scheduler->positions + scheduler->n_rows,
                             &scheduler->sequences[scheduler->n_parts]);
    scheduler->parts[scheduler->n_parts++] = (struct omma_pass_part){g, n};
    scheduler->n_rows += n;
    g->is_planned = true;
}

/* The prompt whose turn it is; NULL: there is none that is not in the pass. */
static struct omma_generation *next_prompt(const struct omma_scheduler *scheduler)
{
    struct omma_generation *best = NULL;

    for (size_t i = 0; i < scheduler->n_active; i++) {
        struct omma_generation *g = scheduler->active[i];

        if (g->stage == OMMA_GENERATION_PROMPT && !g->is_planned &&
            omma_generation_next_tokens(g, 1) > 0 &&
            (best == NULL || omma_goes_before(g, g->turn, best, best->turn))) {
            best = g;
        }
    }
    return best;
}

static void plan_nothing(struct omma_scheduler *scheduler)
{
    scheduler->n_parts = scheduler->n_rows = 0;
    for (size_t i = 0; i < scheduler->n_active; i++) {
        scheduler->active[i]->is_planned = false;
    }
}

/* A token of every answer. */
static void plan_answers(struct omma_scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->n_active; i++) {
        if (scheduler->active[i]->stage == OMMA_GENERATION_ANSWER) {
            add_part(scheduler, scheduler->active[i], 1);
        }
    }
}

/* The tokens of a pass: a chunk, and where an answer waits for it, few. */
static size_t pass_tokens(const struct omma_scheduler *scheduler)
{
    size_t chunk = scheduler->engine->prefill_chunk, n_answers = 0;

    for (size_t i = 0; i < scheduler->n_active; i++) {
        n_answers += scheduler->active[i]->stage == OMMA_GENERATION_ANSWER;
    }
    return n_answers > 0 ? omma_min(chunk, n_answers + TOKENS_BESIDE_ANSWERS) : chunk;
}

/* Prompts in what the answers leave of a pass. */
static void plan_prompts(struct omma_scheduler *scheduler)
{
    size_t chunk = pass_tokens(scheduler);
    size_t left = chunk > scheduler->n_rows ? chunk - scheduler->n_rows : 1;
    struct omma_generation *g;

    while (left > 0 && (g = next_prompt(scheduler)) != NULL) {
        size_t n = omma_generation_next_tokens(g, left);

        g->turn = ++scheduler->turn;
        add_part(scheduler, g, n);
        left -= n;
        atomic_fetch_add(&scheduler->engine->counters.prefilled_tokens, n);
    }
}

/* Compute sequences; the first layer after which a value was not finite. */
static int run_pass(struct omma_scheduler *scheduler, enum omma_pass_kind kind,
                    const struct omma_decoder_sequence *sequences, size_t n, float *logits)
{
    struct omma_decoder_pass pass = {
        .kind = kind, .sequences = sequences, .n_sequences = n, .logits = logits};
    struct omma_engine *engine = scheduler->engine;
    double start = omma_clock_now();
    int bad_layer = omma_engine_forward(engine, &pass);

    atomic_fetch_add(&scheduler->engine->counters.n_passes, 1);
    if (engine->last_team != engine->language_team) {
        omma_counters_add_seconds(&scheduler->engine->counters.lent_to_language_ns,
                                  (omma_clock_now() - start) * (double)engine->split.n_vision);
    }
    return bad_layer;
}

static enum omma_status fail_not_finite(const struct omma_decoder_sequence *sequence, int layer,
                                        struct omma_error *error)
{
    return omma_fail(error, OMMA_STATUS_INTERNAL,
                     "values that are not finite after language layer %d, tokens %zu to %zu", layer,
                     sequence->n_cached, sequence->n_cached + sequence->n_tokens - 1);
}

/* What was computed of one generation: it goes on, or ends. */
static void deliver(struct omma_scheduler *scheduler, size_t part, int bad_layer,
                    const float *logits)
{
    struct omma_generation *g = scheduler->parts[part].generation;
    size_t n_before = g->usage.completion_tokens;
    struct omma_error *error = &g->session->end_error;
    enum omma_status status =
        bad_layer != OMMA_DECODER_ALL_FINITE
            ? fail_not_finite(&scheduler->sequences[part], bad_layer, error)
            : omma_generation_computed(g, scheduler->parts[part].n_tokens, logits, error);

    atomic_fetch_add(&scheduler->engine->counters.decoded_tokens,
                     g->usage.completion_tokens - n_before);
    if (status != OMMA_OK) {
        omma_scheduler_end(scheduler, g, status, OMMA_FINISH_ERROR);
    } else if (g->stage == OMMA_GENERATION_ENDED) {
        omma_scheduler_end(scheduler, g, OMMA_OK, g->finish);
    }
}

/* The pass that was planned, and what comes of it.  Where a value is not finite, each sequence is
 * computed once more by itself, as the pass does not tell whose it was. */
static void run_plan(struct omma_scheduler *scheduler, enum omma_pass_kind kind)
{
    size_t vocab = scheduler->engine->model->config.language.vocab, n_wanted = 0;
    double start = omma_clock_now();
    int bad_layer;

    if (scheduler->n_parts == 0) {
        return;
    }
    bad_layer =
        run_pass(scheduler, kind, scheduler->sequences, scheduler->n_parts, scheduler->logits);
    for (size_t i = 0; i < scheduler->n_parts; i++) {
        float *logits = scheduler->logits + n_wanted * vocab;
        int own_bad_layer = bad_layer;

        if (bad_layer != OMMA_DECODER_ALL_FINITE && scheduler->n_parts > 1) {
            own_bad_layer = run_pass(scheduler, kind, &scheduler->sequences[i], 1, logits);
        }
        n_wanted += scheduler->sequences[i].wants_logits;
        deliver(scheduler, i, own_bad_layer, logits);
    }
    omma_counters_add_seconds(&scheduler->engine->counters.busy_ns, omma_clock_now() - start);
}

/* Answers and prompts in one pass, or each in their own, where bits count more. */
static void compute(struct omma_scheduler *scheduler)
{
    bool is_deterministic = scheduler->engine->info.deterministic;

    plan_nothing(scheduler);
    plan_answers(scheduler);
    if (is_deterministic) {
        run_plan(scheduler, OMMA_PASS_ANSWERS);
        plan_nothing(scheduler);
    }
    plan_prompts(scheduler);
    run_plan(scheduler, is_deterministic ? OMMA_PASS_PROMPTS : OMMA_PASS_MIXED);
}

static bool can_go_on(const struct omma_scheduler *scheduler)
{
    bool encodes_here = scheduler->engine->info.n_vision_threads == 0;

    if (scheduler->waiting != NULL && scheduler->n_active < scheduler->max_batch &&
        !scheduler->lacks_memory) {
        return true;
    }
    for (size_t i = 0; i < scheduler->n_active; i++) {
        const struct omma_generation *g = scheduler->active[i];

        if (omma_generation_next_tokens(g, 1) > 0 ||
            (encodes_here && omma_generation_next_tile(g) != NULL)) {
            return true;
        }
    }
    return false;
}

void omma_scheduler_step(struct omma_scheduler *scheduler)
{
    take_arrivals(scheduler);
    end_those_over(scheduler);
    admit(scheduler);
    omma_scheduler_encode(scheduler);
    end_those_over(scheduler);
    compute(scheduler);
    scheduler->goes_on = can_go_on(scheduler);
    omma_cores_set_work(&scheduler->engine->cores, OMMA_SIDE_LANGUAGE, scheduler->goes_on);
}
