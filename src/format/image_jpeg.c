/*
 * JPEG, decoded by libjpeg(-turbo) as Pillow has it decoded.
 *
 * Pillow reads a JPEG twice: its own parser (JpegImagePlugin.py) goes from marker to marker up to
 * the first scan, takes size and number of components from the frame header and refuses what it
 * cannot follow; then libjpeg decodes the file from its beginning, being handed 64 KiB at a time
 * and suspending when these are used up.  Both are done here in the same steps, since on damaged
 * files every one of them shows: a file is "truncated" where libjpeg suspends and nothing is left,
 * for instance.
 *
 * libjpeg reports errors by longjmp: everything that must be released lives in struct jpeg_reader,
 * outside of the function that calls setjmp.
 */
#include "format/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/checked.h"
#include "base/log.h"

enum { READ_BLOCK = 65536 }; /* Pillow's ImageFile.MAXBLOCK */

/* What the markers before the first scan say. */
struct jpeg_header {
    size_t width, height;
    unsigned n_components; /* 0: no frame header yet */
    /* The smallest of the ICC profile's segments in the order of their bytes; NULL: none */
    const uint8_t *profile;
    size_t profile_bytes;
};

/* A marker's segment: what follows its length. */
struct segment {
    size_t at; /* of the marker's length field */
    const uint8_t *bytes;
    size_t n_bytes;
};

static enum omma_status fail_at(const struct omma_picture_source *source, const char *field,
                                size_t at, const char *what, struct omma_error *error)
{
    return omma_fail(error, OMMA_STATUS_IMAGE, "%s: %s @%zu: %s", source->name, field, at, what);
}

/* ------------------------------------------------------------------------------------------------
 * Pillow's parser
 * --------------------------------------------------------------------------------------------- */

/* Frame header: precision, height, width, number of components, three bytes for each. */
static enum omma_status read_frame(const struct omma_picture_source *source,
                                   const struct segment *segment, struct jpeg_header *header,
                                   struct omma_error *error)
{
    const uint8_t *b = segment->bytes;

    if (segment->n_bytes < 6 || (segment->n_bytes - 6) % 3 != 0) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: frame header @%zu: expected 6 bytes and 3 a component, found %zu",
                         source->name, segment->at, segment->n_bytes);
    }
    if (b[0] != 8) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: frame header @%zu: expected 8 bits a sample, found %d", source->name,
                         segment->at, b[0]);
    }
    if (b[5] != 1 && b[5] != 3 && b[5] != 4) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: frame header @%zu: expected 1, 3 or 4 components, found %d",
                         source->name, segment->at, b[5]);
    }
    if (header->profile != NULL && header->profile_bytes < 14) {
        return fail_at(source, "ICC profile", segment->at, "its segment lacks a number", error);
    }
    header->profile = NULL;
    header->height = (size_t)(b[1] << 8 | b[2]);
    header->width = (size_t)(b[3] << 8 | b[4]);
    header->n_components = b[5];
    return OMMA_OK;
}

static enum omma_status check_quantization(const struct omma_picture_source *source,
                                           const struct segment *segment, struct omma_error *error)
{
    size_t at = 0;

    while (at < segment->n_bytes) {
        size_t n_table = 1 + (segment->bytes[at] / 16 == 0 ? 64 : 128);

        if (segment->n_bytes - at < n_table) {
            return fail_at(source, "quantization table", segment->at, "it is cut short", error);
        }
        at += n_table;
    }
    return OMMA_OK;
}

/* Pillow reads Photoshop's resources for the resolution's sake and trips over one that ends where
 * the length of its name should stand. */
static bool resources_end_early(const struct segment *segment)
{
    size_t at = 14, n = segment->n_bytes;
    const uint8_t *b = segment->bytes;

    while (at + 6 <= n && memcmp(b + at, "8BIM", 4) == 0) {
        size_t n_resource;

        at += 6;
        if (at >= n) {
            return true;
        }
        at += 1u + b[at];
        at += at & 1;
        if (at + 4 > n) {
            return false;
        }
        n_resource =
            (size_t)b[at] << 24 | (size_t)b[at + 1] << 16 | (size_t)b[at + 2] << 8 | b[at + 3];
        at += 4 + n_resource;
        at += at & 1;
    }
    return false;
}

static bool starts_with(const struct segment *segment, const char *text, size_t n_bytes)
{
    return segment->n_bytes >= n_bytes && memcmp(segment->bytes, text, n_bytes) == 0;
}

