/*
 * What all picture formats share: reading the file, telling its kind, the limits.
 *
 * A picture's bytes are read into memory, not mapped: a file that shrinks meanwhile must not raise
 * SIGBUS.
 */
#include "format/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"

/* Kinds that are known but not decoded, by the mark at an offset; the first that fits names it. */
static const struct known_kind {
    const char *name;
    size_t offset;
    const char *mark;
    size_t n_bytes;
} known_kinds[] = {
    {"GIF", 0, "GIF8", 4},
    {"WebP", 8, "WEBP", 4},
    {"AVI video", 8, "AVI LIST", 8},
    {"BMP", 0, "BM", 2},
    {"TIFF", 0, "II*\0", 4},
    {"TIFF", 0, "MM\0*", 4},
    {"TIFF", 0, "II+\0", 4},
    {"TIFF", 0, "MM\0+", 4},
    {"HEIC", 4, "ftyphei", 7},
    {"HEIC", 4, "ftyphev", 7},
    {"HEIC", 4, "ftypmif1", 8},
    {"HEIC", 4, "ftypmsf1", 8},
    {"AVIF", 4, "ftypavi", 7},
    {"MP4 or QuickTime video", 4, "ftyp", 4},
    {"QuickTime video", 4, "moov", 4},
    {"QuickTime video", 4, "mdat", 4},
    {"Matroska or WebM video", 0, "\x1A\x45\xDF\xA3", 4},
    {"MPEG video", 0, "\0\0\1\xBA", 4},
    {"MPEG video", 0, "\0\0\1\xB3", 4},
    {"Flash video", 0, "FLV\1", 4},
    {"Ogg video", 0, "OggS", 4},
    {"JPEG 2000", 4, "jP  ", 4},
    {"JPEG 2000", 0, "\xFF\x4F\xFF\x51", 4},
    {"JPEG XL", 4, "JXL ", 4},
    {"JPEG XL", 0, "\xFF\x0A", 2},
    {"icon", 0, "\0\0\1\0", 4},
    {"Photoshop", 0, "8BPS", 4},
    {"PDF", 0, "%PDF", 4},
    {"SVG", 0, "<svg", 4},
};

static bool has_mark(const struct omma_picture_source *source, size_t offset, const char *mark,
                     size_t n_bytes)
{
    return source->n_bytes >= offset + n_bytes &&
           memcmp(source->bytes + offset, mark, n_bytes) == 0;
}

/* An XML document whose beginning names svg. */
static bool is_svg_document(const struct omma_picture_source *source)
{
    size_t n_bytes = omma_min(source->n_bytes, 1024);

    return (has_mark(source, 0, "<?xml", 5) || has_mark(source, 0, "<!--", 4) ||
            has_mark(source, 0, "<!DOCTYPE", 9)) &&
           memmem(source->bytes, n_bytes, "<svg", 4) != NULL;
}

static enum omma_status refuse_kind(const struct omma_picture_source *source,
                                    struct omma_error *error)
{
    const char *kind = is_svg_document(source) ? "SVG" : NULL;
    const uint8_t *b = source->bytes;

    for (size_t i = 0; kind == NULL && i < sizeof known_kinds / sizeof *known_kinds; i++) {
        if (has_mark(source, known_kinds[i].offset, known_kinds[i].mark, known_kinds[i].n_bytes)) {
            kind = known_kinds[i].name;
        }
    }
    if (kind != NULL) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: kind of picture: expected JPEG or PNG, found %s, which is not "
                         "supported",
                         source->name, kind);
    }
    if (source->n_bytes < 4) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: expected a JPEG or PNG picture, found %zu bytes", source->name,
                         source->n_bytes);
    }
    return omma_fail(
        error, OMMA_STATUS_IMAGE,
        "%s: kind of picture @0: expected JPEG or PNG, found bytes %02x %02x %02x %02x",
        source->name, b[0], b[1], b[2], b[3]);
}

enum omma_status omma_picture_decode(const struct omma_picture_source *source,
                                     struct omma_picture *picture, struct omma_error *error)
{
    if (has_mark(source, 0, "\xFF\xD8\xFF", 3)) {
        return omma_picture_decode_jpeg(source, picture, error);
    }
    if (has_mark(source, 0, "\x89PNG\r\n\x1A\n", 8)) {
        return omma_picture_decode_png(source, picture, error);
    }
    return refuse_kind(source, error);
}

