/*
 * operators.h - single linears of int8 weights, as the dump of a quantized model holds them: the
 * rows that entered each, what they became in int8, and what came out.
 *
 *   op.NAME.input [n_tokens, n_columns] F32
 *   op.NAME.q [n_tokens, n_columns] I8, op.NAME.scale [n_tokens, 1] F32   input, quantized
 *   op.NAME.output [n_tokens, n_rows] F32                                 without the bias
 */
#ifndef OMMA_COMPARE_OPERATORS_H
#define OMMA_COMPARE_OPERATORS_H

#include "tools/compare/dump.h"

struct compare_operator {
    char name[80]; /* of the linear: "layers.0.self_attn.q_proj" */
    size_t n_tokens, n_columns, n_rows;
    size_t n_scales;    /* of tokens that differ from the dump's by more than an ulp or two */
    size_t n_different; /* int8 values that differ from the dump's ... */
    size_t n_near;      /* ... and of these those whose input / scale is next to a half */
    size_t n_sums;      /* sums of products of the dump's int8 values that are not exact */
    double error;       /* of the output from the dump's int8 values: |ours - dump| / |dump| */
};

struct compare_operators {
    struct compare_operator *items; /* [n_items] */
    size_t n_items;
};

/* Run all operators that the dump holds.  OMMA_STATUS_USAGE on wrong types or shapes.  Must be
 * closed whatever is returned. */
enum omma_status compare_operators_run(const struct compare_dump *dump,
                                       const struct omma_model *model, struct omma_engine *engine,
                                       struct compare_operators *operators,
                                       struct omma_error *error);
void compare_operators_close(struct compare_operators *operators);

/* No scale, no sum and no value but those next to a half differs, and the output is right. */
bool compare_operator_is_within(const struct compare_operator *one);

#endif
