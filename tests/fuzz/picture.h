/*
 * picture.h - what must hold whatever a picture's bytes are.
 */
#ifndef OMMA_TESTS_FUZZ_PICTURE_H
#define OMMA_TESTS_FUZZ_PICTURE_H

#include <stdlib.h>

#include "format/image.h"

/* Decode twice: what is taken strictly is taken otherwise too, with the same pixels; a failure
 * leaves the picture alone and has a message. */
static inline void fuzz_picture(const uint8_t *bytes, size_t n_bytes)
{
    struct omma_picture_source source = {
        .name = "fuzz", .bytes = bytes, .n_bytes = n_bytes, .max_pixels = 1 << 18};
    struct omma_picture loose = {0}, strict = {0};
    struct omma_error error = {0};
    enum omma_status loose_status = omma_picture_decode(&source, &loose, &error), strict_status;

    if ((loose_status == OMMA_OK) != (loose.rgb != NULL) ||
        (loose_status == OMMA_OK) == (error.message[0] != '\0')) {
        abort();
    }
    source.strict = true;
    strict_status = omma_picture_decode(&source, &strict, &error);
    if ((strict_status == OMMA_OK) != (strict.rgb != NULL) ||
        (strict_status == OMMA_OK && loose_status != OMMA_OK)) {
        abort();
    }
    if (strict_status == OMMA_OK) {
        for (size_t i = 0; i < strict.width * strict.height * 3; i++) {
            if (strict.rgb[i] != loose.rgb[i]) {
                abort();
            }
        }
    }
    omma_picture_free(&strict);
    omma_picture_free(&loose);
}

#endif
