/*
 * picture_in.h - the picture that a URL of a request stands for: data: with base64, or file: in the
 * folder that the server was given.  There is no client of HTTP here, nor will there be.
 */
#ifndef OMMA_TOOLS_SERVE_PICTURE_IN_H
#define OMMA_TOOLS_SERVE_PICTURE_IN_H

#include "tools/serve/chat_in.h"

struct media_folder {
    char *path;     /* without links, without a slash at the end; NULL: file: is refused */
    int descriptor; /* -1 */
};

/* path may be NULL. */
enum omma_status media_folder_open(const char *path, struct media_folder *folder,
                                   struct omma_error *error);
void media_folder_close(struct media_folder *folder);

/* Decode and cut.  At most max_bytes are read of a file.  Messages name the field of the request
 * and no path of this machine. */
bool picture_in_open(const struct chat_picture *picture, const struct media_folder *folder,
                     size_t max_bytes, const struct omma_image_options *options,
                     struct omma_image **image, struct problem *problem);

#endif
