/*
 * image.h - picture files decoded to 8-bit RGB, with the pixels that Pillow's
 * Image.open(f).convert("RGB") gives.
 *
 * JPEG and PNG, told apart by their first bytes.  What Pillow (13.0) accepts is accepted, damaged
 * or not, and what it refuses is refused; beyond that, progressive JPEGs of more than 100 scans are
 * refused. No EXIF rotation, no colour profile, no gamma; transparency is dropped, not composited.
 */
#ifndef OMMA_FORMAT_IMAGE_H
#define OMMA_FORMAT_IMAGE_H

#include <stdint.h>

#include "base/status.h"

/* Pillow refuses pictures of more pixels (twice its MAX_IMAGE_PIXELS) and warns from half of it on;
 * here they are counted from the header, before memory is taken. */
#define OMMA_PICTURE_MAX_PIXELS  178956970u
#define OMMA_PICTURE_MANY_PIXELS 89478485u

/* Files of more bytes are not read. */
#define OMMA_PICTURE_MAX_FILE_BYTES ((size_t)512 << 20)

enum { OMMA_JPEG_MAX_SCANS = 100 };

/* The bytes of a picture file and how to treat them. */
struct omma_picture_source {
    const char *name; /* for messages: the path */
    const uint8_t *bytes;
    size_t n_bytes;
    size_t max_pixels; /* 0, and at most: OMMA_PICTURE_MAX_PIXELS */
    bool strict;       /* damage that Pillow lives with is an error, not a warning */
    struct omma_log log;
};

/* Release with omma_picture_free(); all zeroes is an empty one. */
struct omma_picture {
    size_t width, height;
    uint8_t *rgb; /* [height][width][3] */
};

/* Decode.  OMMA_STATUS_IMAGE for anything that is wrong with the bytes, OMMA_STATUS_RESOURCES if
 * memory is short; *picture is then left alone. */
enum omma_status omma_picture_decode(const struct omma_picture_source *source,
                                     struct omma_picture *picture, struct omma_error *error);

void omma_picture_free(struct omma_picture *picture);

/* The whole file, to be freed.  A pipe is read to its end.  OMMA_STATUS_IMAGE if it cannot be read.
 */
enum omma_status omma_picture_read_file(const char *path, uint8_t **bytes, size_t *n_bytes,
                                        struct omma_error *error);

/* ------------------------------------------------------------------------------------------------
 * For the decoders
 * --------------------------------------------------------------------------------------------- */

/* Each expects its format's first bytes. */
enum omma_status omma_picture_decode_jpeg(const struct omma_picture_source *source,
                                          struct omma_picture *picture, struct omma_error *error);
enum omma_status omma_picture_decode_png(const struct omma_picture_source *source,
                                         struct omma_picture *picture, struct omma_error *error);

/* Check the size that a header states and take memory for the pixels, all zero. */
enum omma_status omma_picture_create(const struct omma_picture_source *source, size_t width,
                                     size_t height, struct omma_picture *picture,
                                     struct omma_error *error);

/* Something is wrong with the picture that Pillow lives with: an error if the source is strict,
 * else a warning. */
enum omma_status omma_picture_damaged(const struct omma_picture_source *source, const char *what,
                                      struct omma_error *error);

#endif
