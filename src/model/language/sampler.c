/*
 * Choosing the next token.  The filters keep and drop as transformers' logits processors do:
 *
 *   repetition   s < 0 ? s r : s / r, once for each id generated so far
 *   frequency, presence   s - n f - p for an id generated n > 0 times, as OpenAI defines them and
 *                vLLM orders them
 *   temperature  s / T
 *   top-k        ids below the k-th largest score go; ties with it stay
 *   top-p        from the smallest up, ids go while the sum of probabilities is <= 1 - p; among
 *                equal scores the lower id goes first (a stable sort); the largest stays
 *   min-p        ids less likely than p times the likeliest go
 *
 * A schema comes before them all: ids that it does not allow take no part.  The draw walks what is
 * left in the order of ids.  Scores are kept in double, where no finite logit and temperature
 * overflow.
 */
#include "model/language/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/bf16.h"
#include "base/checked.h"
#include "base/philox.h"
#include "base/status.h"
#include "model/schema/schema.h"

enum { BLOCK = 1024 };

/* all ones: infinite or no number */
#define EXPONENT_BITS 0x7F800000u

struct candidate {
    double score;  /* after the temperature */
    double weight; /* exp(score - the largest score) */
    int32_t id;
};

struct omma_sampler {
    struct omma_sampling sampling;
    size_t vocab;
    size_t n_accepted;
    bool has_penalty;
    uint32_t *counts;                  /* [vocab] how often the id was generated */
    struct omma_schema_answer *answer; /* NULL: no schema */
    struct candidate *candidates;      /* [vocab] those left, in the order of ids; NULL if greedy */
    struct candidate *sorted;          /* [vocab] scratch; NULL if greedy */
};

/* Two largest logits; best is the lowest id among equals. */
struct summit {
    size_t best;
    float second; /* -FLT_MAX if there is but one */
};

static enum omma_status check(const char *name, float value, bool is_good, const char *expected,
                              struct omma_error *error)
{
    return is_good ? OMMA_OK
                   : omma_fail(error, OMMA_STATUS_USAGE, "%s: expected %s, found %g", name,
                               expected, (double)value);
}

static enum omma_status check_ranges(const struct omma_sampling *sampling, size_t vocab,
                                     struct omma_error *error)
{
    float temperature = sampling->temperature, penalty = sampling->repetition_penalty;

    OMMA_TRY(check("temperature", temperature, isfinite(temperature) && temperature >= 0,
                   "a finite number from 0 on", error));
    OMMA_TRY(check("top_p", sampling->top_p, sampling->top_p >= 0 && sampling->top_p <= 1,
                   "a number from 0 to 1", error));
    OMMA_TRY(check("min_p", sampling->min_p, sampling->min_p >= 0 && sampling->min_p <= 1,
                   "a number from 0 to 1", error));
    OMMA_TRY(check("repetition_penalty", penalty, isfinite(penalty) && penalty >= 0,
                   "a finite number above 0, or 0 for none", error));
    OMMA_TRY(check("frequency_penalty", sampling->frequency_penalty,
                   fabsf(sampling->frequency_penalty) <= 2, "a number from -2 to 2", error));
    OMMA_TRY(check("presence_penalty", sampling->presence_penalty,
                   fabsf(sampling->presence_penalty) <= 2, "a number from -2 to 2", error));
    if (vocab == 0 || vocab > INT32_MAX) {
        return omma_fail(error, OMMA_STATUS_INTERNAL,
                         "sampler: expected 1 to 2^31 - 1 ids, found %zu", vocab);
    }
    return OMMA_OK;
}

enum omma_status omma_sampler_create(const struct omma_sampling *sampling, size_t vocab,
                                     struct omma_sampler **sampler, struct omma_error *error)
{
    struct omma_sampler *made;
    bool is_greedy = sampling->temperature == 0;

