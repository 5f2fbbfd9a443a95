/* Walking over the products of a model, and copying the tree of its weights. */
#include "model/weights.h"

#include <string.h>

static void each_alone(struct omma_linear *const *linears, size_t n, omma_linears_fn each,
                       void *user)
{
    for (size_t i = 0; i < n; i++) {
        each(user, linears + i, 1);
    }
}

void omma_weights_each_product(struct omma_weights *weights, const struct omma_config *config,
                               omma_linears_fn each, void *user)
{
    struct omma_linear *const ends[] = {&weights->vision.patch_embedding, &weights->projector.fc1,
                                        &weights->projector.fc2, &weights->language.lm_head};

    each_alone(ends, sizeof ends / sizeof *ends, each, user);
    for (size_t i = 0; i < config->vision.n_layers; i++) {
        struct omma_vision_layer *layer = &weights->vision.layers[i];
        struct omma_linear *const linears[] = {&layer->q,          &layer->k,   &layer->v,
                                               &layer->projection, &layer->fc1, &layer->fc2};

        each_alone(linears, sizeof linears / sizeof *linears, each, user);
    }
    for (size_t i = 0; i < config->language.n_layers; i++) {
        struct omma_language_layer *layer = &weights->language.layers[i];
        struct omma_linear *const qkv[] = {&layer->q, &layer->k, &layer->v};
        struct omma_linear *const linears[] = {&layer->o, &layer->gate, &layer->up, &layer->down};

        each(user, qkv, 3);
        each_alone(linears, sizeof linears / sizeof *linears, each, user);
    }
}

bool omma_weights_copy(const struct omma_weights *weights, const struct omma_config *config,
                       struct omma_arena *arena, struct omma_weights *copy)
{
    size_t n_vision = config->vision.n_layers, n_language = config->language.n_layers;
    struct omma_vision_layer *vision = omma_arena_take(arena, n_vision, sizeof *vision);
    struct omma_language_layer *language = omma_arena_take(arena, n_language, sizeof *language);

    if (vision == NULL || language == NULL) {
        return false;
    }
    memcpy(vision, weights->vision.layers, n_vision * sizeof *vision);
    memcpy(language, weights->language.layers, n_language * sizeof *language);
    *copy = *weights;
    copy->vision.layers = vision;
    copy->language.layers = language;
    return true;
}
