/*
 * One query a sequence.  The heads that share a key head are the rows of a GEMV over the keys as
 * they lie, so each key and value is read once.  A task is a key head of a sequence and a block of
 * KEYS keys; it leaves a partial result (output, maximum, sum) for each of its heads, and after a
 * barrier these are combined in the order of the blocks: whoever computed them, the bits are the
 * same.
 */
#include "tensor/attention_decode.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

enum { KEYS = 512 };

/* A partial result: [head_dim] output, then maximum and sum. */
static size_t partial_floats(size_t head_dim)
{
    return head_dim + 2;
}

static size_t count_blocks(const struct omma_attention *a)
{
    return (a->n_keys + KEYS - 1) / KEYS;
}

size_t omma_attention_partials(size_t n_heads, size_t head_dim, size_t n_keys)
{
    return n_heads * ((n_keys + KEYS - 1) / KEYS) * partial_floats(head_dim);
}

size_t omma_attention_decode_scratch_bytes(void)
{
    return (size_t)OMMA_GEMV_MAX_M * KEYS * sizeof(float);
}

static float *partial_at(const struct omma_attention *a, size_t head, size_t block)
{
    size_t n_blocks = count_blocks(a);

    return a->partials + (head * n_blocks + block) * partial_floats(a->head_dim);
}

/* scores[n_heads][KEYS] of heads that share a key head */
static void score_keys(const struct omma_compute *compute, const struct omma_attention *a,
                       size_t head, size_t n_heads, size_t offset, size_t n_keys, float *scores)
{
    const struct omma_kernels *kernels = &compute->kernels;
    const void *q = omma_operand_at(&a->q, 0, head * a->head_dim);
    size_t hd = a->head_dim;

    if (a->kv_dtype == OMMA_DTYPE_F32) {
        kernels->gemv_f32_f32w(n_heads, n_keys, hd, q, hd, (const float *)a->k + offset,
                               a->kv_stride, scores, KEYS);
    } else if (a->q.dtype == OMMA_DTYPE_BF16) {
        kernels->gemv_bf16_bf16w(n_heads, n_keys, hd, q, hd, (const uint16_t *)a->k + offset,
                                 a->kv_stride, scores, KEYS);
    } else {
        kernels->gemv_f32_bf16w(n_heads, n_keys, hd, q, hd, (const uint16_t *)a->k + offset,
                                a->kv_stride, scores, KEYS);
    }
}

/* Partial results of n_heads heads from head on, over one block of keys. */
static void run_block(const struct omma_compute *compute, const struct omma_attention *a,
                      size_t head, size_t n_heads, size_t block, float *scores)
{
    const struct omma_kernels *kernels = &compute->kernels;
    size_t kv_head = head / (a->n_heads / a->n_kv_heads);
    size_t first = block * KEYS;
    size_t n_keys = omma_min(KEYS, a->n_keys - first);
    size_t offset = kv_head * a->kv_head_stride + first * a->kv_stride;
    size_t head_step = (size_t)(partial_at(a, 1, 0) - partial_at(a, 0, 0));
    float *partial = partial_at(a, head, block);

    score_keys(compute, a, head, n_heads, offset, n_keys, scores);
    for (size_t i = 0; i < n_heads; i++) {
        float *p = scores + i * KEYS;
        float *result = partial + i * head_step;
        float max = kernels->row_max(n_keys, p);

        result[a->head_dim] = max;
        result[a->head_dim + 1] = kernels->exp_sum(n_keys, p, max, a->scale, p);
        if (compute->operand == OMMA_DTYPE_BF16 || compute->round) {
            kernels->round_bf16(n_keys, p, p);
        }
        memset(result, 0, a->head_dim * sizeof *result);
    }
    if (a->kv_dtype == OMMA_DTYPE_F32) {
        kernels->weighted_sum_f32(n_heads, a->head_dim, n_keys, scores, KEYS,
                                  (const float *)a->v + offset, a->kv_stride, partial, head_step);
    } else {
        kernels->weighted_sum_bf16(n_heads, a->head_dim, n_keys, scores, KEYS,
                                   (const uint16_t *)a->v + offset, a->kv_stride, partial,
                                   head_step);
    }
}