/* Of the application segments Pillow minds these. */
static enum omma_status check_application(const struct omma_picture_source *source, int marker,
                                          const struct segment *segment, struct jpeg_header *header,
                                          struct omma_error *error)
{
    if ((marker == 0xE0 && starts_with(segment, "JFIF", 4) && segment->n_bytes < 7) ||
        (marker == 0xEE && starts_with(segment, "Adobe", 5) && segment->n_bytes < 7)) {
        return fail_at(source, "application segment", segment->at, "it is cut short", error);
    }
    if (marker == 0xED && starts_with(segment, "Photoshop 3.0", 14) &&
        resources_end_early(segment)) {
        return fail_at(source, "Photoshop segment", segment->at, "it is cut short", error);
    }
    if (marker == 0xE2 && starts_with(segment, "ICC_PROFILE", 12)) {
        size_t n = omma_min(segment->n_bytes, header->profile_bytes);
        int order = header->profile == NULL ? -1 : memcmp(segment->bytes, header->profile, n);

        if (order < 0 || (order == 0 && segment->n_bytes < header->profile_bytes)) {
            header->profile = segment->bytes;
            header->profile_bytes = segment->n_bytes;
        }
    }
    return OMMA_OK;
}

static bool marker_has_segment(int marker)
{
    return marker != 0xC8 && !(marker >= 0xD0 && marker <= 0xD9) &&
           !(marker >= 0xF0 && marker <= 0xFD);
}

static enum omma_status read_segment(const struct omma_picture_source *source, int marker,
                                     size_t *at, struct jpeg_header *header,
                                     struct omma_error *error)
{
    struct segment segment = {.at = *at};
    size_t left = source->n_bytes - *at, length;

    if (left < 2) {
        return fail_at(source, "marker", *at, "the file is truncated before its length", error);
    }
    length = (size_t)(source->bytes[*at] << 8 | source->bytes[*at + 1]);
    length = length < 2 ? 2 : length;
    if (length > left) {
        return omma_fail(
            error, OMMA_STATUS_IMAGE,
            "%s: segment of marker %02x @%zu: expected %zu bytes, found %zu: the file is "
            "truncated",
            source->name, marker, *at, length, left);
    }
    segment.bytes = source->bytes + *at + 2;
    segment.n_bytes = length - 2;
    *at += length;
    if (marker == 0xDB) {
        return check_quantization(source, &segment, error);
    }
    if (marker >= 0xE0 && marker <= 0xEF) {
        return check_application(source, marker, &segment, header, error);
    }
    if ((marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xCC) || marker == 0xDE) {
        return read_frame(source, &segment, header, error);
    }
    return OMMA_OK;
}

/* From marker to marker until the first scan has begun. */
static enum omma_status read_header(const struct omma_picture_source *source,
                                    struct jpeg_header *header, struct omma_error *error)
{
    size_t at = 3;
    bool after_ff = true; /* the third byte of the file is the first marker's FF */

    while (at < source->n_bytes) {
        int byte = source->bytes[at++];

        if (!after_ff || byte == 0xFF) {
            after_ff = byte == 0xFF;
            continue;
        }
        after_ff = false;
        if (byte == 0) {
            continue;
        }
        if (byte < 0xC0) {
            return omma_fail(error, OMMA_STATUS_IMAGE,
                             "%s: marker @%zu: expected c0 to fe, found %02x", source->name, at - 1,
                             byte);
        }
        if (marker_has_segment(byte)) {
            OMMA_TRY(read_segment(source, byte, &at, header, error));
        }
        if (byte == 0xDA) {
            return header->n_components != 0
                       ? OMMA_OK
                       : fail_at(source, "scan", at, "no frame header comes before it", error);
        }
    }
    return fail_at(source, "JPEG", source->n_bytes, "the file is truncated: it ends before a scan",
                   error);
}

/* ------------------------------------------------------------------------------------------------
 * Libjpeg
 * --------------------------------------------------------------------------------------------- */

