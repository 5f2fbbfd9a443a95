/*
 * Pillow's walk over the chunks of a PNG file.
 *
 * Before the pixels every chunk must be whole and have the right checksum, known or not; after them
 * checksums are not looked at, and the file may end anywhere between two chunks.  Lengths that
 * Pillow checks, texts and profiles that it decompresses (into 1 MiB at most) and the order of an
 * animation's chunks are checked in both places.
 */
#include "format/png_chunks.h"

#include <ctype.h>
#include <string.h>

#include <zlib.h>

#include "base/checked.h"

/* A chunk's data, all of it in the file. */
struct chunk {
    const char *name; /* four characters, not ended by a NUL */
    size_t at;        /* of the length field */
    const uint8_t *bytes;
    size_t n_bytes;
};

static uint32_t read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool is_named(const uint8_t *name, const char *wanted)
{
    return memcmp(name, wanted, 4) == 0;
}

static enum omma_status fail_chunk(const struct omma_png_chunks *chunks, const struct chunk *chunk,
                                   const char *what, struct omma_error *error)
{
    return omma_fail(error, OMMA_STATUS_IMAGE, "%s: chunk %.4s @%zu: %s", chunks->source->name,
                     chunk->name, chunk->at, what);
}

/* ------------------------------------------------------------------------------------------------
 * Compressed profiles and texts
 * --------------------------------------------------------------------------------------------- */

enum inflated { INFLATED, INFLATED_BROKEN, INFLATED_TOO_LARGE };

/* Characters of text in Latin-1 (bytes) or UTF-8 (bytes that begin one). */
static size_t count_characters(const uint8_t *bytes, size_t n_bytes, bool is_utf8)
{
    size_t n = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        n += !is_utf8 || (bytes[i] & 0xC0) != 0x80;
    }
    return n;
}

/* Decompress for the count of characters alone.  What is broken counts none; input left over when
 * OMMA_PNG_MAX_TEXT_BYTES are out is too large. */
static enum inflated inflate_text(const uint8_t *bytes, size_t n_bytes, bool is_utf8,
                                  size_t *n_characters)
{
    uint8_t block[4096];
    z_stream stream = {0};
    size_t n_out = 0, n = 0;
    int status;

    *n_characters = 0;
    if (inflateInit(&stream) != Z_OK) {
        return INFLATED_BROKEN;
    }
    stream.next_in = (z_const Bytef *)bytes;
    stream.avail_in = (uInt)n_bytes;
    do {
        size_t n_got;

        stream.next_out = block;
        stream.avail_out = (uInt)omma_min(sizeof block, OMMA_PNG_MAX_TEXT_BYTES - n_out);
        n_got = stream.avail_out;
        status = inflate(&stream, Z_SYNC_FLUSH);
        n_got -= stream.avail_out;
        n_out += n_got;
        n += count_characters(block, n_got, is_utf8);
    } while (status == Z_OK && stream.avail_out == 0 && n_out < OMMA_PNG_MAX_TEXT_BYTES);
    inflateEnd(&stream);
    if (status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) {
        return INFLATED_BROKEN;
    }
    if (status != Z_STREAM_END && stream.avail_in > 0) {
        return INFLATED_TOO_LARGE;
    }
    *n_characters = n;
    return INFLATED;
}

static enum omma_status add_text(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                 size_t n_characters, struct omma_error *error)
{
    chunks->text_bytes += n_characters;
    if (chunks->text_bytes > OMMA_PNG_MAX_ALL_TEXT_BYTES) {
        return fail_chunk(chunks, chunk, "expected at most 64 MiB of texts, found more", error);
    }
    return OMMA_OK;
}

/* Count compressed text. */
static enum omma_status add_compressed(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                       const uint8_t *bytes, size_t n_bytes, bool is_utf8,
                                       struct omma_error *error)
{
    size_t n_characters;

    if (inflate_text(bytes, n_bytes, is_utf8, &n_characters) == INFLATED_TOO_LARGE) {
        return fail_chunk(chunks, chunk, "expected at most 1 MiB of decompressed data, found more",
                          error);
    }
    return add_text(chunks, chunk, n_characters, error);
}

/* Name, NUL, method (0), compressed profile.  The profile itself is not used. */
static enum omma_status read_profile(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                     struct omma_error *error)
{
    const uint8_t *nul = memchr(chunk->bytes, 0, chunk->n_bytes);
    size_t method_at = nul != NULL ? (size_t)(nul - chunk->bytes) + 1 : 0, n_characters;

