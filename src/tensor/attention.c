/*
 * Many queries.  A task is one key head and up to TASK_ROWS rows, a row being a query of one of the
 * heads that share it (query by query).  For each block of KEYS keys, K and V are packed into
 * panels once; then, ROWS rows at a time:
 *
 *   S = Q K^T            [ROWS][KEYS]  GEMM, f32
 *   m' = max(m, max S)   P = exp((S - m') scale), stored as an operand
 *   l = l a + sum P      O = O a + P V    GEMM, with a = exp((m - m') scale)
 *
 * and at the end O / l.  The state (m, l, O) of all rows of the task stays in scratch.
 */
#include "tensor/attention.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/attention_decode.h"

enum {
    COLUMNS = OMMA_PANEL_COLUMNS,
    KEYS = 256,
    ROWS = 64,
    TASK_ROWS = 512,
};

/* A thread's scratch; panels and operands sized for f32. */
struct scratch {
    void *k_panels, *v_panels; /* KEYS / 32 panels over head_dim; head_dim / 32 panels over KEYS */
    float *scores;             /* [ROWS][KEYS] */
    void *q, *p;               /* [ROWS][head_dim], [ROWS][KEYS], operands */
    float *output;             /* [TASK_ROWS][head_dim] */
    float *max, *sum;          /* [TASK_ROWS] */
};

struct task {
    size_t kv_head;
    size_t first_row, n_rows; /* row = query * group + head in the group */
    size_t group;
    size_t n_keys; /* that any of its rows sees */
};

size_t omma_attention_scratch_bytes(size_t head_dim)
{
    size_t padded = omma_round_up(head_dim, COLUMNS);
    size_t floats =
        2 * padded * KEYS + 2 * ROWS * KEYS + ROWS * padded + TASK_ROWS * head_dim + 2 * TASK_ROWS;

    return omma_max(floats * sizeof(float) + 64, omma_attention_decode_scratch_bytes());
}

static struct scratch carve(const struct omma_thread *self, size_t head_dim)
{
    size_t padded = omma_round_up(head_dim, COLUMNS);
    float *at = (float *)(void *)self->scratch;
    struct scratch scratch;

    scratch.k_panels = at;
    scratch.v_panels = at += padded * KEYS;
    scratch.scores = at += padded * KEYS;
    scratch.p = at += ROWS * KEYS;
    scratch.q = at += ROWS * KEYS;
    scratch.output = at += ROWS * padded;
    scratch.max = at += TASK_ROWS * head_dim;
    scratch.sum = at + TASK_ROWS;
    return scratch;
}

/* Keys that a row of the task sees. */
static size_t visible_keys(const struct omma_attention *a, size_t group, size_t row)
{
    return a->causal ? a->first_position + row / group + 1 : a->n_keys;
}

/* Pack n keys from first on, and their values. */
static void pack_block(const struct omma_compute *compute, const struct omma_attention *a,
                       size_t kv_head, size_t first, size_t n, const struct scratch *scratch)
{
    const struct omma_kernels *kernels = &compute->kernels;
    size_t offset = kv_head * a->kv_head_stride + first * a->kv_stride;
    bool bf16_panels = compute->operand == OMMA_DTYPE_BF16;
    size_t element = omma_dtype_bytes(compute->operand);
    size_t k_panel_bytes = omma_round_up(a->head_dim, 2) * COLUMNS * element;
    size_t v_panel_bytes = (size_t)KEYS * COLUMNS * element;

    for (size_t j = 0; j < n; j += COLUMNS) {
        size_t columns = omma_min(COLUMNS, n - j);
        size_t at = offset + j * a->kv_stride;
        void *panel = (char *)scratch->k_panels + j / COLUMNS * k_panel_bytes;

        if (bf16_panels) {
            kernels->pack_rows_bf16(columns, a->head_dim, (const uint16_t *)a->k + at, a->kv_stride,
                                    panel);
        } else if (a->kv_dtype == OMMA_DTYPE_BF16) {
            kernels->pack_rows_f32_bf16(columns, a->head_dim, (const uint16_t *)a->k + at,
                                        a->kv_stride, panel);
        } else {
            kernels->pack_rows_f32_f32(columns, a->head_dim, (const float *)a->k + at, a->kv_stride,
                                       panel);
        }
    }
    for (size_t d = 0; d < a->head_dim; d += COLUMNS) {
        size_t columns = omma_min(COLUMNS, a->head_dim - d);
        size_t at = offset + d;
        void *panel = (char *)scratch->v_panels + d / COLUMNS * v_panel_bytes;

        if (bf16_panels) {
            kernels->pack_columns_bf16(columns, n, (const uint16_t *)a->v + at, a->kv_stride,
                                       panel);
        } else if (a->kv_dtype == OMMA_DTYPE_BF16) {
            kernels->pack_columns_f32_bf16(columns, n, (const uint16_t *)a->v + at, a->kv_stride,
                                           panel);
        } else {
            kernels->pack_columns_f32_f32(columns, n, (const float *)a->v + at, a->kv_stride,
                                          panel);
        }
    }
}

