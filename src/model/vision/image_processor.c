/*
 * A picture becomes tiles: decoded, scaled to a grid of 448 x 448 tiles that fits its aspect ratio
 * best, cut row by row; where there is more than one, the whole picture as a thumbnail follows.
 *
 * The image owns its tiles, [n_tiles][448][448][3], 602 kB each; the decoded picture is gone when
 * opening returns.  The rule and the order are the reference's (InternVL, dynamic_preprocess and
 * load_image).
 */
#include "model/vision/image_processor.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "format/image.h"
#include "format/sha256.h"
#include "model/vision/resize.h"

enum {
    ROW_BYTES = OMMA_TILE_SIZE * 3,
    TILE_BYTES = OMMA_TILE_SIZE * ROW_BYTES,
    DEFAULT_MIN_TILES = 1,
    DEFAULT_MAX_TILES = 12,
};

struct omma_image {
    struct omma_image_info info;
    uint8_t *tiles; /* [info.grid.n_tiles][448][448][3] */
};

void omma_image_pixel_values(float values[3][256])
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    static const float deviation[3] = {0.229f, 0.224f, 0.225f};

    for (size_t c = 0; c < 3; c++) {
        for (size_t value = 0; value < 256; value++) {
            float unit = (float)value / 255.0f;
            float centred = unit - mean[c];

            values[c][value] = centred / deviation[c];
        }
    }
}

/* Scale the picture to the grid and cut it. */
static enum omma_status cut_tiles(const struct omma_raster *picture, const struct omma_grid *grid,
                                  uint8_t *tiles, struct omma_error *error)
{
    size_t n_columns = grid->n_columns, n_rows = grid->n_rows;
    struct omma_raster scaled = {NULL, n_columns * OMMA_TILE_SIZE, n_rows * OMMA_TILE_SIZE};
    enum omma_status status;

    scaled.rgb = malloc(n_columns * n_rows * TILE_BYTES);
    if (scaled.rgb == NULL) {
        return omma_fail_memory(error, n_columns * n_rows * TILE_BYTES, "a scaled picture");
    }
    status = omma_resize(picture, OMMA_RESIZE_BICUBIC, &scaled, error);
    for (size_t y = 0; status == OMMA_OK && y < scaled.height; y++) {
        const uint8_t *row = scaled.rgb + y * scaled.width * 3;

        for (size_t column = 0; column < n_columns; column++) {
            size_t tile = y / OMMA_TILE_SIZE * n_columns + column;

            memcpy(tiles + tile * TILE_BYTES + y % OMMA_TILE_SIZE * ROW_BYTES,
                   row + column * ROW_BYTES, ROW_BYTES);
        }
    }
    free(scaled.rgb);
    return status;
}

/* All tiles, the thumbnail among them. */
static enum omma_status make_tiles(const struct omma_picture *picture, struct omma_image *image,
                                   struct omma_error *error)
{
    const struct omma_grid *grid = &image->info.grid;
    size_t n_cut = grid->n_columns * grid->n_rows, n_bytes = grid->n_tiles * TILE_BYTES;
    struct omma_raster source = {picture->rgb, picture->width, picture->height};
    struct omma_sha256 *hash = NULL;

    image->tiles = malloc(n_bytes);
    if (image->tiles == NULL) {
        return omma_fail_memory(error, n_bytes, "the tiles of a picture");
    }
    if (n_cut == 1) {
        struct omma_raster tile = {image->tiles, OMMA_TILE_SIZE, OMMA_TILE_SIZE};

        OMMA_TRY(omma_resize(&source, OMMA_RESIZE_BICUBIC, &tile, error));
    } else {
        OMMA_TRY(cut_tiles(&source, grid, image->tiles, error));
    }
    if (grid->n_tiles > n_cut) {
        struct omma_raster thumbnail = {image->tiles + n_cut * TILE_BYTES, OMMA_TILE_SIZE,
                                        OMMA_TILE_SIZE};

        OMMA_TRY(omma_resize(&source, OMMA_RESIZE_BICUBIC, &thumbnail, error));
    }
    OMMA_TRY(omma_sha256_begin(&hash, error));
    omma_sha256_add(hash, image->tiles, n_bytes);
    omma_sha256_end(&hash, image->info.digest);
    return OMMA_OK;
}

enum omma_status omma_image_open_memory(const char *name, const void *bytes, size_t n_bytes,
                                        const struct omma_image_options *options,
                                        struct omma_image **image, struct omma_error *error)
{
    static const struct omma_image_options defaults;
    struct omma_picture_source source = {.name = name, .bytes = bytes, .n_bytes = n_bytes};
    struct omma_picture picture = {0};
    struct omma_image *made = NULL;
    size_t min_tiles, max_tiles;
    enum omma_status status;

    options = options != NULL ? options : &defaults;
    min_tiles = options->min_tiles != 0 ? options->min_tiles : DEFAULT_MIN_TILES;
    max_tiles =
        options->max_tiles != 0 ? options->max_tiles : omma_max(min_tiles, DEFAULT_MAX_TILES);
    source.strict = options->strict;
    source.log = options->log;
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, name);
    }
    OMMA_TRY_OR(status, done, omma_picture_decode(&source, &picture, error));
    made->info.width = picture.width;
    made->info.height = picture.height;
    OMMA_TRY_OR(status, done,
                omma_image_grid(picture.width, picture.height, min_tiles, max_tiles,
                                !options->no_thumbnail, &made->info.grid, error));
    made->info.tile_size = OMMA_TILE_SIZE;
    made->info.n_tokens = made->info.grid.n_tiles * OMMA_TOKENS_PER_TILE;
    OMMA_TRY_OR(status, done, make_tiles(&picture, made, error));
    *image = made;
    made = NULL;
done:
    omma_picture_free(&picture);
    omma_image_close(&made);
    return status;
}

enum omma_status omma_image_open(const char *path, const struct omma_image_options *options,
                                 struct omma_image **image, struct omma_error *error)
{
    uint8_t *bytes;
    size_t n_bytes;
    enum omma_status status;

    OMMA_TRY(omma_picture_read_file(path, &bytes, &n_bytes, error));
    status = omma_image_open_memory(path, bytes, n_bytes, options, image, error);
    free(bytes);
    return status;
}

void omma_image_close(struct omma_image **image)
{
    if (*image != NULL) {
        free((*image)->tiles);
        free(*image);
        *image = NULL;
    }
}

const struct omma_image_info *omma_image_info(const struct omma_image *image)
{
    return &image->info;
}

const uint8_t *omma_image_tile(const struct omma_image *image, size_t k)
{
    return image->tiles + k * TILE_BYTES;
}
