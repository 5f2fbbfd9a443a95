/* Pictures opened with one bound of tiles for all. */
#include "tools/run/pictures.h"

#include <stdlib.h>
#include <string.h>

static size_t limit_for(const struct pictures *pictures, size_t n_pictures)
{
    size_t limit = pictures->options.max_tiles;

    if (pictures->max_tiles_total != 0 && pictures->max_tiles_total / n_pictures < limit) {
        limit = pictures->max_tiles_total / n_pictures;
    }
    return limit > pictures->options.min_tiles ? limit : pictures->options.min_tiles;
}

/* Open the pictures first..n_pictures-1 of `more` under its tile_limit. */
static enum omma_status open_from(struct pictures *more, size_t first, struct omma_error *error)
{
    struct omma_image_options options = more->options;

    options.max_tiles = more->tile_limit;
    for (size_t i = first; i < more->n_pictures; i++) {
        TRY(omma_image_open(more->paths[i], &options, &more->images[i], error));
    }
    return OMMA_OK;
}

void pictures_clear(struct pictures *pictures)
{
    for (size_t i = 0; i < pictures->n_pictures; i++) {
        if (pictures->images != NULL) {
            omma_image_close(&pictures->images[i]);
        }
        if (pictures->paths != NULL) {
            free(pictures->paths[i]);
        }
    }
    free(pictures->images);
    free(pictures->paths);
    pictures->images = NULL;
    pictures->paths = NULL;
    pictures->n_pictures = 0;
}

/* A list of old and new paths, without pictures yet. */
static enum omma_status extend(const struct pictures *pictures, const char *const *paths,
                               size_t n_paths, struct pictures *more, struct omma_error *error)
{
    size_t n = pictures->n_pictures + n_paths;

    *more = *pictures;
    more->n_pictures = n;
    more->tile_limit = limit_for(pictures, n);
    more->paths = calloc(n, sizeof *more->paths);
    more->images = calloc(n, sizeof *more->images);
    if (more->paths == NULL || more->images == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n; i++) {
        size_t n_old = pictures->n_pictures;

        more->paths[i] = strdup(i < n_old ? pictures->paths[i] : paths[i - n_old]);
        if (more->paths[i] == NULL) {
            return fail_memory(error);
        }
    }
    return OMMA_OK;
}

enum omma_status pictures_add(struct pictures *pictures, const char *const *paths, size_t n_paths,
                              struct omma_error *error)
{
    enum omma_status status;
    struct pictures more;
    bool are_kept;

    if (n_paths == 0) {
        return OMMA_OK;
    }
    TRY_OR(status, failed, extend(pictures, paths, n_paths, &more, error));
    are_kept = pictures->n_pictures > 0 && more.tile_limit == pictures->tile_limit;
    TRY_OR(status, failed, open_from(&more, are_kept ? pictures->n_pictures : 0, error));
    for (size_t i = 0; are_kept && i < pictures->n_pictures; i++) {
        more.images[i] = pictures->images[i];
        pictures->images[i] = NULL;
    }
    pictures_clear(pictures);
    *pictures = more;
    return OMMA_OK;

failed:
    pictures_clear(&more);
    return status;
}
