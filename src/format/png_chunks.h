/*
 * png_chunks.h - the chunks of a PNG file as Pillow walks them, and where the pixels' data lies.
 *
 * Pillow (PngImagePlugin.py) reads chunks itself and is at times stricter and at times more lenient
 * than libpng: what it minds is minded here, and libpng then gets to see the compressed data alone.
 */
#ifndef OMMA_FORMAT_PNG_CHUNKS_H
#define OMMA_FORMAT_PNG_CHUNKS_H

#include "format/image.h"

/* Limits of Pillow on compressed profiles and texts. */
enum {
    OMMA_PNG_MAX_TEXT_BYTES = 1 << 20,      /* decompressed, one chunk */
    OMMA_PNG_MAX_ALL_TEXT_BYTES = 64 << 20, /* all texts together */
};

/* How samples become RGB. */
enum omma_png_kind {
    OMMA_PNG_NONE, /* no header, or an unknown combination of depth and colour type */
    OMMA_PNG_GRAY,
    OMMA_PNG_GRAY_ALPHA,
    OMMA_PNG_PALETTE,
    OMMA_PNG_RGB,
    OMMA_PNG_RGB_ALPHA,
};

/* A part of the picture: the first frame of an animation may be smaller than the whole. */
struct omma_png_frame {
    size_t x, y, width, height;
};

struct omma_png_chunks {
    const struct omma_picture_source *source;
    size_t at; /* of the chunk to come */

    size_t width, height;
    enum omma_png_kind kind;
    int bit_depth;
    int colour_type; /* PNG's number for `kind` */
    bool is_interlaced;
    const uint8_t *palette; /* [palette_bytes], three a colour; NULL: none */
    size_t palette_bytes;

    /* animation */
    bool has_frame;              /* `frame` came before the data */
    struct omma_png_frame frame; /* the whole picture unless has_frame */
    uint64_t n_frames;           /* 0: no acTL chunk, or an invalid one */
    uint32_t sequence;           /* of the last fcTL or fdAT chunk; UINT32_MAX: none yet */
    bool is_animated;

    size_t text_bytes; /* characters of all texts so far */
};

/* Walk up to the first data chunk; chunks->at is then its length field. */
enum omma_status omma_png_chunks_open(const struct omma_picture_source *source,
                                      struct omma_png_chunks *chunks, struct omma_error *error);

/* A place in the run of data chunks, IDAT and the like: begins as {chunks.at, chunks.sequence}. */
struct omma_png_cursor {
    size_t at; /* of a chunk's length field */
    uint32_t sequence;
};

struct omma_png_data {
    const uint8_t *bytes;
    size_t n_bytes;
    const uint8_t *crc; /* four bytes; NULL: the file ends before them */
    bool is_cut;        /* the file ends within the bytes */
};

/* Take the data chunk at the cursor and move on.  False where the run has ended or the file is cut.
 */
bool omma_png_chunks_next(const struct omma_png_chunks *chunks, struct omma_png_cursor *cursor,
                          struct omma_png_data *data);

/* Walk the chunks from the cursor to the end: the pixels are decoded, and Pillow minds some of the
 * rest all the same. */
enum omma_status omma_png_chunks_close(const struct omma_png_chunks *chunks,
                                       const struct omma_png_cursor *cursor,
                                       struct omma_error *error);

#endif
