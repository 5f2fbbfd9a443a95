/*
 * picture_in.h - the picture that a URL of a request stands for: data: with base64, file: in a
 * folder that was given, or a path in it.  There is no client of HTTP here, nor will there be.
 */
#ifndef OMMA_TOOLS_CHAT_PICTURE_IN_H
#define OMMA_TOOLS_CHAT_PICTURE_IN_H

#include "tools/chat/chat_in.h"

struct media_folder {
    char *path;       /* without links, without a slash at the end; NULL: file: is refused */
    int descriptor;   /* -1 */
    bool takes_paths; /* what has no scheme is a path, from the folder on */
};

/* path may be NULL.  OMMA_STATUS_USAGE. */
enum omma_status media_folder_open(const char *path, struct media_folder *folder,
                                   struct omma_error *error);
void media_folder_close(struct media_folder *folder);

/* What a request's pictures may take. */
struct picture_bounds {
    struct omma_image_options image;
    size_t max_tiles_total; /* that pictures share; 0: no bound */
    size_t max_bytes;       /* of a file */
    size_t n_context;       /* tokens */
};

/* Decode and cut all pictures of a request, in their order: images [chat->n_pictures], of which
 * *n_images are open afterwards, whether it succeeded or not.  Messages name the field of the
 * request and no path of this machine. */
bool pictures_in_open(const struct chat_in *chat, const struct media_folder *folder,
                      const struct picture_bounds *bounds, struct omma_image **images,
                      size_t *n_images, struct problem *problem);

#endif
