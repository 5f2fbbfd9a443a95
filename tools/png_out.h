/*
 * png_out.h - write RGB pixels as a PNG file.
 */
#ifndef OMMA_TOOLS_PNG_OUT_H
#define OMMA_TOOLS_PNG_OUT_H

#include "tools/status.h"

/* pixels: [height][width][3].  An existing file is refused unless overwrite; a file that could not
 * be written whole is removed. */
enum omma_status png_write(const char *path, const uint8_t *pixels, size_t width, size_t height,
                           bool overwrite, struct omma_error *error);

#endif
