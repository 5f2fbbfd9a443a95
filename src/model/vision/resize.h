/*
 * resize.h - Pillow's Image.resize for 8-bit RGB, bit for bit.
 *
 * Two passes, one an axis, each with weights in 22-bit fixed point and rounded to 8 bits;
 * antialiased (the filter widens with the scale).  The source of all formulas is Pillow 13.0,
 * src/libImaging/Resample.c.
 */
#ifndef OMMA_MODEL_VISION_RESIZE_H
#define OMMA_MODEL_VISION_RESIZE_H

#include <stdint.h>

#include "base/status.h"
#include "simd/kernels.h"

enum omma_resize_filter {
    OMMA_RESIZE_BICUBIC,  /* a = -0.5, support 2 */
    OMMA_RESIZE_BILINEAR, /* triangle, support 1 */
};

/* An RGB raster, [height][width][3], row by row without gaps. */
struct omma_raster {
    uint8_t *rgb;
    size_t width, height;
};

/* What is wanted of a picture scaled to width x height: the pixels from (left, top) on. */
struct omma_resize_part {
    size_t width, height;
    size_t left, top;
};

/* Fill target, whose size is set and whose pixels are the caller's, with its part of source scaled;
 * only what of source weighs in it is read.  Sides are 1 to INT32_MAX pixels.  Memory taken
 * meanwhile: some rows, and the weights of some outputs.  OMMA_STATUS_RESOURCES if it cannot be
 * had. */
enum omma_status omma_resize(const struct omma_kernels *kernels, const struct omma_raster *source,
                             enum omma_resize_filter filter, const struct omma_resize_part *part,
                             struct omma_raster *target, struct omma_error *error);

#endif
