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