struct jpeg_reader {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr input;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const struct omma_picture_source *source;
    size_t n_fed;  /* bytes that libjpeg has been handed */
    size_t n_skip; /* bytes of those to come that it wants to skip */
    struct omma_picture *picture;
    uint8_t *cmyk; /* [width][4] */
    bool is_truncated;
    bool lacks_memory;
    char warning[JMSG_LENGTH_MAX]; /* the first one; empty: none */
    char failure[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr cinfo)
{
    struct jpeg_reader *reader = cinfo->client_data;

    cinfo->err->format_message(cinfo, reader->failure);
    reader->lacks_memory = cinfo->err->msg_code == JERR_OUT_OF_MEMORY;
    longjmp(reader->escape, 1);
}

static void on_message(j_common_ptr cinfo, int level)
{
    struct jpeg_reader *reader = cinfo->client_data;

    if (level < 0) {
        cinfo->err->num_warnings++;
        if (reader->warning[0] == '\0') {
            cinfo->err->format_message(cinfo, reader->warning);
        }
    }
}

static void on_progress(j_common_ptr cinfo)
{
    struct jpeg_reader *reader = cinfo->client_data;

    if (reader->cinfo.input_scan_number > OMMA_JPEG_MAX_SCANS) {
        snprintf(reader->failure, sizeof reader->failure, "expected at most %d scans, found more",
                 OMMA_JPEG_MAX_SCANS);
        longjmp(reader->escape, 1);
    }
}

static void do_nothing(j_decompress_ptr cinfo)
{
    (void)cinfo;
}

static boolean suspend(j_decompress_ptr cinfo)
{
    (void)cinfo;
    return FALSE;
}

static void skip_input(j_decompress_ptr cinfo, long n_bytes)
{
    struct jpeg_reader *reader = cinfo->client_data;
    size_t n_wanted = n_bytes > 0 ? (size_t)n_bytes : 0;
    size_t n_here = omma_min(n_wanted, reader->input.bytes_in_buffer);

    reader->input.next_input_byte += n_here;
    reader->input.bytes_in_buffer -= n_here;
    reader->n_skip = n_wanted - n_here;
}

/* Hand libjpeg the next block; false at the end of the file. */
static bool feed(struct jpeg_reader *reader)
{
    do {
        size_t n = omma_min(READ_BLOCK, reader->source->n_bytes - reader->n_fed);

        if (n == 0) {
            reader->is_truncated = true;
            return false;
        }
        reader->n_fed += n;
        reader->input.bytes_in_buffer += n;
        skip_input(&reader->cinfo, (long)reader->n_skip);
    } while (reader->n_skip > 0);
    return true;
}

static void start_reader(struct jpeg_reader *reader, const struct omma_picture_source *source,
                         struct omma_picture *picture)
{
    reader->source = source;
    reader->picture = picture;
    reader->cinfo.err = jpeg_std_error(&reader->errors);
    reader->errors.error_exit = on_error;
    reader->errors.emit_message = on_message;
    reader->cinfo.client_data = reader;
    reader->input.init_source = do_nothing;
    reader->input.fill_input_buffer = suspend;
    reader->input.skip_input_data = skip_input;
    reader->input.resync_to_restart = jpeg_resync_to_restart;
    reader->input.term_source = do_nothing;
    reader->input.next_input_byte = source->bytes;
    reader->progress.progress_monitor = on_progress;
}

/* Adobe's CMYK is stored inverted, and Pillow takes every CMYK JPEG to be Adobe's.  Its conversion
 * to RGB: what the black leaves, less the ink's share of it, divided by 255 as (x + 128) * 257
 * >> 16. */
static void rgb_of_cmyk(const uint8_t *cmyk, size_t width, uint8_t *rgb)
{
    for (size_t x = 0; x < width; x++) {
        int rest = cmyk[4 * x + 3];

        for (size_t c = 0; c < 3; c++) {
            int product = (255 - cmyk[4 * x + c]) * rest + 128;

            rgb[3 * x + c] =
                (uint8_t)(rest - ((product + (product >> 8)) >> 8)); /* never below 0 */
        }
    }
}

/* The header again, by libjpeg now.  False if the file ends first. */
static bool begin_decoding(struct jpeg_reader *reader, const struct jpeg_header *header)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    int found;

    do {
        found = jpeg_read_header(cinfo, FALSE);
    } while (found == JPEG_HEADER_TABLES_ONLY || (found == JPEG_SUSPENDED && feed(reader)));
    if (found == JPEG_SUSPENDED) {
        return false;
    }
    cinfo->out_color_space = header->n_components == 4 ? JCS_CMYK : JCS_RGB;
    while (!jpeg_start_decompress(cinfo)) {
        if (!feed(reader)) {
            return false;
        }
    }
    return true;
}