    if (method_at >= chunk->n_bytes || chunk->bytes[method_at] != 0) {
        return fail_chunk(chunks, chunk, "expected compression method 0", error);
    }
    if (inflate_text(chunk->bytes + method_at + 1, chunk->n_bytes - method_at - 1, false,
                     &n_characters) == INFLATED_TOO_LARGE) {
        return fail_chunk(chunks, chunk, "expected at most 1 MiB of decompressed data, found more",
                          error);
    }
    return OMMA_OK;
}

/* tEXt: key, NUL, text.  zTXt: key, NUL, method (0), compressed text. */
static enum omma_status read_text(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                  bool is_compressed, struct omma_error *error)
{
    const uint8_t *nul = memchr(chunk->bytes, 0, chunk->n_bytes);
    size_t n_key = nul != NULL ? (size_t)(nul - chunk->bytes) : chunk->n_bytes;
    size_t n_text = nul != NULL ? chunk->n_bytes - n_key - 1 : 0;

    if (!is_compressed) {
        return n_key > 0 ? add_text(chunks, chunk, n_text, error) : OMMA_OK;
    }
    if (n_text == 0) {
        return OMMA_OK;
    }
    if (nul[1] != 0) {
        return fail_chunk(chunks, chunk, "expected compression method 0", error);
    }
    return add_compressed(chunks, chunk, nul + 2, n_text - 1, false, error);
}

/* Key, NUL, is compressed, method, language, NUL, translated key, NUL, text. */
static enum omma_status read_international_text(struct omma_png_chunks *chunks,
                                                const struct chunk *chunk, struct omma_error *error)
{
    const uint8_t *end = chunk->bytes + chunk->n_bytes;
    const uint8_t *at = memchr(chunk->bytes, 0, chunk->n_bytes), *flags;

    if (at == NULL || end - at < 3) {
        return OMMA_OK;
    }
    flags = at + 1;
    at = flags + 2;
    for (int i = 0; i < 2; i++) {
        at = memchr(at, 0, (size_t)(end - at));
        if (at == NULL) {
            return OMMA_OK;
        }
        at++;
    }
    if (flags[0] == 0) {
        return add_text(chunks, chunk, count_characters(at, (size_t)(end - at), true), error);
    }
    return flags[1] == 0 ? add_compressed(chunks, chunk, at, (size_t)(end - at), true, error)
                         : OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Header and animation
 * --------------------------------------------------------------------------------------------- */

/* The depths that Pillow knows for a colour type; an unknown combination leaves the kind as it was.
 */
static void set_kind(struct omma_png_chunks *chunks, int depth, int colour_type)
{
    static const struct {
        int colour_type;
        enum omma_png_kind kind;
        unsigned depths; /* bit n: depth n is known */
    } kinds[] = {
        {0, OMMA_PNG_GRAY, 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 16},
        {2, OMMA_PNG_RGB, 1u << 8 | 1u << 16},
        {3, OMMA_PNG_PALETTE, 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8},
        {4, OMMA_PNG_GRAY_ALPHA, 1u << 8 | 1u << 16},
        {6, OMMA_PNG_RGB_ALPHA, 1u << 8 | 1u << 16},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].colour_type == colour_type && depth <= 16 && (kinds[i].depths >> depth & 1)) {
            chunks->kind = kinds[i].kind;
            chunks->bit_depth = depth;
            chunks->colour_type = colour_type;
        }
    }
}

/* Width, height, depth, colour type, compression, filter, interlace. */
static enum omma_status read_header(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                    struct omma_error *error)
{
    const uint8_t *b = chunk->bytes;

    if (chunk->n_bytes < 13) {
        return fail_chunk(chunks, chunk, "expected 13 bytes, found fewer", error);
    }
    chunks->width = read_u32(b);
    chunks->height = read_u32(b + 4);
    set_kind(chunks, b[8], b[9]);
    chunks->is_interlaced |= b[12] != 0;
    if (b[11] != 0) {
        return fail_chunk(chunks, chunk, "expected filter method 0", error);
    }
    return OMMA_OK;
}

/* Transparency itself is dropped. */
static enum omma_status check_transparency(const struct omma_png_chunks *chunks,
                                           const struct chunk *chunk, struct omma_error *error)
{
    size_t n_wanted = chunks->kind == OMMA_PNG_RGB ? 6 : chunks->kind == OMMA_PNG_GRAY ? 2 : 0;

    /* 16-bit gray with alpha is RGBA to Pillow, as RGB with alpha is: neither is looked at */
    return chunk->n_bytes < n_wanted ? fail_chunk(chunks, chunk, "it is too short", error)
                                     : OMMA_OK;
}

static enum omma_status read_animation(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                       struct omma_error *error)
{
    uint32_t n_frames;