    OMMA_TRY(check_ranges(sampling, vocab, error));
    made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->sampling = *sampling;
        made->vocab = vocab;
        made->has_penalty = sampling->repetition_penalty != 0 || sampling->frequency_penalty != 0 ||
                            sampling->presence_penalty != 0;
        made->counts = calloc(vocab, sizeof *made->counts);
        made->candidates = is_greedy ? NULL : calloc(vocab, sizeof *made->candidates);
        made->sorted = is_greedy ? NULL : calloc(vocab, sizeof *made->sorted);
    }
    if (made == NULL || made->counts == NULL ||
        (!is_greedy && (made->candidates == NULL || made->sorted == NULL))) {
        omma_sampler_destroy(&made);
        return omma_fail_memory(error, vocab * (2 * sizeof(struct candidate) + 4), "sampling");
    }
    *sampler = made;
    return OMMA_OK;
}

void omma_sampler_destroy(struct omma_sampler **sampler)
{
    if (*sampler != NULL) {
        omma_schema_answer_destroy(&(*sampler)->answer);
        free((*sampler)->counts);
        free((*sampler)->candidates);
        free((*sampler)->sorted);
        free(*sampler);
        *sampler = NULL;
    }
}

enum omma_status omma_sampler_constrain(struct omma_sampler *sampler,
                                        const struct omma_schema *schema, struct omma_error *error)
{
    return omma_schema_answer_create(schema, &sampler->answer, error);
}

static bool is_allowed(const uint64_t *mask, size_t id)
{
    return mask == NULL || (mask[id / 64] >> (id % 64) & 1);
}

/* The score of an id after the penalties. */
static double penalised(const struct omma_sampler *sampler, const float *logits, size_t id)
{
    const struct omma_sampling *sampling = &sampler->sampling;
    double score = logits[id], repetition = sampling->repetition_penalty;

    if (!sampler->has_penalty || sampler->counts[id] == 0) {
        return score;
    }
    if (repetition != 0) {
        score = score < 0 ? score * repetition : score / repetition;
    }
    return score - sampler->counts[id] * (double)sampling->frequency_penalty -
           (double)sampling->presence_penalty;
}

/* The largest of n logits, and whether all are finite.  In words that a compiler makes vectors of:
 * the whole vocabulary is looked at for every token. */
static float largest(const float *logits, size_t n, bool *all_finite)
{
    float most = -FLT_MAX;
    uint32_t n_bad = 0;

#pragma omp simd reduction(max : most) reduction(+ : n_bad)
    for (size_t i = 0; i < n; i++) {
        most = logits[i] > most ? logits[i] : most;
        n_bad += (omma_bits_of_f32(logits[i]) & EXPONENT_BITS) == EXPONENT_BITS;
    }
    *all_finite = n_bad == 0;
    return most;
}

static enum omma_status fail_logit(const struct omma_sampler *sampler, const float *logits,
                                   size_t id, struct omma_error *error)
{
    while (isfinite(logits[id])) {
        id++;
    }
    return omma_fail(error, OMMA_STATUS_INTERNAL,
                     "logits: token %zu of the answer: id %zu: expected a finite number, found %g",
                     sampler->n_accepted + 1, id, (double)logits[id]);
}

/* The two largest: block by block the largest of each, then within the block that has the largest
 * of all, the first of those that have it. */
static enum omma_status find_summit(const struct omma_sampler *sampler, const float *logits,
                                    struct summit *summit, struct omma_error *error)
{
    size_t best_block = 0;
    float most = -FLT_MAX;

    *summit = (struct summit){0, -FLT_MAX};
    for (size_t first = 0; first < sampler->vocab; first += BLOCK) {
        bool all_finite;
        float here = largest(logits + first, omma_min(BLOCK, sampler->vocab - first), &all_finite);

        if (!all_finite) {
            return fail_logit(sampler, logits, first, error);
        }
        if (here > most) {
            summit->second = first > 0 ? most : -FLT_MAX;
            most = here;
            best_block = first;
        } else if (here > summit->second) {
            summit->second = here;
        }
    }
    summit->best = best_block;
    while (logits[summit->best] < most) {
        summit->best++;
    }
    for (size_t id = best_block; id < omma_min(best_block + BLOCK, sampler->vocab); id++) {
        if (id != summit->best && logits[id] > summit->second) {
            summit->second = logits[id];
        }
    }
    return OMMA_OK;
}

