/*
 * PNG, decoded by libpng into the pixels that Pillow gives.
 *
 * png_chunks.c walks the file as Pillow does and refuses what Pillow refuses.  libpng is then shown
 * a smaller file, put together as it reads: a header that names plain samples, and the data chunks.
 * So it undoes the compression, filters and interlacing, and sees neither palette nor profile nor
 * text.
 *
 * Samples become RGB by Pillow's rules: alpha and transparency are dropped; of 16 bits the upper 8
 * stay, but for gray alone, which is clamped to 255; gray of 1, 2, 4 bits is multiplied by 255, 85,
 * 17; an index beyond the palette is black.
 *
 * Where libpng gives up, Pillow may not: it takes a picture whose data end between two rows, or
 * break off behind the last one.  pillow_takes() then follows Pillow's decoder (ZipDecode.c)
 * through the data once more.  libpng is told to read 64 KiB at a time as Pillow does, since a
 * checksum at the end of the data counts only if it comes within the same read as the last row.
 */
#include "format/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include "base/checked.h"
#include "format/png_chunks.h"

enum { READ_BLOCK = 65536 }; /* Pillow's ImageFile.MAXBLOCK */

struct png_reader {
    png_structp png;
    png_infop info;
    const struct omma_png_chunks *chunks;
    struct omma_picture *picture;
    size_t n_pixel_bytes; /* of a pixel as libpng gives it: 1, 2 or 3 */
    size_t n_rows;        /* that libpng has given, those of all passes together */

    /* What libpng reads: n_part bytes from `part` on, then what `next` says. */
    enum { NEXT_CHUNK, NEXT_BYTES, NEXT_CRC } next;
    struct omma_png_cursor cursor;
    struct omma_png_data data;
    const uint8_t *part;
    size_t n_part;
    uint8_t head[33]; /* signature and header, later lengths and names of chunks */

    bool lacks_memory;
    char warning[128]; /* the first one; empty: none */
    char failure[128];
};

/* ------------------------------------------------------------------------------------------------
 * The file that libpng sees
 * --------------------------------------------------------------------------------------------- */

static void write_u32(uint8_t *bytes, size_t value)
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

static void write_head(struct png_reader *reader)
{
    const struct omma_png_chunks *chunks = reader->chunks;
    uint8_t *head = reader->head;
    int colour_type = chunks->kind == OMMA_PNG_PALETTE ? PNG_COLOR_TYPE_GRAY : chunks->colour_type;

    memcpy(head, "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR", 16);
    write_u32(head + 16, chunks->frame.width);
    write_u32(head + 20, chunks->frame.height);
    head[24] = (uint8_t)chunks->bit_depth;
    head[25] = (uint8_t)colour_type;
    head[26] = 0;
    head[27] = 0;
    head[28] = chunks->is_interlaced;
    write_u32(head + 29, crc32(crc32(0, NULL, 0), head + 12, 17));
    reader->part = head;
    reader->n_part = 33;
    reader->next = NEXT_CHUNK;
}

/* Set up what follows a part that is used up: a data chunk's head, its bytes, its checksum; when
 * there are no more, the end chunk. */
static void next_part(struct png_reader *reader)
{
    static const uint8_t end[12] = "\0\0\0\0IEND\xAE\x42\x60\x82", no_crc[4];

    if (reader->next == NEXT_BYTES) {
        reader->part = reader->data.bytes;
        reader->n_part = reader->data.n_bytes;
        reader->next = NEXT_CRC;
    } else if (reader->next == NEXT_CRC) {
        reader->part = reader->data.crc != NULL ? reader->data.crc : no_crc;
        reader->n_part = sizeof no_crc;
        reader->next = NEXT_CHUNK;
    } else if (omma_png_chunks_next(reader->chunks, &reader->cursor, &reader->data)) {
        write_u32(reader->head, reader->data.n_bytes);
        memcpy(reader->head + 4, "IDAT", 4);
        reader->part = reader->head;
        reader->n_part = 8;
        reader->next = NEXT_BYTES;
    } else {
        reader->part = end;
        reader->n_part = sizeof end;
    }
}

/* ------------------------------------------------------------------------------------------------
 * Libpng
 * --------------------------------------------------------------------------------------------- */