/* Bring rows of q side by side. */
static void gather_queries(const struct omma_attention *a, const struct task *task, size_t row,
                           size_t n, void *q)
{
    size_t bytes = a->head_dim * omma_dtype_bytes(a->q.dtype);

    for (size_t i = 0; i < n; i++) {
        size_t query = (row + i) / task->group;
        size_t head = task->kv_head * task->group + (row + i) % task->group;

        memcpy((char *)q + i * bytes, omma_operand_at(&a->q, query, head * a->head_dim), bytes);
    }
}

static void multiply(const struct omma_compute *compute, size_t m, size_t n, size_t k,
                     const void *operand, size_t stride, const void *panel, float *c,
                     size_t c_stride, bool accumulate)
{
    if (compute->operand == OMMA_DTYPE_BF16) {
        compute->kernels.gemm_bf16(m, n, k, operand, stride, panel, c, c_stride, accumulate);
    } else {
        compute->kernels.gemm_f32(m, n, k, operand, stride, panel, c, c_stride, accumulate);
    }
}

/* Turn n rows of scores over keys first .. first + n_keys into probabilities and scale what their
 * outputs hold so far; local: the row's place in the task's state. */
static void soften_rows(const struct omma_compute *compute, const struct omma_attention *a,
                        const struct task *task, size_t local, size_t n, size_t first,
                        size_t n_keys, const struct scratch *scratch)
{
    const struct omma_kernels *kernels = &compute->kernels;
    struct omma_operand p = {.data = scratch->p, .dtype = compute->operand, .stride = KEYS};

    for (size_t i = 0; i < n; i++) {
        float *scores = scratch->scores + i * KEYS;
        size_t visible = visible_keys(a, task->group, task->first_row + local + i);
        size_t seen = visible <= first ? 0 : omma_min(visible - first, n_keys);
        float *max = &scratch->max[local + i];

        if (seen > 0) {
            float new_max = fmaxf(*max, kernels->row_max(seen, scores));
            float keep = expf((*max - new_max) * a->scale);

            scratch->sum[local + i] = scratch->sum[local + i] * keep +
                                      kernels->exp_sum(seen, scores, new_max, a->scale, scores);
            if (keep != 1.0f) {
                kernels->scale(a->head_dim, keep, scratch->output + (local + i) * a->head_dim);
            }
            *max = new_max;
        }
        memset(scores + seen, 0, (n_keys - seen) * sizeof *scores);
        omma_operand_store(compute, &p, i, 0, scores, n_keys);
    }
}