/* mask: of the ids that may be chosen, at least one of them; NULL: all */
static size_t choose_greedily(const struct omma_sampler *sampler, const float *logits,
                              const uint64_t *mask)
{
    size_t best = 0;
    double most = -DBL_MAX;

    for (size_t id = 0; id < sampler->vocab; id++) {
        double score = is_allowed(mask, id) ? penalised(sampler, logits, id) : -DBL_MAX;

        if (score > most) {
            most = score;
            best = id;
        }
    }
    return best;
}

/* ----------------------------------------------------------------------------------------------
 * Filters: each shortens candidates[n], keeps their order and returns how many are left
 * ------------------------------------------------------------------------------------------- */

/* Restore the heap of smallest-first scores below `at`. */
static void sift_down(struct candidate *heap, size_t n, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        struct candidate moved;

        if (child >= n) {
            return;
        }
        if (child + 1 < n && heap[child + 1].score < heap[child].score) {
            child++;
        }
        if (heap[child].score >= heap[at].score) {
            return;
        }
        moved = heap[at];
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

static size_t keep_top_k(struct omma_sampler *sampler, size_t n)
{
    struct candidate *candidates = sampler->candidates, *heap = sampler->sorted;
    size_t k = sampler->sampling.top_k, n_kept = 0;

    if (k == 0 || k >= n) {
        return n;
    }
    for (size_t i = 0; i < k; i++) {
        heap[i] = candidates[i];
    }
    for (size_t i = k / 2; i-- > 0;) {
        sift_down(heap, k, i);
    }
    for (size_t i = k; i < n; i++) {
        if (candidates[i].score > heap[0].score) {
            heap[0] = candidates[i];
            sift_down(heap, k, 0);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (candidates[i].score >= heap[0].score) {
            candidates[n_kept++] = candidates[i];
        }
    }
    return n_kept;
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *one = a, *other = b;

    if (one->score != other->score) {
        return one->score < other->score ? -1 : 1;
    }
    return (one->id > other->id) - (one->id < other->id);
}

/* What weighs less than the n-th part of the sum to drop goes in any case; only the rest is sorted.
 */
static size_t keep_top_p(struct omma_sampler *sampler, size_t n)
{
    struct candidate *candidates = sampler->candidates, *sorted = sampler->sorted;
    double total = 0, dropped = 0, limit, tiny;
    size_t n_sorted = 0, n_dropped = 0, n_kept = 0;

    if (sampler->sampling.top_p == 0 || sampler->sampling.top_p == 1) {
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        total += candidates[i].weight;
    }
    limit = (1 - (double)sampler->sampling.top_p) * total;
    tiny = limit / (double)n;
    for (size_t i = 0; i < n; i++) {
        if (candidates[i].weight < tiny) {
            dropped += candidates[i].weight;
        } else {
            sorted[n_sorted++] = candidates[i];
        }
    }
    qsort(sorted, n_sorted, sizeof *sorted, compare_candidates);
    while (n_dropped + 1 < n_sorted && dropped + sorted[n_dropped].weight <= limit) {
        dropped += sorted[n_dropped++].weight;
    }
    for (size_t i = 0; i < n; i++) {
        if (candidates[i].weight >= tiny &&
            compare_candidates(&candidates[i], &sorted[n_dropped]) >= 0) {
            candidates[n_kept++] = candidates[i];
        }
    }
    return n_kept;
}

static size_t keep_min_p(struct omma_sampler *sampler, size_t n)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) { /* the likeliest has weight 1 */
        if (sampler->candidates[i].weight >= (double)sampler->sampling.min_p) {
            sampler->candidates[n_kept++] = sampler->candidates[i];
        }
    }
    return n_kept;
}

