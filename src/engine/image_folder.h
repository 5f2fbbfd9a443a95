/*
 * image_folder.h - the files of an image cache (image_cache.h has the rules).
 *
 * IDENTITY-PICTURE-TILE.tokens: the first 16 digits of the identity, the picture's digest, and the
 * tile's number.  Its bytes, integers little-endian:
 *
 *     0  "omma tile 1" and 5 NUL
 *    16  the identity
 *    48  the picture's digest
 *    80  u64 number of the tile
 *    88  u64 number of floats
 *    96  SHA-256 over bytes 0 to 95 and the floats
 *   128  the floats
 *
 * Any number of processes may use a folder: a file is written under a name of its own and renamed.
 */
#ifndef OMMA_ENGINE_IMAGE_FOLDER_H
#define OMMA_ENGINE_IMAGE_FOLDER_H

#include "engine/image_cache.h"

struct omma_image_folder;

enum omma_status omma_image_folder_open(const struct omma_image_cache_options *options,
                                        struct omma_image_folder **folder,
                                        struct omma_error *error);
void omma_image_folder_close(struct omma_image_folder **folder);

bool omma_image_folder_read(struct omma_image_folder *folder, const struct omma_tile_key *key,
                            float *tokens);
void omma_image_folder_write(struct omma_image_folder *folder, const struct omma_tile_key *key,
                             const float *tokens);

#endif