static void run_task(const struct omma_compute *compute, const struct omma_attention *a,
                     const struct task *task, const struct scratch *scratch)
{
    size_t element = omma_dtype_bytes(compute->operand);
    size_t k_panel_bytes = omma_round_up(a->head_dim, 2) * COLUMNS * element;
    size_t v_panel_bytes = (size_t)KEYS * COLUMNS * element;

    memset(scratch->output, 0, task->n_rows * a->head_dim * sizeof(float));
    for (size_t i = 0; i < task->n_rows; i++) {
        scratch->max[i] = -INFINITY;
        scratch->sum[i] = 0.0f;
    }
    for (size_t first = 0; first < task->n_keys; first += KEYS) {
        size_t n_keys = omma_min(KEYS, task->n_keys - first);

        pack_block(compute, a, task->kv_head, first, n_keys, scratch);
        for (size_t local = 0; local < task->n_rows; local += ROWS) {
            size_t n = omma_min(ROWS, task->n_rows - local);

            if (visible_keys(a, task->group, task->first_row + local + n - 1) <= first) {
                continue;
            }
            gather_queries(a, task, task->first_row + local, n, scratch->q);
            for (size_t j = 0; j < n_keys; j += COLUMNS) {
                multiply(compute, n, omma_min(COLUMNS, n_keys - j), a->head_dim, scratch->q,
                         a->head_dim, (char *)scratch->k_panels + j / COLUMNS * k_panel_bytes,
                         scratch->scores + j, KEYS, false);
            }
            soften_rows(compute, a, task, local, n, first, n_keys, scratch);
            for (size_t d = 0; d < a->head_dim; d += COLUMNS) {
                multiply(compute, n, omma_min(COLUMNS, a->head_dim - d), n_keys, scratch->p, KEYS,
                         (char *)scratch->v_panels + d / COLUMNS * v_panel_bytes,
                         scratch->output + local * a->head_dim + d, a->head_dim, true);
            }
        }
    }
}

static void store_task(const struct omma_compute *compute, const struct omma_attention *a,
                       const struct task *task, const struct scratch *scratch)
{
    for (size_t i = 0; i < task->n_rows; i++) {
        size_t query = (task->first_row + i) / task->group;
        size_t head = task->kv_head * task->group + (task->first_row + i) % task->group;
        float *y = scratch->output + i * a->head_dim;

        compute->kernels.scale(a->head_dim, 1.0f / scratch->sum[i], y);
        omma_operand_store(compute, &a->output, query, head * a->head_dim, y, a->head_dim);
    }
}

/* Many queries; tasks are dealt out in turn, as causal ones grow with their position: n_before were
 * dealt out before these.  Returns how many now are. */
static size_t attend(struct omma_thread *self, const struct omma_compute *compute,
                     const struct omma_attention *a, size_t n_before)
{
    struct scratch scratch = carve(self, a->head_dim);
    size_t group = a->n_heads / a->n_kv_heads;
    size_t n_rows = a->n_queries * group;
    size_t tasks_per_head = (n_rows + TASK_ROWS - 1) / TASK_ROWS;
    size_t n_tasks = a->n_kv_heads * tasks_per_head;

    for (size_t i = 0; i < n_tasks; i++) {
        struct task task = {.kv_head = i / tasks_per_head, .group = group};

        if ((n_before + i) % self->n_threads != self->index) {
            continue;
        }
        task.first_row = i % tasks_per_head * TASK_ROWS;
        task.n_rows = omma_min(TASK_ROWS, n_rows - task.first_row);
        task.n_keys = visible_keys(a, group, task.first_row + task.n_rows - 1);
        run_task(compute, a, &task, &scratch);
        store_task(compute, a, &task, &scratch);
    }
    return n_before + n_tasks;
}

void omma_attention(struct omma_thread *self, const struct omma_compute *compute,
                    const struct omma_attention *attentions, size_t n)
{
    size_t n_dealt = 0;

    for (size_t i = 0; i < n; i++) {
        if (omma_goes_as_many(compute, attentions[i].n_queries, 1)) {
            n_dealt = attend(self, compute, &attentions[i], n_dealt);
        }
    }
    omma_attention_decode(self, compute, attentions, n);
}
