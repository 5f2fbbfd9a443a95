/*
 * omma_engine_int8_linear(): one linear of int8 weights on its own, for comparing with a reference.
 * The operators are those of a forward pass; sums come from a weight whose scales are all 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "engine/engine.h"
#include "model/names.h"
#include "tensor/matmul.h"

struct search {
    struct omma_weights *weights;
    const char *name;
    struct omma_linear *found;
};

/* Is it the weight of the linear that is looked for?  An omma_name_fn. */
static enum omma_status look(void *user, const struct omma_named_tensor *named)
{
    struct search *search = user;
    char end[OMMA_NAME_BYTES];
    size_t length = strlen(named->name), n;

    snprintf(end, sizeof end, ".%s.weight", search->name);
    n = strlen(end);
    if (named->part == OMMA_PART_LANGUAGE && named->in_layer && named->role == OMMA_TENSOR_LINEAR &&
        length > n && strcmp(named->name + length - n, end) == 0) {
        char *layer = (char *)&search->weights->language.layers[named->layer];

        search->found = (struct omma_linear *)(void *)(layer + named->offset);
    }
    return OMMA_OK;
}

static const struct omma_linear *find_linear(const struct omma_model *model, const char *name)
{
    struct omma_weights weights = model->weights;
    struct search search = {.weights = &weights, .name = name};
    const struct omma_name_form *forms[OMMA_N_PARTS];

    for (int part = 0; part < OMMA_N_PARTS; part++) {
        forms[part] = omma_name_forms((enum omma_part)part);
    }
    (void)omma_names_each(&model->config, forms, look, &search);
    return search.found != NULL && search.found->weight.scales != NULL ? search.found : NULL;
}

bool omma_model_int8_linear(const struct omma_model *model, const char *name,
                            struct omma_int8_linear *linear)
{
    const struct omma_linear *found = find_linear(model, name);

    if (found != NULL) {
        *linear = (struct omma_int8_linear){.n_rows = found->weight.n_rows,
                                            .n_columns = found->weight.n_columns,
                                            .weights = found->weight.data};
    }
    return found != NULL;
}

/* A product on its way through the engine's thread. */
struct product {
    const struct omma_int8_rows *rows;
    struct omma_linear linear, unscaled; /* without bias */
    struct omma_operand own, given;      /* input as the engine quantizes it; the rows given */
    struct omma_arena arena;
    const struct omma_compute *compute;
    bool is_done;
};

static bool prepare(struct product *product, size_t scale_group)
{
    const struct omma_int8_rows *rows = product->rows;
    struct omma_matrix *unscaled = &product->unscaled.weight;
    size_t m = rows->n_tokens, n = unscaled->n_columns;
    size_t n_bytes = omma_i8_rows_bytes(m, n, scale_group);
    size_t n_scales = unscaled->n_columns / unscaled->group * unscaled->scales_stride;
    float *ones = omma_arena_take(&product->arena, n_scales, sizeof *ones);
    struct omma_operand *operands[] = {&product->own, &product->given};

    for (size_t i = 0; i < 2; i++) {
        void *memory = omma_arena_take(&product->arena, n_bytes, 1);

        if (memory == NULL || ones == NULL) {
            return false;
        }
        operands[i]->i8 = omma_i8_rows_carve(memory, m, n, scale_group);
    }
    for (size_t i = 0; i < n_scales; i++) {
        ones[i] = 1;
    }
    unscaled->scales = ones;
    return true;
}

/* Put the rows given into the operand's place. */
static void take_given(const struct product *product)
{
    const struct omma_int8_rows *rows = product->rows;
    const struct omma_i8_rows *i8 = &product->given.i8;
    size_t n = product->linear.weight.n_columns;

    for (size_t i = 0; i < rows->n_tokens; i++) {
        const int8_t *q = rows->given_q + i * n;

        memcpy(i8->data + i * i8->stride, q, n);
        i8->scales[i] = rows->given_scales[i];
        i8->sums[i] = 0;
        for (size_t k = 0; k < n; k++) {
            i8->sums[i] += q[k];
            if (i8->group > 0 && k < n / i8->group * i8->group) {
                i8->group_sums[k / i8->group * i8->n_rows + i] += q[k];
            }
        }
    }
}

static void compute(struct omma_thread *self, void *argument)
{
    struct product *product = argument;
    const struct omma_int8_rows *rows = product->rows;
    size_t m = rows->n_tokens, n = product->linear.weight.n_columns;
    struct omma_range own = omma_team_range(self, m);
    struct omma_output output = {.kind = OMMA_OUTPUT_STORE,
                                 .f32 = rows->output,
                                 .f32_stride = product->linear.weight.n_rows};

    for (size_t i = own.begin; i < own.end; i++) {
        const struct omma_i8_rows *i8 = &product->own.i8;

        omma_operand_store_row(product->compute, &product->own, i, rows->input + i * n, n);
        memcpy(rows->q + i * n, i8->data + i * i8->stride, n);
        rows->scales[i] = i8->scales[i];
    }
    omma_matmul(self, product->compute, m, &product->given, &product->linear, &output);
    omma_team_barrier(self);
    if (self->index == 0) {
        for (size_t i = 0; i < m; i++) {
            product->given.i8.scales[i] = 1;
        }
    }
    omma_team_barrier(self);
    output.f32 = rows->sums;
    omma_matmul(self, product->compute, m, &product->given, &product->unscaled, &output);
    omma_team_barrier(self);
}

static void run(struct omma_engine *engine, void *argument)
{
    struct product *product = argument;

    omma_team_run(engine->team, compute, product);
    pthread_mutex_lock(&engine->lock);
    product->is_done = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

enum omma_status omma_engine_int8_linear(struct omma_engine *engine, const char *name,
                                         const struct omma_int8_rows *rows,
                                         struct omma_error *error)
{
    const struct omma_linear *linear = find_linear(engine->model, name);
    struct product product = {.rows = rows, .compute = &engine->compute};
    struct omma_job job = {.run = run, .argument = &product};

    if (linear == NULL || !engine->compute.int8_activations) {
        return omma_fail(error, OMMA_STATUS_USAGE, "%s: expected a linear of int8 weights, %s",
                         name, linear == NULL ? "found none" : "but int8 activations are off");
    }
    product.linear.weight = product.unscaled.weight = linear->weight;
    if (!prepare(&product, engine->model->weights.scale_group)) {
        omma_arena_free(&product.arena);
        return omma_fail(error, OMMA_STATUS_RESOURCES, "out of memory: %s", name);
    }
    take_given(&product);
    omma_engine_enqueue(engine, &job);
    pthread_mutex_lock(&engine->lock);
    while (!product.is_done) {
        pthread_cond_wait(&engine->changed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    omma_arena_free(&product.arena);
    return OMMA_OK;
}