    if (chunk->n_bytes < 8) {
        return fail_chunk(chunks, chunk, "expected 8 bytes, found fewer", error);
    }
    n_frames = read_u32(chunk->bytes);
    chunks->n_frames = chunks->n_frames != 0 || n_frames > 0x80000000u ? 0 : n_frames;
    return OMMA_OK;
}

/* Sequence number, width, height, x, y, then timing. */
static enum omma_status read_frame(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                   struct omma_error *error)
{
    const uint8_t *b = chunk->bytes;
    struct omma_png_frame frame;

    if (chunk->n_bytes < 26) {
        return fail_chunk(chunks, chunk, "expected 26 bytes, found fewer", error);
    }
    if (read_u32(b) != chunks->sequence + 1) {
        return fail_chunk(chunks, chunk, "its sequence number is out of order", error);
    }
    chunks->sequence++;
    frame = (struct omma_png_frame){read_u32(b + 12), read_u32(b + 16), read_u32(b + 4),
                                    read_u32(b + 8)};
    if (frame.x + frame.width > chunks->width || frame.y + frame.height > chunks->height) {
        return fail_chunk(chunks, chunk, "the frame reaches beyond the picture", error);
    }
    chunks->has_frame = true;
    chunks->frame = frame;
    return OMMA_OK;
}

/* What Pillow does on meeting a chunk other than data and end. */
static enum omma_status read_chunk(struct omma_png_chunks *chunks, const struct chunk *chunk,
                                   struct omma_error *error)
{
    static const struct {
        char name[5];
        size_t n_bytes;
    } shortest[] = {{"gAMA", 4}, {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}};
    const uint8_t *name = (const uint8_t *)chunk->name;

    for (size_t i = 0; i < sizeof shortest / sizeof *shortest; i++) {
        if (is_named(name, shortest[i].name) && chunk->n_bytes < shortest[i].n_bytes) {
            return fail_chunk(chunks, chunk, "it is too short", error);
        }
    }
    if (is_named(name, "IHDR")) {
        return read_header(chunks, chunk, error);
    }
    if (is_named(name, "PLTE") && chunks->kind == OMMA_PNG_PALETTE) {
        chunks->palette = chunk->bytes;
        chunks->palette_bytes = chunk->n_bytes;
    }
    if (is_named(name, "tRNS")) {
        return check_transparency(chunks, chunk, error);
    }
    if (is_named(name, "iCCP")) {
        return read_profile(chunks, chunk, error);
    }
    if (is_named(name, "tEXt") || is_named(name, "zTXt")) {
        return read_text(chunks, chunk, name[0] == 'z', error);
    }
    if (is_named(name, "iTXt")) {
        return read_international_text(chunks, chunk, error);
    }
    if (is_named(name, "acTL")) {
        return read_animation(chunks, chunk, error);
    }
    if (is_named(name, "fcTL")) {
        return read_frame(chunks, chunk, error);
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The walk
 * --------------------------------------------------------------------------------------------- */

/* Letters, digits and underscores, as Pillow's expression has it. */
static bool is_name(const uint8_t *name)
{
    for (size_t i = 0; i < 4; i++) {
        if (name[i] >= 0x80 || !(isalnum(name[i]) || name[i] == '_')) {
            return false;
        }
    }
    return true;
}

/* The chunk's data; an error if the file ends before or within it. */
static enum omma_status take_chunk(const struct omma_png_chunks *chunks, size_t at,
                                   struct chunk *chunk, struct omma_error *error)
{
    const struct omma_picture_source *source = chunks->source;
    size_t left = source->n_bytes - at;

    chunk->at = at;
    chunk->name = (const char *)source->bytes + at + 4;
    chunk->bytes = source->bytes + at + 8;
    chunk->n_bytes = read_u32(source->bytes + at);
    if (chunk->n_bytes > left - 8) {
        return omma_fail(
            error, OMMA_STATUS_IMAGE,
            "%s: chunk %.4s @%zu: expected %zu bytes, found %zu: the file is truncated",
            source->name, chunk->name, at, chunk->n_bytes, left - 8);
    }
    return OMMA_OK;
}

static enum omma_status check_crc(const struct omma_png_chunks *chunks, const struct chunk *chunk,
                                  struct omma_error *error)
{
    const uint8_t *crc = chunk->bytes + chunk->n_bytes;
    size_t left = chunks->source->n_bytes - (size_t)(crc - chunks->source->bytes);

    if (left < 4 || crc32_z(crc32_z(0, (const Bytef *)chunk->name, 4), chunk->bytes,
                            chunk->n_bytes) != read_u32(crc)) {
        return fail_chunk(chunks, chunk, "its checksum is wrong", error);
    }
    return OMMA_OK;
}

/* The first data chunk has come: fix what is known of the animation and the frame. */
static enum omma_status begin_data(struct omma_png_chunks *chunks, struct omma_error *error)
{
    bool has_default = chunks->n_frames != 0 && !chunks->has_frame;

    chunks->is_animated = chunks->n_frames + has_default > 1;
    if (!chunks->has_frame) {
        chunks->frame = (struct omma_png_frame){0, 0, chunks->width, chunks->height};
    } else if (chunks->frame.width == 0 || chunks->frame.height == 0) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: frame: expected at least 1x1, found %zux%zu", chunks->source->name,
                         chunks->frame.width, chunks->frame.height);
    }
    return OMMA_OK;
}

