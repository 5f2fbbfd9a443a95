/*
 * image_processor.h - from a picture to the tiles that the vision encoder reads.
 *
 * omma_image_open() and its companions are declared in api/omma.h and implemented beside this
 * header.
 */
#ifndef OMMA_MODEL_VISION_IMAGE_PROCESSOR_H
#define OMMA_MODEL_VISION_IMAGE_PROCESSOR_H

#include <stdint.h>

#include "api/omma.h"
#include "model/vision/resize.h"
#include "model/vision/tile_grid.h"

/* What the 256 values of a sample become before they enter the encoder, by channel (red, green,
 * blue): (value / 255 - mean) / deviation, each step rounded to f32, with ImageNet's means and
 * deviations. */
void omma_image_pixel_values(float values[3][256]);

/* The tiles [grid->n_tiles][448][448][3] of a picture: those of the grid, row by row, and the
 * thumbnail if the grid has one. */
enum omma_status omma_image_cut(const struct omma_kernels *kernels,
                                const struct omma_raster *picture, const struct omma_grid *grid,
                                uint8_t *tiles, struct omma_error *error);

#endif
