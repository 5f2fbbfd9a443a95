/* config.json: whatever is accepted holds what the rest of the code counts on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check(const struct omma_config *config)
{
    const struct omma_vision_config *vision = &config->vision;
    const struct omma_language_config *language = &config->language;
    size_t side = vision->tile_size / vision->patch_size;

    require(vision->n_heads * vision->head_dim == vision->hidden && vision->n_layers > 0);
    require(side * side == vision->n_patches && side * vision->patch_size == vision->tile_size);
    require(side % config->shuffle == 0 && config->tokens_per_tile > 0);
    require(language->n_heads % language->n_kv_heads == 0 && language->n_layers > 0);
    require(language->head_dim > 0 && language->head_dim % 2 == 0);
    require(language->norm_eps > 0 && vision->norm_eps > 0);
    require(language->rope_theta >= 1 && language->rope_factor >= 1);
    require(config->min_tiles >= 1 && config->min_tiles <= config->max_tiles);
    for (size_t i = 0; i < config->n_eos_ids; i++) {
        require(config->eos_ids[i] >= 0 && (size_t)config->eos_ids[i] < language->vocab);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct omma_arena arena = {0};
    struct omma_config config;
    struct omma_error error;

    if (omma_config_parse("fuzz", (const char *)bytes, n_bytes, &arena, &config, &error) ==
        OMMA_OK) {
        check(&config);
    } else {
        require(error.status == OMMA_STATUS_MODEL);
        require(strncmp(error.message, "fuzz", 4) == 0);
    }
    omma_arena_free(&arena);
    return 0;
}
