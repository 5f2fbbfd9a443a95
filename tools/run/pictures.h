/*
 * pictures.h - the pictures of a conversation, in the order of their placeholders.
 */
#ifndef OMMA_TOOLS_RUN_PICTURES_H
#define OMMA_TOOLS_RUN_PICTURES_H

#include "tools/image_options.h"

struct pictures {
    struct omma_image_options options; /* max_tiles of them: what one picture may have at most */
    size_t max_tiles_total;            /* 0: no bound */
    size_t tile_limit;                 /* max_tiles that the pictures were opened with */
    char **paths;
    struct omma_image **images; /* [n_pictures] */
    size_t n_pictures;
};

/* Open more pictures; on failure none is added.  max_tiles_total is shared out evenly, as the
 * benchmarks of the reference do: each picture may have max_tiles_total / n_pictures tiles, but
 * min_tiles at least.  Where that changes, the earlier pictures are cut anew, so no request may
 * hold them. */
enum omma_status pictures_add(struct pictures *pictures, const char *const *paths, size_t n_paths,
                              struct omma_error *error);

/* Close all. */
void pictures_clear(struct pictures *pictures);

#endif
