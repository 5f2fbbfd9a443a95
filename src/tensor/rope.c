/*
 * base' = base (F n / M - (F - 1))^(hd / (hd - 2)) for n > M, then 1 / base'^(2j / hd); every step
 * rounded to f32, as the reference's tensors are.
 */
#include "tensor/rope.h"

#include <math.h>

size_t omma_rope_length(const struct omma_rope *rope, size_t n_tokens)
{
    return rope->dynamic && n_tokens > rope->max_positions ? n_tokens : 0;
}

void omma_rope_frequencies(const struct omma_rope *rope, size_t length, float *inverse_frequency)
{
    float base = (float)rope->theta;
    float dim = (float)rope->head_dim;

    if (length > 0) {
        float scaled = (float)rope->factor * (float)length / (float)rope->max_positions;
        float grown = scaled - (float)(rope->factor - 1.0);
        double exponent = (double)rope->head_dim / (double)(rope->head_dim - 2);

        base *= (float)pow(grown, (float)exponent);
    }
    for (size_t j = 0; j < rope->head_dim / 2; j++) {
        float power = (float)pow(base, (float)(2 * j) / dim);

        inverse_frequency[j] = 1.0f / power;
    }
}

void omma_rope_angles(const struct omma_rope *rope, const float *inverse_frequency, float position,
                      float *cosine, float *sine)
{
    for (size_t j = 0; j < rope->head_dim / 2; j++) {
        float angle = position * inverse_frequency[j];

        cosine[j] = (float)cos(angle);
        sine[j] = (float)sin(angle);
    }
}
