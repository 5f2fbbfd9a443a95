/*
 * A request becomes work: its conversation rendered to ids, the places of its pictures found, its
 * size checked against the context before anything is computed.
 */
#include "engine/work.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "model/language/chat_template.h"
#include "model/language/tokenizer.h"
#include "model/model.h"
#include "platform/clock.h"

static void *copy(struct omma_arena *arena, const void *items, size_t n_items, size_t item_bytes)
{
    void *made = omma_arena_take(arena, n_items + 1, item_bytes);

    if (made != NULL && n_items > 0) {
        memcpy(made, items, n_items * item_bytes);
    }
    return made;
}

static enum omma_status render(const struct omma_model *model,
                               const struct omma_conversation *conversation, struct omma_work *work,
                               struct omma_error *error)
{
    struct omma_tokens tokens = {0};

    OMMA_TRY(omma_render(model, conversation, &tokens, error));
    work->prompt = copy(&work->arena, tokens.ids, tokens.n_tokens, sizeof *tokens.ids);
    work->n_prompt = tokens.n_tokens;
    omma_tokens_free(&tokens);
    return work->prompt != NULL ? OMMA_OK : omma_fail_memory(error, work->n_prompt, "a prompt");
}

static enum omma_status check_ids(const struct omma_model *model, const int32_t *ids, size_t n,
                                  const char *what, struct omma_error *error)
{
    size_t vocab = model->config.language.vocab;

    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= vocab) {
            return omma_fail(error, OMMA_STATUS_PROMPT, "%s: id %zu: expected 0 to %zu, found %d",
                             what, i, vocab - 1, ids[i]);
        }
    }
    return OMMA_OK;
}

/* Find the run of context ids that belongs to each picture. */
static enum omma_status place_images(const struct omma_model *model,
                                     const struct omma_conversation *conversation,
                                     struct omma_work *work, struct omma_error *error)
{
    int32_t context_id = model->info.context_id;
    size_t at = 0, n_tiles = 0, n_found = 0;

    work->n_images = conversation->n_images;
    work->images = omma_arena_take(&work->arena, conversation->n_images + 1, sizeof *work->images);
    if (work->images == NULL) {
        return omma_fail_memory(error, conversation->n_images * sizeof *work->images, "pictures");
    }
    for (size_t i = 0; i < work->n_images; i++) {
        const struct omma_image_info *info = omma_image_info(conversation->images[i]);

        while (at < work->n_prompt && work->prompt[at] != context_id) {
            at++;
        }
        work->images[i] = (struct omma_image_span){
            .image = conversation->images[i],
            .first = at,
            .n_tokens = info->grid.n_tiles * model->config.tokens_per_tile,
            .first_tile = n_tiles,
        };
        n_tiles += info->grid.n_tiles;
        work->n_image_tokens += work->images[i].n_tokens;
        at += work->images[i].n_tokens;
        if (info->tile_size != model->config.vision.tile_size) {
            return omma_fail(error, OMMA_STATUS_IMAGE,
                             "picture %zu: expected tiles of %zu pixels, found %zu", i + 1,
                             model->config.vision.tile_size, info->tile_size);
        }
    }
    for (size_t i = 0; i < work->n_prompt; i++) {
        n_found += work->prompt[i] == context_id;
    }
    if (n_found != work->n_image_tokens || at > work->n_prompt) {
        return omma_fail(error, OMMA_STATUS_PROMPT,
                         "prompt: expected %zu context ids for %zu pictures, found %zu",
                         work->n_image_tokens, work->n_images, n_found);
    }
    return OMMA_OK;
}

static enum omma_status check_length(const struct omma_model *model, size_t n_context,
                                     const struct omma_work *work, struct omma_error *error)
{
    size_t per_tile = model->config.tokens_per_tile;
    size_t n_forced = work->n_forced > 0 ? work->n_forced - 1 : 0;

    if (work->n_prompt == 0) {
        return omma_fail(error, OMMA_STATUS_PROMPT, "the prompt is empty");
    }
    if (work->n_prompt + n_forced > n_context) {
        return omma_fail(error, OMMA_STATUS_PROMPT,
                         "the prompt has %zu tokens (%zu tiles x %zu + %zu of text), the context "
                         "holds %zu: use fewer or smaller pictures (--max-tiles) or a larger "
                         "context (-c)",
                         work->n_prompt, work->n_image_tokens / per_tile, per_tile,
                         work->n_prompt - work->n_image_tokens, n_context);
    }
    return OMMA_OK;
}

static enum omma_status copy_stops(const struct omma_request *request, struct omma_work *work,
                                   struct omma_error *error)
{
    struct omma_stop *stops = copy(&work->arena, request->stops, request->n_stops, sizeof *stops);

    if (stops == NULL) {
        return omma_fail_memory(error, request->n_stops * sizeof *stops, "stop texts");
    }
    for (size_t i = 0; i < request->n_stops; i++) {
        stops[i].text =
            omma_arena_copy_text(&work->arena, request->stops[i].text, request->stops[i].n_bytes);
        if (stops[i].text == NULL) {
            return omma_fail_memory(error, request->stops[i].n_bytes, "stop texts");
        }
    }
    work->stops = stops;
    work->n_stops = request->n_stops;
    return OMMA_OK;
}

