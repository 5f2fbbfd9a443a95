/*
 * log softmax of one element: the exponentials by the kernel of attention, in f32, and their sums
 * over blocks of a row in double, so that the error does not grow with the vocabulary.
 */
#include "model/language/score.h"

#include <math.h>

#include "base/checked.h"

enum { BLOCK = 1024 };

struct omma_token_score omma_token_score_of(const struct omma_kernels *kernels, size_t vocab,
                                            float *logits, int32_t id)
{
    size_t at = (size_t)id;
    float own = logits[at], before = kernels->row_max(at, logits);
    float other = fmaxf(before, kernels->row_max(vocab - at - 1, logits + at + 1));
    float most = fmaxf(own, other);
    double sum = 0;

    for (size_t i = 0; i < vocab; i += BLOCK) {
        sum += kernels->exp_sum(omma_min(vocab - i, BLOCK), logits + i, most, 1.0f, logits + i);
    }
    return (struct omma_token_score){(float)((double)own - most - log(sum)), own - other};
}