enum omma_status omma_picture_create(const struct omma_picture_source *source, size_t width,
                                     size_t height, struct omma_picture *picture,
                                     struct omma_error *error)
{
    size_t max_pixels = OMMA_PICTURE_MAX_PIXELS, n_pixels;

    if (source->max_pixels != 0) {
        max_pixels = omma_min(max_pixels, source->max_pixels);
    }
    if (width == 0 || height == 0) {
        return omma_fail(error, OMMA_STATUS_IMAGE, "%s: size: expected at least 1x1, found %zux%zu",
                         source->name, width, height);
    }
    if (!omma_checked_multiply(width, height, &n_pixels) || n_pixels > max_pixels) {
        return omma_fail(error, OMMA_STATUS_IMAGE,
                         "%s: size: expected at most %zu pixels, found %zux%zu", source->name,
                         max_pixels, width, height);
    }
    if (n_pixels > OMMA_PICTURE_MANY_PIXELS) {
        omma_log_warning(&source->log, "%s: a large picture: %zux%zu", source->name, width, height);
    }
    picture->rgb = calloc(n_pixels, 3);
    if (picture->rgb == NULL) {
        return omma_fail_memory(error, n_pixels * 3, source->name);
    }
    picture->width = width;
    picture->height = height;
    return OMMA_OK;
}

enum omma_status omma_picture_damaged(const struct omma_picture_source *source, const char *what,
                                      struct omma_error *error)
{
    if (source->strict) {
        return omma_fail(error, OMMA_STATUS_IMAGE, "%s: damaged: %s", source->name, what);
    }
    omma_log_warning(&source->log, "%s: damaged: %s", source->name, what);
    return OMMA_OK;
}

void omma_picture_free(struct omma_picture *picture)
{
    free(picture->rgb);
    *picture = (struct omma_picture){0};
}

static enum omma_status fail_file(const char *path, struct omma_error *error)
{
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        return omma_fail(error, OMMA_STATUS_RESOURCES, "%s: %s", path, strerror(errno));
    }
    return omma_fail(error, OMMA_STATUS_IMAGE, "%s: %s", path, strerror(errno));
}

/* Read fd to its end into a buffer that grows. */
static enum omma_status read_all(int fd, const char *path, size_t capacity, uint8_t **bytes,
                                 size_t *n_bytes, struct omma_error *error)
{
    uint8_t *buffer = NULL;
    size_t n = 0;

    for (;;) {
        uint8_t *grown = realloc(buffer, capacity);
        ssize_t got;

        if (grown == NULL) {
            free(buffer);
            return omma_fail_memory(error, capacity, path);
        }
        buffer = grown;
        do {
            got = read(fd, buffer + n, capacity - n);
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            free(buffer);
            return fail_file(path, error);
        }
        if (got == 0) {
            *bytes = buffer;
            *n_bytes = n;
            return OMMA_OK;
        }
        n += (size_t)got;
        if (n > OMMA_PICTURE_MAX_FILE_BYTES) {
            free(buffer);
            return omma_fail(error, OMMA_STATUS_IMAGE, "%s: expected at most %zu bytes, found more",
                             path, OMMA_PICTURE_MAX_FILE_BYTES);
        }
        if (n == capacity) {
            capacity *= 2;
        }
    }
}

enum omma_status omma_picture_read_file(const char *path, uint8_t **bytes, size_t *n_bytes,
                                        struct omma_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t capacity = 1 << 16;
    struct stat file;
    enum omma_status status;

    if (fd < 0) {
        return fail_file(path, error);
    }
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) {
        if ((uintmax_t)file.st_size > OMMA_PICTURE_MAX_FILE_BYTES) {
            close(fd);
            return omma_fail(error, OMMA_STATUS_IMAGE, "%s: expected at most %zu bytes, found %jd",
                             path, OMMA_PICTURE_MAX_FILE_BYTES, (intmax_t)file.st_size);
        }
        capacity = (size_t)file.st_size + 1; /* the last byte is for seeing the end */
    }
    status = read_all(fd, path, capacity, bytes, n_bytes, error);
    close(fd);
    return status;
}