static bool read_rows(struct jpeg_reader *reader)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    struct omma_picture *picture = reader->picture;

    while (cinfo->output_scanline < cinfo->output_height) {
        uint8_t *rgb = picture->rgb + cinfo->output_scanline * picture->width * 3;
        JSAMPROW row = reader->cmyk != NULL ? reader->cmyk : rgb;

        if (jpeg_read_scanlines(cinfo, &row, 1) == 1) {
            if (reader->cmyk != NULL) {
                rgb_of_cmyk(reader->cmyk, picture->width, rgb);
            }
        } else if (!feed(reader)) {
            return false;
        }
    }
    return true;
}

/* All of libjpeg's work, under the protection of setjmp: true if the picture is whole.  No variable
 * of this function changes after setjmp. */
static bool run_reader(struct jpeg_reader *reader, const struct jpeg_header *header)
{
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;

    if (setjmp(reader->escape) != 0) {
        return false;
    }
    jpeg_create_decompress(cinfo);
    cinfo->src = &reader->input;
    cinfo->progress = &reader->progress;
    if (!feed(reader) || !begin_decoding(reader, header)) {
        return false;
    }
    if (cinfo->output_width != header->width || cinfo->output_height != header->height) {
        snprintf(reader->failure, sizeof reader->failure, "two frame headers of different sizes");
        return false;
    }
    if (!read_rows(reader)) {
        return false;
    }
    if (!jpeg_finish_decompress(cinfo) && reader->warning[0] == '\0') {
        snprintf(reader->warning, sizeof reader->warning, "the end of the picture is not marked");
    }
    return true;
}

/* Why the picture is not whole. */
static enum omma_status fail_reader(const struct jpeg_reader *reader,
                                    const struct jpeg_header *header, struct omma_error *error)
{
    const struct omma_picture_source *source = reader->source;

    if (reader->lacks_memory) {
        return omma_fail(error, OMMA_STATUS_RESOURCES, "%s: out of memory decoding %zux%zu pixels",
                         source->name, header->width, header->height);
    }
    if (reader->is_truncated) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: JPEG data @%zu: the file is truncated: row %u of %zu is not complete",
                         source->name, source->n_bytes, reader->cinfo.output_scanline,
                         header->height);
    }
    return omma_fail(error, OMMA_STATUS_IMAGE, "%s: JPEG data @%zu: %s", source->name,
                     reader->n_fed - reader->input.bytes_in_buffer, reader->failure);
}

static enum omma_status decode(struct jpeg_reader *reader, const struct jpeg_header *header,
                               struct omma_error *error)
{
    char damage[JMSG_LENGTH_MAX + 48];
    long n_warnings;

    if (!run_reader(reader, header)) {
        return fail_reader(reader, header, error);
    }
    if (reader->warning[0] == '\0') {
        return OMMA_OK;
    }
    n_warnings = reader->errors.num_warnings;
    if (n_warnings > 1) {
        snprintf(damage, sizeof damage, "%s, and %ld more faults", reader->warning, n_warnings - 1);
    } else {
        snprintf(damage, sizeof damage, "%s", reader->warning);
    }
    return omma_picture_damaged(reader->source, damage, error);
}

enum omma_status omma_picture_decode_jpeg(const struct omma_picture_source *source,
                                          struct omma_picture *picture, struct omma_error *error)
{
    struct jpeg_header header = {0};
    struct omma_picture decoded = {0};
    struct jpeg_reader *reader = NULL;
    enum omma_status status;

    OMMA_TRY(read_header(source, &header, error));
    OMMA_TRY(omma_picture_create(source, header.width, header.height, &decoded, error));
    reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        status = omma_fail_memory(error, sizeof *reader, source->name);
        goto done;
    }
    start_reader(reader, source, &decoded);
    if (header.n_components == 4) {
        reader->cmyk = malloc(header.width * 4);
        if (reader->cmyk == NULL) {
            status = omma_fail_memory(error, header.width * 4, source->name);
            goto done;
        }
    }
    status = decode(reader, &header, error);
done:
    if (reader != NULL) {
        jpeg_destroy_decompress(&reader->cinfo);
        free(reader->cmyk);
        free(reader);
    }
    if (status != OMMA_OK) {
        omma_picture_free(&decoded);
        return status;
    }
    *picture = decoded;
    return OMMA_OK;
}