/* Whether a sequence is computed here, and not as one of many queries. */
static bool is_own(const struct omma_compute *compute, const struct omma_attention *a)
{
    return !omma_goes_as_many(compute, a->n_queries, 1);
}

/* Combine a head's partial results, in the first one's place, and store it. */
static void combine_head(const struct omma_compute *compute, const struct omma_attention *a,
                         size_t head)
{
    size_t n_blocks = count_blocks(a);
    size_t hd = a->head_dim;
    float *y = partial_at(a, head, 0);
    float max = y[hd], sum;

    for (size_t block = 1; block < n_blocks; block++) {
        max = fmaxf(max, partial_at(a, head, block)[hd]);
    }
    compute->kernels.scale(hd, expf((y[hd] - max) * a->scale), y);
    sum = y[hd + 1] * expf((y[hd] - max) * a->scale);
    for (size_t block = 1; block < n_blocks; block++) {
        float *other = partial_at(a, head, block);
        float weight = expf((other[hd] - max) * a->scale);

        compute->kernels.scale(hd, weight, other);
        compute->kernels.add(hd, other, y);
        sum += other[hd + 1] * weight;
    }
    compute->kernels.scale(hd, 1.0f / sum, y);
    omma_operand_store(compute, &a->output, 0, head * hd, y, hd);
}

/* One key head's heads over one block of keys. */
static void run_task(struct omma_thread *self, const struct omma_compute *compute,
                     const struct omma_attention *a, size_t kv_head, size_t block)
{
    size_t group = a->n_heads / a->n_kv_heads, head = kv_head * group;

    for (size_t i = 0; i < group; i += OMMA_GEMV_MAX_M) {
        run_block(compute, a, head + i, omma_min(OMMA_GEMV_MAX_M, group - i), block,
                  (float *)(void *)self->scratch);
    }
}

/* This thread's part of one key head of the sequences with one query, of which n_before blocks come
 * before; how many blocks it has.  Heads come in order, and all sequences in a head, so that a head
 * is always read by the same threads (model/language/kv_cache.h). */
static size_t run_head(struct omma_thread *self, const struct omma_compute *compute,
                       const struct omma_attention *attentions, size_t n, size_t kv_head,
                       struct omma_range range, size_t n_before)
{
    size_t n_here = 0;

    for (size_t i = 0; i < n; i++) {
        const struct omma_attention *a = &attentions[i];
        struct omma_range own;

        if (is_own(compute, a)) {
            own = omma_range_within(range, n_before + n_here, count_blocks(a));
            n_here += count_blocks(a);
            for (size_t block = own.begin; block < own.end; block++) {
                run_task(self, compute, a, kv_head, block);
            }
        }
    }
    return n_here;
}

void omma_attention_decode(struct omma_thread *self, const struct omma_compute *compute,
                           const struct omma_attention *attentions, size_t n)
{
    size_t n_tasks = 0, n_heads = 0, n_tasks_before = 0, n_heads_before = 0;
    size_t n_kv_heads = attentions[0].n_kv_heads; /* of all sequences */
    struct omma_range range, heads, own;

    for (size_t i = 0; i < n; i++) {
        const struct omma_attention *a = &attentions[i];

        n_tasks += is_own(compute, a) ? a->n_kv_heads * count_blocks(a) : 0;
        n_heads += is_own(compute, a) ? a->n_heads : 0;
    }
    if (n_tasks == 0) {
        return;
    }
    range = omma_team_range(self, n_tasks);
    heads = omma_team_range(self, n_heads);
    for (size_t kv_head = 0; kv_head < n_kv_heads; kv_head++) {
        n_tasks_before += run_head(self, compute, attentions, n, kv_head, range, n_tasks_before);
    }
    omma_team_barrier(self);
    for (size_t i = 0; i < n; i++) {
        const struct omma_attention *a = &attentions[i];

        if (is_own(compute, a)) {
            own = omma_range_within(heads, n_heads_before, a->n_heads);
            n_heads_before += a->n_heads;
            for (size_t head = own.begin; head < own.end; head++) {
                combine_head(compute, a, head);
            }
        }
    }
}