enum omma_status omma_png_chunks_open(const struct omma_picture_source *source,
                                      struct omma_png_chunks *chunks, struct omma_error *error)
{
    size_t at = 8; /* behind the signature */

    *chunks = (struct omma_png_chunks){.source = source, .sequence = UINT32_MAX};
    for (;;) {
        struct chunk chunk;
        const uint8_t *name = source->bytes + at + 4;

        if (source->n_bytes - at < 8) {
            return omma_fail(error, OMMA_STATUS_IMAGE,
                             "%s: chunk @%zu: the file is truncated: it ends before the pixels",
                             source->name, at);
        }
        if (!is_name(name)) {
            return omma_fail(error, OMMA_STATUS_IMAGE,
                             "%s: chunk @%zu: expected a name, found bytes %02x %02x %02x %02x",
                             source->name, at, name[0], name[1], name[2], name[3]);
        }
        if (is_named(name, "IEND")) {
            return omma_fail(error, OMMA_STATUS_IMAGE,
                             "%s: chunk IEND @%zu: no pixels come before it", source->name, at);
        }
        if (chunks->kind != OMMA_PNG_NONE && (is_named(name, "IDAT") || is_named(name, "fdAT"))) {
            chunks->at = at;
            return begin_data(chunks, error);
        }
        OMMA_TRY(take_chunk(chunks, at, &chunk, error));
        OMMA_TRY(read_chunk(chunks, &chunk, error));
        OMMA_TRY(check_crc(chunks, &chunk, error));
        at += 12 + chunk.n_bytes;
    }
}

bool omma_png_chunks_next(const struct omma_png_chunks *chunks, struct omma_png_cursor *cursor,
                          struct omma_png_data *data)
{
    const struct omma_picture_source *source = chunks->source;
    const uint8_t *chunk = source->bytes + cursor->at;
    size_t left = source->n_bytes - cursor->at, n_bytes;

    if (left < 8 || !(is_named(chunk + 4, "IDAT") || is_named(chunk + 4, "DDAT") ||
                      is_named(chunk + 4, "fdAT"))) {
        return false;
    }
    n_bytes = read_u32(chunk);
    chunk += 8;
    left -= 8;
    if (is_named(chunk - 4, "fdAT")) { /* a sequence number comes first */
        if (n_bytes < 4 || left < 4 || cursor->sequence == UINT32_MAX ||
            read_u32(chunk) != cursor->sequence + 1) {
            return false;
        }
        cursor->sequence++;
        chunk += 4;
        n_bytes -= 4;
        left -= 4;
    }
    data->bytes = chunk;
    data->n_bytes = omma_min(n_bytes, left);
    data->is_cut = n_bytes > left;
    data->crc = left >= data->n_bytes + 4 ? chunk + n_bytes : NULL;
    cursor->at = omma_min(source->n_bytes, (size_t)(chunk - source->bytes) + data->n_bytes + 4);
    return true;
}

enum omma_status omma_png_chunks_close(const struct omma_png_chunks *chunks,
                                       const struct omma_png_cursor *cursor,
                                       struct omma_error *error)
{
    const struct omma_picture_source *source = chunks->source;
    struct omma_png_chunks rest =
        *chunks; /* a late header or palette changes the picture no more */
    size_t at = cursor->at;

    rest.sequence = cursor->sequence;
    while (source->n_bytes - at >= 8) {
        const uint8_t *name = source->bytes + at + 4;
        struct chunk chunk;

        if (!is_name(name) || is_named(name, "IEND") ||
            (is_named(name, "fcTL") && chunks->is_animated)) {
            return OMMA_OK;
        }
        OMMA_TRY(take_chunk(chunks, at, &chunk, error));
        if (is_named(name, "fdAT") && (chunk.n_bytes < 4 || rest.sequence == UINT32_MAX ||
                                       read_u32(chunk.bytes) != ++rest.sequence)) {
            return fail_chunk(chunks, &chunk, "its sequence number is out of order", error);
        }
        OMMA_TRY(read_chunk(&rest, &chunk, error));
        at = omma_min(source->n_bytes, at + 12 + chunk.n_bytes);
    }
    return OMMA_OK;
}
