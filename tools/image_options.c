/* Bounds of tiles: what is not given follows from the model, and yields to what is given. */
#include "tools/image_options.h"

enum omma_status image_values_check(const struct image_values *values, struct omma_error *error)
{
    if (values->max_tiles != 0 && values->min_tiles > values->max_tiles) {
        return fail(error, OMMA_STATUS_USAGE, "--min-tiles %zu is more than --max-tiles %zu",
                    values->min_tiles, values->max_tiles);
    }
    return OMMA_OK;
}

enum omma_status image_values_complete(struct image_values *values, size_t min_tiles,
                                       size_t max_tiles, struct omma_error *error)
{
    TRY(image_values_check(values, error));
    if (values->min_tiles == 0) {
        values->min_tiles =
            values->max_tiles != 0 && values->max_tiles < min_tiles ? values->max_tiles : min_tiles;
    }
    if (values->max_tiles == 0) {
        values->max_tiles = values->min_tiles > max_tiles ? values->min_tiles : max_tiles;
    }
    return OMMA_OK;
}

enum omma_status image_values_options(const struct image_values *values,
                                      const struct omma_model_info *info, struct messages *messages,
                                      struct omma_image_options *options, struct omma_error *error)
{
    struct image_values bounds = *values;

    TRY(image_values_complete(&bounds, info->min_tiles, info->max_tiles, error));
    *options = (struct omma_image_options){.min_tiles = bounds.min_tiles,
                                           .max_tiles = bounds.max_tiles,
                                           .no_thumbnail = !info->use_thumbnail,
                                           .strict = bounds.strict,
                                           .log = messages_log_verbose(messages)};
    return OMMA_OK;
}
