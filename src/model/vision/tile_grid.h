/*
 * tile_grid.h - the grids of tiles that a picture may be cut into, in the reference's order.
 *
 * The reference (InternVL, dynamic_preprocess) collects all (columns, rows) whose product lies in
 * min..max in a Python set and sorts them by the product.  The sort is stable, so grids of one
 * product keep the order in which CPython walks its hash table; where two grids are equally near
 * the picture's aspect ratio, that order decides.
 */
#ifndef OMMA_MODEL_VISION_TILE_GRID_H
#define OMMA_MODEL_VISION_TILE_GRID_H

#include <stdint.h>

#include "base/status.h"

enum {
    OMMA_TILE_SIZE = 448,       /* pixels of a tile's side */
    OMMA_TOKENS_PER_TILE = 256, /* (448 / 14 / 2)^2 */
    OMMA_TILE_GRID_MAX_TILES = 256,
};

struct omma_tile_shape {
    uint16_t n_columns, n_rows;
};

/* *shapes (to be freed) receives the n_shapes candidates for min..max tiles in the order in which
 * the reference tries them.  1 <= min_tiles <= max_tiles <= OMMA_TILE_GRID_MAX_TILES. */
enum omma_status omma_tile_grid_list(size_t min_tiles, size_t max_tiles,
                                     struct omma_tile_shape **shapes, size_t *n_shapes,
                                     struct omma_error *error);

#endif
