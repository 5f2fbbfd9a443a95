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

#include "base/checked.h"
#include "format/image.h"
#include "format/sha256.h"

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

/* Each tile is a part of the scaled picture and made for itself. */
enum omma_status omma_image_cut(const struct omma_kernels *kernels,
                                const struct omma_raster *picture, const struct omma_grid *grid,
                                uint8_t *tiles, struct omma_error *error)
{
    size_t n_cut = grid->n_columns * grid->n_rows;

    for (size_t k = 0; k < grid->n_tiles; k++) {
        bool is_thumbnail = k == n_cut;
        struct omma_resize_part part = {
            .width = (is_thumbnail ? 1 : grid->n_columns) * OMMA_TILE_SIZE,
            .height = (is_thumbnail ? 1 : grid->n_rows) * OMMA_TILE_SIZE,
            .left = is_thumbnail ? 0 : k % grid->n_columns * OMMA_TILE_SIZE,
            .top = is_thumbnail ? 0 : k / grid->n_columns * OMMA_TILE_SIZE,
        };
        struct omma_raster tile = {tiles + k * TILE_BYTES, OMMA_TILE_SIZE, OMMA_TILE_SIZE};

        OMMA_TRY(omma_resize(kernels, picture, OMMA_RESIZE_BICUBIC, &part, &tile, error));
    }
    return OMMA_OK;
}

/* VLMEvalKit's load_image(upscale=True). */
static enum omma_status double_picture(const struct omma_kernels *kernels,
                                       struct omma_picture *picture, struct omma_error *error)
{
    const struct omma_raster source = {picture->rgb, picture->width, picture->height};
    const struct omma_resize_part whole = {.width = 2 * source.width, .height = 2 * source.height};
    struct omma_raster target = {NULL, whole.width, whole.height};
    size_t n_bytes = 4 * source.width * source.height * 3; /* OMMA_PICTURE_MAX_PIXELS bounds it */
    enum omma_status status;

    target.rgb = malloc(n_bytes);
    if (target.rgb == NULL) {
        return omma_fail_memory(error, n_bytes, "a doubled picture");
    }
    status = omma_resize(kernels, &source, OMMA_RESIZE_BILINEAR, &whole, &target, error);
    if (status != OMMA_OK) {
        free(target.rgb);
        return status;
    }
    omma_picture_free(picture);
    *picture = (struct omma_picture){target.width, target.height, target.rgb};
    return OMMA_OK;
}

static enum omma_status make_tiles(const struct omma_kernels *kernels,
                                   const struct omma_picture *picture, struct omma_image *image,
                                   struct omma_error *error)
{
    struct omma_raster source = {picture->rgb, picture->width, picture->height};
    size_t n_bytes = image->info.grid.n_tiles * TILE_BYTES;
    struct omma_sha256 *hash = NULL;

    image->tiles = malloc(n_bytes);
    if (image->tiles == NULL) {
        return omma_fail_memory(error, n_bytes, "the tiles of a picture");
    }
    OMMA_TRY(omma_image_cut(kernels, &source, &image->info.grid, image->tiles, error));
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
    const struct omma_kernels kernels = omma_kernels_select(omma_isa_best());
    struct omma_image *made = NULL;
    size_t min_tiles, max_tiles;
    enum omma_status status;

    options = options != NULL ? options : &defaults;
    min_tiles = options->min_tiles != 0 ? options->min_tiles : DEFAULT_MIN_TILES;
    max_tiles =
        options->max_tiles != 0 ? options->max_tiles : omma_max(min_tiles, DEFAULT_MAX_TILES);
    source.strict = options->strict;
    source.max_pixels = options->max_pixels;
    source.log = options->log;
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, name);
    }
    OMMA_TRY_OR(status, done, omma_picture_decode(&source, &picture, error));
    if (options->doubled) {
        OMMA_TRY_OR(status, done, double_picture(&kernels, &picture, error));
    }
    made->info.width = picture.width;
    made->info.height = picture.height;
    OMMA_TRY_OR(status, done,
                omma_image_grid(picture.width, picture.height, min_tiles, max_tiles,
                                !options->no_thumbnail, &made->info.grid, error));
    made->info.tile_size = OMMA_TILE_SIZE;
    made->info.n_tokens = made->info.grid.n_tiles * OMMA_TOKENS_PER_TILE;
    OMMA_TRY_OR(status, done, make_tiles(&kernels, &picture, made, error));
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
