/*
 * URLs to pictures.  A file is opened by openat2(2) beneath the media folder: the kernel lets no
 * "..", no absolute path and no symbolic link lead out of it, whatever changes meanwhile.
 */
#include "tools/chat/picture_in.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/chat/base64.h"
#include "tools/status.h"

enum omma_status media_folder_open(const char *path, struct media_folder *folder,
                                   struct omma_error *error)
{
    *folder = (struct media_folder){.descriptor = -1};
    if (path == NULL) {
        return OMMA_OK;
    }
    folder->path = realpath(path, NULL);
    if (folder->path != NULL) {
        folder->descriptor = open(folder->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (folder->descriptor < 0) {
        return fail(error, OMMA_STATUS_USAGE, "--media-dir: %s: %s", path, strerror(errno));
    }
    return OMMA_OK;
}

void media_folder_close(struct media_folder *folder)
{
    if (folder->path != NULL && folder->descriptor >= 0) {
        close(folder->descriptor);
    }
    free(folder->path);
    *folder = (struct media_folder){.descriptor = -1};
}

static int hex_value(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    character = (char)(character | 0x20);
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* %41 to A; false for what is no such thing and for a NUL.  path: [n_bytes + 1] */
static bool decode_percent(const char *text, size_t n_bytes, char *path)
{
    size_t n = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        int character = (unsigned char)text[i];

        if (character == '%') {
            int high = i + 2 < n_bytes ? hex_value(text[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text[i + 2]) : -1;

            if (low < 0) {
                return false;
            }
            character = high * 16 + low;
            i += 2;
        }
        if (character == 0) {
            return false;
        }
        path[n++] = (char)character;
    }
    path[n] = '\0';
    return true;
}

/* Relative, or absolute and in the folder. */
static int open_beneath(const struct media_folder *folder, const char *path)
{
    size_t n = strlen(folder->path);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    if (path[0] == '/') {
        if (strncmp(path, folder->path, n) != 0 || (path[n] != '/' && n > 1)) {
            errno = EXDEV;
            return -1;
        }
        path += n;
        path += strspn(path, "/");
    }
    return (int)syscall(SYS_openat2, folder->descriptor, path, &how, sizeof how);
}

/* The whole of a regular file, to be freed. */
static bool read_descriptor(int descriptor, size_t max_bytes, const char *param, uint8_t **bytes,
                            size_t *n_bytes, struct problem *problem)
{
    struct stat stat;
    size_t n = 0;

    if (fstat(descriptor, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        return problem_set(problem, 400, "invalid_image", param,
                           "%s: expected a regular file in the server's media folder", param);
    }
    if ((uint64_t)stat.st_size > max_bytes) {
        return problem_set(problem, 413, "image_too_large", param,
                           "%s: expected a file of at most %zu bytes, found %lld", param, max_bytes,
                           (long long)stat.st_size);
    }
    *bytes = malloc((size_t)stat.st_size + 1);
    if (*bytes == NULL) {
        return problem_set_memory(problem);
    }
    while (n < (size_t)stat.st_size) {
        ssize_t got = read(descriptor, *bytes + n, (size_t)stat.st_size - n);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    *n_bytes = n;
    return true;
}

static bool read_path(const struct chat_picture *picture, const char *path,
                      const struct media_folder *folder, size_t max_bytes, uint8_t **bytes,
                      size_t *n_bytes, struct problem *problem)
{
    int descriptor = open_beneath(folder, path);
    bool is_good;

    if (descriptor < 0) {
        return problem_set(problem, 400, "invalid_image_url", picture->param,
                           "%s: expected the path of a picture in the media folder: %s",
                           picture->param, strerror(errno == EXDEV ? EACCES : errno));
    }
    is_good = read_descriptor(descriptor, max_bytes, picture->param, bytes, n_bytes, problem);
    close(descriptor);
    return is_good;
}

/* file:///abs/path or file://localhost/abs/path; or, without a scheme, a path as it is. */
static bool read_file(const struct chat_picture *picture, const char *rest, bool is_encoded,
                      const struct media_folder *folder, size_t max_bytes, uint8_t **bytes,
                      size_t *n_bytes, struct problem *problem)
{
    size_t n_rest = picture->n_bytes - (size_t)(rest - picture->url);
    char *path;
    bool is_good;

    if (folder->path == NULL) {
        return problem_set(problem, 400, "invalid_image_url", picture->param,
                           "%s: this server takes no file: pictures (--media-dir)", picture->param);
    }
    if (is_encoded && n_rest >= 9 && strncmp(rest, "localhost", 9) == 0) {
        rest += 9;
        n_rest -= 9;
    }
    path = calloc(n_rest + 1, 1);
    if (path == NULL) {
        return problem_set_memory(problem);
    }
    if (is_encoded) {
        is_good = decode_percent(rest, n_rest, path) && path[0] == '/';
    } else {
        memcpy(path, rest, n_rest);
        is_good = strlen(path) == n_rest;
    }
    is_good = is_good ? read_path(picture, path, folder, max_bytes, bytes, n_bytes, problem)
                      : problem_set(problem, 400, "invalid_image_url", picture->param,
                                    "%s: expected the path of a picture in the media folder: %s",
                                    picture->param, strerror(EINVAL));
    free(path);
    return is_good;
}

/* data:image/png;base64,...: what the type says is not believed, the bytes tell. */
static bool read_data(const struct chat_picture *picture, const char *rest, uint8_t **bytes,
                      size_t *n_bytes, struct problem *problem)
{
    static const char encoding[] = ";base64";
    size_t n_rest = picture->n_bytes - (size_t)(rest - picture->url), n_head, bad;
    const char *comma = memchr(rest, ',', n_rest);

    n_head = comma != NULL ? (size_t)(comma - rest) : 0;
    if (n_head < sizeof encoding - 1 ||
        strncasecmp(comma - (sizeof encoding - 1), encoding, sizeof encoding - 1) != 0) {
        return problem_set(problem, 400, "invalid_image_url", picture->param,
                           "%s: expected data:TYPE;base64,DATA", picture->param);
    }
    *bytes = malloc((n_rest - n_head - 1) / 4 * 3 + 3);
    if (*bytes == NULL) {
        return problem_set_memory(problem);
    }
    if (!base64_decode(comma + 1, n_rest - n_head - 1, *bytes, n_bytes, &bad)) {
        return problem_set(problem, 400, "invalid_base64", picture->param,
                           "%s: base64 @%zu: expected A-Z, a-z, 0-9, +, / in fours, = at the end",
                           picture->param, bad);
    }
    return true;
}

/* "http:", but not "a.png" and "a/b:c" */
static bool has_scheme(const char *url)
{
    return url[strcspn(url, ":/.")] == ':';
}

static bool read_url(const struct chat_picture *picture, const struct media_folder *folder,
                     size_t max_bytes, uint8_t **bytes, size_t *n_bytes, struct problem *problem)
{
    const char *url = picture->url;

    if (strncasecmp(url, "data:", 5) == 0) {
        return read_data(picture, url + 5, bytes, n_bytes, problem);
    }
    if (strncasecmp(url, "file://", 7) == 0) {
        return read_file(picture, url + 7, true, folder, max_bytes, bytes, n_bytes, problem);
    }
    if (strncasecmp(url, "http:", 5) == 0 || strncasecmp(url, "https:", 6) == 0) {
        return problem_set(problem, 400, "invalid_image_url", picture->param,
                           "%s: omma fetches nothing: send the picture as a data: URL",
                           picture->param);
    }
    if (folder->takes_paths && !has_scheme(url)) {
        return read_file(picture, url, false, folder, max_bytes, bytes, n_bytes, problem);
    }
    return problem_set(problem, 400, "invalid_image_url", picture->param,
                       "%s: expected a data: or file: URL%s", picture->param,
                       folder->takes_paths ? ", or a path" : "");
}

static bool picture_open(const struct chat_picture *picture, const struct media_folder *folder,
                         size_t max_bytes, const struct omma_image_options *options,
                         struct omma_image **image, struct problem *problem)
{
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    struct omma_error error;
    bool is_good = read_url(picture, folder, max_bytes, &bytes, &n_bytes, problem);

    if (is_good &&
        omma_image_open_memory(picture->param, bytes, n_bytes, options, image, &error) != OMMA_OK) {
        is_good = problem_set_error(problem, picture->param, &error);
    }
    free(bytes);
    return is_good;
}

/* The bound of a picture's tiles: what it asks for, the command's, and its share of the total. */
static struct omma_image_options options_of(const struct picture_bounds *bounds,
                                            const struct chat_picture *picture, size_t n_pictures)
{
    struct omma_image_options options = bounds->image;

    if (picture->max_tiles != 0) {
        options.max_tiles = picture->max_tiles;
    }
    if (bounds->max_tiles_total != 0 && bounds->max_tiles_total / n_pictures < options.max_tiles) {
        options.max_tiles = bounds->max_tiles_total / n_pictures;
    }
    if (options.max_tiles < options.min_tiles) {
        options.max_tiles = options.min_tiles;
    }
    return options;
}

bool pictures_in_open(const struct chat_in *chat, const struct media_folder *folder,
                      const struct picture_bounds *bounds, struct omma_image **images,
                      size_t *n_images, struct problem *problem)
{
    size_t n_tokens = 0;

    *n_images = 0;
    for (size_t i = 0; i < chat->n_pictures; i++) {
        const struct chat_picture *picture = &chat->pictures[i];
        const struct omma_image_options options = options_of(bounds, picture, chat->n_pictures);

        if (!picture_open(picture, folder, bounds->max_bytes, &options, &images[i], problem)) {
            return false;
        }
        ++*n_images;
        n_tokens += omma_image_info(images[i])->n_tokens;
        if (n_tokens > bounds->n_context) {
            return problem_set(problem, 400, "context_length_exceeded", "messages",
                               "the first %zu of %zu pictures take %zu tokens, the context holds "
                               "%zu: send fewer or smaller ones, or less tiles (detail)",
                               i + 1, chat->n_pictures, n_tokens, bounds->n_context);
        }
    }
    return true;
}