static enum omma_status check_deadline(const struct omma_request *request, struct omma_work *work,
                                       struct omma_error *error)
{
    if (!(request->deadline_s >= 0.0)) {
        return omma_fail(error, OMMA_STATUS_USAGE, "deadline: expected seconds, found %g",
                         request->deadline_s);
    }
    work->submitted = omma_clock_now();
    work->deadline = request->deadline_s > 0.0 ? work->submitted + request->deadline_s : INFINITY;
    return OMMA_OK;
}

static enum omma_status check_logprobs(const struct omma_request *request, size_t vocab,
                                       struct omma_error *error)
{
    size_t most = omma_min(vocab, OMMA_MAX_TOP_LOGPROBS);

    if (request->n_top_logprobs > most) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "n_top_logprobs: expected at most %zu, found %zu", most,
                         request->n_top_logprobs);
    }
    if (request->n_top_logprobs > 0 && !request->logprobs) {
        return omma_fail(error, OMMA_STATUS_USAGE, "n_top_logprobs needs logprobs");
    }
    return OMMA_OK;
}

/* Whether the request is to score its prompt, and can; the pictures were placed. */
static enum omma_status check_score(const struct omma_request *request,
                                    const struct omma_work *work, struct omma_error *error)
{
    const struct omma_image_span *last = &work->images[work->n_images];
    size_t first = work->n_images == 0 ? 1 : last[-1].first + last[-1].n_tokens;

    if (request->score_from == 0) {
        return OMMA_OK;
    }
    if (request->max_new_tokens != 0 || request->schema != NULL || request->n_forced_ids > 0 ||
        request->n_stops > 0 || request->ignore_stop_ids || request->logprobs) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "score_from: a request that scores its prompt gives no answer");
    }
    if (request->score_from < first || request->score_from >= work->n_prompt) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "score_from: expected %zu to %zu, behind the pictures and within the "
                         "prompt, found %zu",
                         first, work->n_prompt - 1, request->score_from);
    }
    return OMMA_OK;
}

static enum omma_status prepare(const struct omma_model *model, size_t n_context,
                                const struct omma_request *request, struct omma_work *work,
                                struct omma_error *error)
{
    OMMA_TRY(check_deadline(request, work, error));
    if (request->prompt_ids != NULL) {
        work->prompt = copy(&work->arena, request->prompt_ids, request->n_prompt_ids,
                            sizeof *request->prompt_ids);
        work->n_prompt = request->n_prompt_ids;
        if (work->prompt == NULL) {
            return omma_fail_memory(error, request->n_prompt_ids, "a prompt");
        }
    } else {
        OMMA_TRY(render(model, &request->conversation, work, error));
    }
    OMMA_TRY(check_ids(model, work->prompt, work->n_prompt, "prompt", error));
    OMMA_TRY(place_images(model, &request->conversation, work, error));
    work->forced =
        copy(&work->arena, request->forced_ids, request->n_forced_ids, sizeof *request->forced_ids);
    work->n_forced = request->n_forced_ids;
    if (work->forced == NULL) {
        return omma_fail_memory(error, request->n_forced_ids, "forced ids");
    }
    OMMA_TRY(check_ids(model, work->forced, work->n_forced, "forced ids", error));
    OMMA_TRY(check_logprobs(request, model->config.language.vocab, error));
    if (request->schema != NULL && (request->ignore_stop_ids || request->n_forced_ids > 0)) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "a request with a schema can neither ignore stop ids nor be forced");
    }
    OMMA_TRY(check_length(model, n_context, work, error));
    OMMA_TRY(check_score(request, work, error));
    OMMA_TRY(copy_stops(request, work, error));
    work->max_new_tokens = request->max_new_tokens != 0 ? request->max_new_tokens : OMMA_NEW_TOKENS;
    work->sampling = request->sampling;
    work->schema = request->schema;
    work->logprobs = request->logprobs;
    work->n_top_logprobs = request->n_top_logprobs;
    work->score_from = request->score_from;
    work->ignore_stop_ids = request->ignore_stop_ids;
    work->priority = request->priority;
    work->observer = request->observer;
    return OMMA_OK;
}

enum omma_status omma_work_prepare(const struct omma_model *model, size_t n_context,
                                   const struct omma_request *request, struct omma_work *work,
                                   struct omma_error *error)
{
    enum omma_status status;

    memset(work, 0, sizeof *work);
    status = prepare(model, n_context, request, work, error);
    if (status != OMMA_OK) {
        omma_arena_free(&work->arena);
    }
    return status;
}

/* The first eight bytes of a picture's digest. */
static uint64_t digest_word(const struct omma_image *image)
{
    uint64_t word;

    memcpy(&word, omma_image_info(image)->digest, sizeof word);
    return word;
}

struct omma_slot omma_work_slot(const struct omma_work *work, size_t i, size_t rope_length)
{
    const uint64_t visual = (uint64_t)1 << 63; /* apart from any id */
    const uint64_t golden = 0x9E3779B97F4A7C15u;

    for (size_t k = 0; k < work->n_images; k++) {
        const struct omma_image_span *span = &work->images[k];

        if (i >= span->first && i < span->first + span->n_tokens) {
            uint64_t place = (i - span->first) * golden;

            return (struct omma_slot){(digest_word(span->image) + place) | visual, rope_length,
                                      false};
        }
    }
    return (struct omma_slot){(uint64_t)work->prompt[i], rope_length, false};
}
