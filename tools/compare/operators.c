/* Sums are held against 64-bit integer ones of the model's own weights. */
#include "tools/compare/operators.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/status.h"

/* A value may round either way if input / scale is no further than this from a half: both are f32
 * of magnitude up to 128, whose last place is 2^-16. */
static const double NEAR_HALF = 1e-4;
static const double OUTPUT_ERROR = 1e-6, SCALE_ERROR = 2e-7;

/* The tensors of one operator, and what the engine makes of them. */
struct work {
    const struct omma_tensor *input, *q, *scale, *output;
    float *inputs, *given_scales;
    struct omma_int8_rows rows;
};

static void work_close(struct work *work)
{
    free(work->inputs);
    free(work->given_scales);
    free(work->rows.q);
    free(work->rows.scales);
    free(work->rows.output);
    free(work->rows.sums);
}

static enum omma_status find_part(const struct compare_dump *dump, const char *name,
                                  const char *part, const char *dtype, size_t n_rows,
                                  size_t n_columns, const struct omma_tensor **tensor,
                                  struct omma_error *error)
{
    char key[120];

    snprintf(key, sizeof key, "op.%s.%s", name, part);
    *tensor = omma_tensor_file_find(dump->file, key);
    if (*tensor == NULL || strcmp((*tensor)->dtype, dtype) != 0 || (*tensor)->n_dimensions != 2 ||
        (*tensor)->shape[0] != n_rows || (*tensor)->shape[1] != n_columns) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s: expected %s [%zu, %zu]", dump->path, key,
                    dtype, n_rows, n_columns);
    }
    return OMMA_OK;
}

static float *floats_of(const struct omma_tensor *tensor, size_t n)
{
    float *values = malloc((n + 1) * sizeof *values);

    if (values != NULL) {
        memcpy(values, tensor->data, n * sizeof *values);
    }
    return values;
}

static enum omma_status prepare(const struct compare_dump *dump, struct compare_operator *one,
                                struct work *work, struct omma_error *error)
{
    size_t n_values = one->n_tokens * one->n_columns, n_results = one->n_tokens * one->n_rows;
    struct omma_int8_rows *rows = &work->rows;

    TRY(find_part(dump, one->name, "input", "F32", one->n_tokens, one->n_columns, &work->input,
                  error));
    TRY(find_part(dump, one->name, "q", "I8", one->n_tokens, one->n_columns, &work->q, error));
    TRY(find_part(dump, one->name, "scale", "F32", one->n_tokens, 1, &work->scale, error));
    TRY(find_part(dump, one->name, "output", "F32", one->n_tokens, one->n_rows, &work->output,
                  error));
    work->inputs = floats_of(work->input, n_values);
    work->given_scales = floats_of(work->scale, one->n_tokens);
    *rows = (struct omma_int8_rows){
        .n_tokens = one->n_tokens,
        .input = work->inputs,
        .q = malloc(n_values + 1),
        .scales = malloc((one->n_tokens + 1) * sizeof(float)),
        .given_q = work->q->data,
        .given_scales = work->given_scales,
        .output = malloc((n_results + 1) * sizeof(float)),
        .sums = malloc((n_results + 1) * sizeof(float)),
    };
    return work->inputs == NULL || work->given_scales == NULL || rows->q == NULL ||
                   rows->scales == NULL || rows->output == NULL || rows->sums == NULL
               ? fail_memory(error)
               : OMMA_OK;
}

static bool is_near_half(double value)
{
    return fabs(fabs(value - floor(value)) - 0.5) <= NEAR_HALF;
}

static void judge_quantization(const struct work *work, struct compare_operator *one)
{
    const struct omma_int8_rows *rows = &work->rows;

    for (size_t i = 0; i < one->n_tokens; i++) {
        double scale = rows->given_scales[i];

        one->n_scales += !(fabs(rows->scales[i] - scale) <= SCALE_ERROR * scale);
        for (size_t k = i * one->n_columns; k < (i + 1) * one->n_columns; k++) {
            if (rows->q[k] != rows->given_q[k]) {
                one->n_different++;
                one->n_near += is_near_half(rows->input[k] / scale);
            }
        }
    }
}

static void judge_product(const struct work *work, const int8_t *weights,
                          struct compare_operator *one)
{
    const struct omma_int8_rows *rows = &work->rows;
    double difference2 = 0, norm2 = 0;

    for (size_t at = 0; at < one->n_tokens * one->n_rows; at++) {
        const int8_t *q = rows->given_q + at / one->n_rows * one->n_columns;
        const int8_t *w = weights + at % one->n_rows * one->n_columns;
        double theirs = compare_f32(work->output, at), difference = rows->output[at] - theirs;
        int64_t sum = 0;

        for (size_t k = 0; k < one->n_columns; k++) {
            sum += q[k] * w[k];
        }
        one->n_sums += rows->sums[at] != (float)sum;
        difference2 += difference * difference;
        norm2 += theirs * theirs;
    }
    one->error = difference2 == 0 ? 0 : sqrt(difference2) / sqrt(norm2);
}

static enum omma_status run_one(const struct compare_dump *dump, const struct omma_model *model,
                                struct omma_engine *engine, const struct omma_tensor *input,
                                struct compare_operator *one, struct omma_error *error)
{
    struct omma_int8_linear linear;
    struct work work = {0};
    enum omma_status status;

    if (!omma_model_int8_linear(model, one->name, &linear)) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s: the model has no int8 linear of that name",
                    dump->path, input->name);
    }
    one->n_tokens = input->n_dimensions == 2 ? input->shape[0] : 0;
    one->n_columns = linear.n_columns;
    one->n_rows = linear.n_rows;
    TRY_OR(status, done, prepare(dump, one, &work, error));
    TRY_OR(status, done, omma_engine_int8_linear(engine, one->name, &work.rows, error));
    judge_quantization(&work, one);
    judge_product(&work, linear.weights, one);
done:
    work_close(&work);
    return status;
}

/* The operator whose input a tensor is; false: it is none's. */
static bool name_of(const struct omma_tensor *tensor, char *name, size_t capacity)
{
    static const char end[] = ".input";
    size_t n = strlen(tensor->name);

    if (strncmp(tensor->name, "op.", 3) != 0 || n < 3 + sizeof end ||
        strcmp(tensor->name + n - (sizeof end - 1), end) != 0) {
        return false;
    }
    snprintf(name, capacity, "%.*s", (int)(n - 3 - (sizeof end - 1)), tensor->name + 3);
    return true;
}

enum omma_status compare_operators_run(const struct compare_dump *dump,
                                       const struct omma_model *model, struct omma_engine *engine,
                                       struct compare_operators *operators,
                                       struct omma_error *error)
{
    size_t n = omma_tensor_file_count(dump->file);

    operators->items = calloc(n + 1, sizeof *operators->items);
    if (operators->items == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n; i++) {
        const struct omma_tensor *tensor = omma_tensor_file_get(dump->file, i);
        struct compare_operator *one = &operators->items[operators->n_items];

        if (name_of(tensor, one->name, sizeof one->name)) {
            TRY(run_one(dump, model, engine, tensor, one, error));
            operators->n_items++;
        }
    }
    return OMMA_OK;
}

void compare_operators_close(struct compare_operators *operators)
{
    free(operators->items);
    *operators = (struct compare_operators){0};
}

bool compare_operator_is_within(const struct compare_operator *one)
{
    return one->n_scales == 0 && one->n_different == one->n_near && one->n_sums == 0 &&
           one->error <= OUTPUT_ERROR;
}