static void on_read(png_structp png, png_bytep bytes, size_t n_bytes)
{
    struct png_reader *reader = png_get_io_ptr(png);

    while (n_bytes > 0) {
        size_t n = omma_min(n_bytes, reader->n_part);

        memcpy(bytes, reader->part, n);
        bytes += n;
        n_bytes -= n;
        reader->part += n;
        reader->n_part -= n;
        if (reader->n_part == 0) {
            next_part(reader);
        }
    }
}

static void on_error(png_structp png, png_const_charp message)
{
    struct png_reader *reader = png_get_error_ptr(png);

    snprintf(reader->failure, sizeof reader->failure, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    struct png_reader *reader = png_get_error_ptr(png);

    if (reader->warning[0] == '\0') {
        snprintf(reader->warning, sizeof reader->warning, "%s", message);
    }
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t n_bytes)
{
    struct png_reader *reader = png_get_mem_ptr(png);
    void *memory = malloc(n_bytes);

    reader->lacks_memory |= memory == NULL;
    return memory;
}

static void on_free(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

/* A "transformation" that changes nothing: called for every row that has been read. */
static void on_row(png_structp png, png_row_infop info, png_bytep row)
{
    struct png_reader *reader = png_get_user_transform_ptr(png);

    (void)info;
    (void)row;
    reader->n_rows++;
}

/* Read the header and say what rows shall look like; gives the number of passes. */
static int set_up(struct png_reader *reader)
{
    png_structp png = reader->png;
    int n_passes;

    png_set_read_fn(png, reader, on_read);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_crc_action(png, PNG_CRC_WARN_USE, PNG_CRC_WARN_DISCARD);
    png_set_compression_buffer_size(png, READ_BLOCK);
    png_set_option(png, PNG_MAXIMUM_INFLATE_WINDOW, PNG_OPTION_ON); /* zlib's default, Pillow's */
    png_read_info(png, reader->info);
    png_set_packing(png);
    if (reader->n_pixel_bytes != 2) {
        png_set_strip_16(png);
    }
    png_set_strip_alpha(png);
    png_set_read_user_transform_fn(png, on_row);
    png_set_user_transform_info(png, reader, 0, 0);
    n_passes = png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
    return n_passes;
}

/* All of libpng's work, under the protection of setjmp: true if it is content.  No variable of this
 * function that is used after a longjmp changes after setjmp. */
static bool run_reader(struct png_reader *reader)
{
    const struct omma_png_chunks *chunks = reader->chunks;
    size_t stride = reader->picture->width * 3;
    size_t x = chunks->is_interlaced ? 0 : chunks->frame.x; /* as Pillow has it */
    size_t y = chunks->is_interlaced ? 0 : chunks->frame.y;
    uint8_t *start = reader->picture->rgb + y * stride + x * reader->n_pixel_bytes;

    if (setjmp(png_jmpbuf(reader->png)) != 0) {
        return false;
    }
    for (int n_passes = set_up(reader); n_passes > 0; n_passes--) {
        for (size_t row = 0; row < chunks->frame.height; row++) {
            png_read_row(reader->png, start + row * stride, NULL);
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------
 * Pillow's decoder
 * --------------------------------------------------------------------------------------------- */

static size_t bits_of_pixel(const struct omma_png_chunks *chunks)
{
    static const size_t n_samples[] = {[OMMA_PNG_GRAY] = 1,
                                       [OMMA_PNG_GRAY_ALPHA] = 2,
                                       [OMMA_PNG_PALETTE] = 1,
                                       [OMMA_PNG_RGB] = 3,
                                       [OMMA_PNG_RGB_ALPHA] = 4};

    return n_samples[chunks->kind] * (size_t)chunks->bit_depth;
}

/* The rows in the order of the data, pass by pass. */
struct row_walk {
    const struct omma_png_chunks *chunks;
    size_t pass; /* 0 to 6; 7: no passes */
    size_t y;
    size_t n_bytes; /* of the row, the filter's byte included; 0: there is no row left */
};

static const struct {
    uint8_t x, y, x_step, y_step;
} passes[8] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
               {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}, {0, 0, 1, 1}};

static void measure_row(struct row_walk *walk)
{
    size_t width = walk->chunks->frame.width, start = passes[walk->pass].x;
    size_t step = passes[walk->pass].x_step;
    size_t n_pixels = width > start ? (width - start + step - 1) / step : 0;

    walk->n_bytes = n_pixels > 0 ? 1 + (n_pixels * bits_of_pixel(walk->chunks) + 7) / 8 : 0;
}

static void next_row(struct row_walk *walk)
{
    walk->y += passes[walk->pass].y_step;
    while (walk->y >= walk->chunks->frame.height || walk->n_bytes == 0) {
        if (walk->pass >= 6) {
            walk->n_bytes = 0;
            return;
        }
        walk->pass++;
        walk->y = passes[walk->pass].y;
        measure_row(walk);
    }
}

/* Decompress a block into `row`, n_filled bytes of which are there, and walk on as rows become
 * full. What Pillow does then: */
enum verdict { WANTS_MORE, TAKES, REFUSES };

static enum verdict follow_block(z_stream *stream, struct row_walk *walk, uint8_t *row,
                                 size_t *n_filled, size_t *n_rows)
{
    while (stream->avail_in > 0) {
        int status;

        stream->next_out = row + *n_filled;
        stream->avail_out = (uInt)(walk->n_bytes - *n_filled);
        status = inflate(stream, Z_NO_FLUSH);
        if (status < 0) {
            return REFUSES;
        }
        if (stream->avail_out > 0) {
            *n_filled = walk->n_bytes - stream->avail_out;
            return WANTS_MORE;
        }
        if (row[0] >= PNG_FILTER_VALUE_LAST) {
            return REFUSES;
        }
        ++*n_rows;
        *n_filled = 0;
        next_row(walk);
        if (walk->n_bytes == 0 || status == Z_STREAM_END) {
            return TAKES;
        }
    }
    return WANTS_MORE;
}

/* Whether Pillow takes the picture, and how many rows it finds; the cursor goes behind the chunk
 * where it stops reading. */
static bool pillow_takes(const struct omma_png_chunks *chunks, struct omma_png_cursor *cursor,
                         size_t *n_rows)
{
    struct row_walk walk = {.chunks = chunks, .pass = chunks->is_interlaced ? 0 : 7};
    uint8_t *row = malloc(chunks->frame.width * 8 + 1);
    enum verdict verdict = WANTS_MORE;
    struct omma_png_data data;
    z_stream stream = {0};
    size_t n_filled = 0;

    if (row == NULL || inflateInit(&stream) != Z_OK) {
        free(row);
        return false;
    }
    *n_rows = 0;
    measure_row(&walk);
    while (verdict == WANTS_MORE && omma_png_chunks_next(chunks, cursor, &data)) {
        while (verdict == WANTS_MORE && data.n_bytes > 0) {
            size_t n = omma_min(READ_BLOCK, data.n_bytes);

            stream.next_in = (z_const Bytef *)data.bytes;
            stream.avail_in = (uInt)n;
            verdict = follow_block(&stream, &walk, row, &n_filled, n_rows);
            data.bytes += n;
            data.n_bytes -= n;
        }
    }
    inflateEnd(&stream);
    free(row);
    return verdict == TAKES;
}

/* ------------------------------------------------------------------------------------------------
 * Samples to RGB
 * --------------------------------------------------------------------------------------------- */

/* The row's samples lie at its beginning, one byte each, and spread to RGB from the last one on. */
static void spread_bytes(uint8_t *row, size_t width, const uint8_t (*colours)[3])
{
    for (size_t x = width; x-- > 0;) {
        memcpy(row + 3 * x, colours[row[x]], 3);
    }
}

/* The same of two bytes each, the upper first, clamped to 255. */
static void spread_words(uint8_t *row, size_t width)
{
    for (size_t x = width; x-- > 0;) {
        uint8_t sample = row[2 * x] != 0 ? 255 : row[2 * x + 1];

        memset(row + 3 * x, sample, 3);
    }
}

static void spread_picture(const struct png_reader *reader)
{
    const struct omma_png_chunks *chunks = reader->chunks;
    uint8_t colours[256][3];
    unsigned factor = 1;

    if (chunks->kind == OMMA_PNG_GRAY && chunks->bit_depth < 8) {
        factor = 255u / ((1u << chunks->bit_depth) - 1);
    }
    for (unsigned i = 0; i < 256; i++) {
        memset(colours[i], chunks->kind == OMMA_PNG_PALETTE ? 0 : (int)(i * factor & 255), 3);
    }
    if (chunks->palette != NULL) {
        memcpy(colours, chunks->palette, omma_min(chunks->palette_bytes / 3 * 3, sizeof colours));
    }
    for (size_t y = 0; reader->n_pixel_bytes < 3 && y < reader->picture->height; y++) {
        uint8_t *row = reader->picture->rgb + y * reader->picture->width * 3;

        if (reader->n_pixel_bytes == 1) {
            spread_bytes(row, reader->picture->width, (const uint8_t(*)[3])colours);
        } else {
            spread_words(row, reader->picture->width);
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * All together
 * --------------------------------------------------------------------------------------------- */

static size_t bytes_of_pixel(const struct omma_png_chunks *chunks)
{
    if (chunks->kind == OMMA_PNG_RGB || chunks->kind == OMMA_PNG_RGB_ALPHA) {
        return 3;
    }
    return chunks->kind == OMMA_PNG_GRAY && chunks->bit_depth == 16 ? 2 : 1;
}

/* What libpng made of the data, against what Pillow makes of them; then the rest of the file. */
static enum omma_status judge(const struct png_reader *reader, bool is_content,
                              const struct omma_png_chunks *chunks, struct omma_error *error)
{
    const struct omma_picture_source *source = chunks->source;
    const char *damage = is_content ? reader->warning : reader->failure;
    struct omma_png_cursor cursor = {chunks->at, chunks->sequence};
    struct omma_png_data data = {0};
    size_t n_rows;

    while (omma_png_chunks_next(chunks, &cursor, &data)) {
    }
    if (!is_content || data.is_cut) {
        bool is_cut = data.is_cut;

        cursor = (struct omma_png_cursor){chunks->at, chunks->sequence};
        if (!pillow_takes(chunks, &cursor, &n_rows) || n_rows != reader->n_rows) {
            return omma_fail(error, OMMA_STATUS_IMAGE, "%s: PNG data: %s after %zu rows%s",
                             source->name, damage[0] != '\0' ? damage : "they end", reader->n_rows,
                             is_cut ? ": the file is truncated" : "");
        }
    }
    OMMA_TRY(omma_png_chunks_close(chunks, &cursor, error));
    return damage[0] != '\0' ? omma_picture_damaged(source, damage, error) : OMMA_OK;
}

static enum omma_status decode(struct png_reader *reader, const struct omma_png_chunks *chunks,
                               struct omma_error *error)
{
    enum omma_status status;
    bool is_content;

    reader->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning,
                                           reader, on_malloc, on_free);
    reader->info = reader->png != NULL ? png_create_info_struct(reader->png) : NULL;
    is_content = reader->info != NULL && run_reader(reader);
    if (reader->info == NULL || reader->lacks_memory) {
        status =
            omma_fail(error, OMMA_STATUS_RESOURCES, "%s: out of memory decoding %zux%zu pixels",
                      chunks->source->name, chunks->width, chunks->height);
    } else {
        status = judge(reader, is_content, chunks, error);
    }
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    if (status == OMMA_OK) {
        spread_picture(reader);
    }
    return status;
}

enum omma_status omma_picture_decode_png(const struct omma_picture_source *source,
                                         struct omma_picture *picture, struct omma_error *error)
{
    struct omma_png_chunks chunks;
    struct omma_picture decoded = {0};
    struct png_reader *reader;
    enum omma_status status;

    OMMA_TRY(omma_png_chunks_open(source, &chunks, error));
    if (chunks.palette_bytes / 3 > 256) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: palette: expected at most 256 colours, found %zu", source->name,
                         chunks.palette_bytes / 3);
    }
    OMMA_TRY(omma_picture_create(source, chunks.width, chunks.height, &decoded, error));
    reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        status = omma_fail_memory(error, sizeof *reader, source->name);
        goto done;
    }
    reader->chunks = &chunks;
    reader->picture = &decoded;
    reader->n_pixel_bytes = bytes_of_pixel(&chunks);
    reader->cursor = (struct omma_png_cursor){chunks.at, chunks.sequence};
    write_head(reader);
    status = decode(reader, &chunks, error);
done:
    free(reader);
    if (status != OMMA_OK) {
        omma_picture_free(&decoded);
        return status;
    }
    *picture = decoded;
    return OMMA_OK;
}