static size_t draw(struct omma_sampler *sampler, const float *logits, const uint64_t *mask)
{
    struct candidate *candidates = sampler->candidates;
    size_t n = 0;
    double most = -DBL_MAX, total = 0, at;

    for (size_t id = 0; id < sampler->vocab; id++) {
        double score;

        if (!is_allowed(mask, id)) {
            continue;
        }
        score = penalised(sampler, logits, id) / (double)sampler->sampling.temperature;
        candidates[n++] = (struct candidate){.score = score, .id = (int32_t)id};
        most = score > most ? score : most;
    }
    n = keep_top_k(sampler, n);
    for (size_t i = 0; i < n; i++) {
        candidates[i].weight = exp(candidates[i].score - most);
    }
    n = keep_top_p(sampler, n);
    n = keep_min_p(sampler, n);
    for (size_t i = 0; i < n; i++) {
        total += candidates[i].weight;
    }
    at = omma_philox_uniform(sampler->sampling.seed, sampler->n_accepted) * total;
    for (size_t i = 0; i + 1 < n; i++) {
        if (at < candidates[i].weight) {
            return (size_t)candidates[i].id;
        }
        at -= candidates[i].weight;
    }
    return (size_t)candidates[n - 1].id;
}

enum omma_status omma_sampler_choose(struct omma_sampler *sampler, const float *logits, int32_t *id,
                                     float *margin, struct omma_error *error)
{
    struct summit summit;
    const uint64_t *mask = NULL;
    size_t chosen;

    OMMA_TRY(find_summit(sampler, logits, &summit, error));
    if (sampler->answer != NULL) {
        OMMA_TRY(omma_schema_answer_mask(sampler->answer, &mask, error));
    }
    if (sampler->sampling.temperature > 0) {
        chosen = draw(sampler, logits, mask);
    } else if (sampler->has_penalty || !is_allowed(mask, summit.best)) {
        chosen = choose_greedily(sampler, logits, mask);
    } else {
        chosen = summit.best;
    }
    *id = (int32_t)chosen;
    *margin = logits[chosen] - (chosen == summit.best ? summit.second : logits[summit.best]);
    return OMMA_OK;
}

enum omma_status omma_sampler_accept(struct omma_sampler *sampler, int32_t id,
                                     struct omma_error *error)
{
    if (id < 0 || (size_t)id >= sampler->vocab) {
        return omma_fail(error, OMMA_STATUS_USAGE, "token: expected an id below %zu, found %d",
                         sampler->vocab, id);
    }
    sampler->counts[id]++;
    sampler->n_accepted++;
    return sampler->answer != NULL ? omma_schema_answer_accept(sampler->answer, id, error)
                                   : OMMA_OK;
}

/* In order: likelier first, of equal ones the lower id, which comes first anyway. */
static void insert_top(const float *logits, int32_t id, struct omma_logprob *top, size_t n)
{
    size_t k = n;

    for (; k > 0 && logits[id] > logits[top[k - 1].id]; k--) {
        top[k] = top[k - 1];
    }
    top[k].id = id;
}

float omma_logprob_of(const float *logits, size_t vocab, int32_t id, struct omma_logprob *top,
                      size_t n_top)
{
    double most = -DBL_MAX, sum = 0, whole;
    size_t n = 0;

    for (size_t i = 0; i < vocab; i++) {
        most = logits[i] > most ? logits[i] : most;
    }
    for (size_t i = 0; i < vocab; i++) {
        sum += exp(logits[i] - most);
    }
    whole = most + log(sum);
    for (size_t i = 0; i < vocab && n_top > 0; i++) {
        if (n < n_top) {
            insert_top(logits, (int32_t)i, top, n++);
        } else if (logits[i] > logits[top[n_top - 1].id]) {
            insert_top(logits, (int32_t)i, top, n_top - 1);
        }
    }
    for (size_t k = 0; k < n_top; k++) {
        top[k].logprob = (float)(logits[top[k].id] - whole);
    }
    return (float)(logits[id] - whole);
}
