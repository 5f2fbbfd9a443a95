/* Nothing is synced: what a crash of the system leaves of a file fails its checksum. */
#include "engine/image_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "format/sha256.h"
#include "platform/file.h"
#include "platform/file_write.h"

struct header {
    char magic[16];
    uint8_t identity[32];
    uint8_t picture[32];
    uint64_t tile, n_floats;
    uint8_t checksum[32];
};

_Static_assert(sizeof(struct header) == 128, "the header is written as it lies");

enum { CHECKED_BYTES = offsetof(struct header, checksum), NAME_BYTES = 128 };

struct omma_image_folder {
    char *dir;
    uint8_t identity[32];
    size_t n_floats;
    uint64_t process; /* a random number for names of files that are being written */
    bool is_broken;   /* a file could not be written */
    struct omma_log log;
};

static enum omma_status hash(const struct header *header, const float *tokens, uint8_t digest[32],
                             struct omma_error *error)
{
    struct omma_sha256 *state = NULL;

    OMMA_TRY(omma_sha256_begin(&state, error));
    omma_sha256_add(state, header, CHECKED_BYTES);
    omma_sha256_add(state, tokens, header->n_floats * sizeof *tokens);
    omma_sha256_end(&state, digest);
    return OMMA_OK;
}

enum omma_status omma_image_folder_open(const struct omma_image_cache_options *options,
                                        struct omma_image_folder **folder, struct omma_error *error)
{
    struct omma_image_folder *made;
    bool is_empty;

    OMMA_TRY(omma_folder_make(options->dir, &is_empty, error));
    made = calloc(1, sizeof *made);
    if (made == NULL || (made->dir = strdup(options->dir)) == NULL) {
        free(made);
        return omma_fail_memory(error, sizeof *made, "the image cache");
    }
    made->n_floats = options->n_floats;
    made->log = options->log;
    memcpy(made->identity, options->identity, sizeof made->identity);
    if (getrandom(&made->process, sizeof made->process, 0) != sizeof made->process) {
        omma_image_folder_close(&made);
        return omma_fail(error, OMMA_STATUS_RESOURCES, "random numbers cannot be had: %m");
    }
    *folder = made;
    return OMMA_OK;
}

void omma_image_folder_close(struct omma_image_folder **folder)
{
    if (*folder != NULL) {
        free((*folder)->dir);
        free(*folder);
        *folder = NULL;
    }
}

/* "DIR/NAME", to be freed; NULL if memory is short. */
static char *path_of(const struct omma_image_folder *folder, const struct omma_tile_key *key)
{
    char identity[65], picture[65], name[NAME_BYTES];

    omma_sha256_hex(folder->identity, identity);
    omma_sha256_hex(key->picture, picture);
    snprintf(name, sizeof name, "%.16s-%s-%" PRIu64 ".tokens", identity, picture, key->tile);
    return omma_file_join(folder->dir, name);
}

static enum omma_status describe(const struct omma_image_folder *folder,
                                 const struct omma_tile_key *key, const float *tokens,
                                 struct header *header, struct omma_error *error)
{
    *header =
        (struct header){.magic = "omma tile 1", .tile = key->tile, .n_floats = folder->n_floats};
    memcpy(header->identity, folder->identity, sizeof header->identity);
    memcpy(header->picture, key->picture, sizeof header->picture);
    return hash(header, tokens, header->checksum, error);
}

static enum omma_status read_file(const struct omma_image_folder *folder, const char *path,
                                  const struct omma_tile_key *key, float *tokens,
                                  struct omma_error *error)
{
    size_t n_tokens = folder->n_floats * sizeof *tokens, n_bytes;
    size_t n_expected = sizeof(struct header) + n_tokens;
    struct header expected;
    char *bytes;
    enum omma_status status;

    OMMA_TRY(omma_file_read(path, n_expected, &bytes, &n_bytes, error));
    if (n_bytes != n_expected) {
        status = omma_fail(error, OMMA_STATUS_MODEL, "%s: expected %zu bytes, found %zu", path,
                           n_expected, n_bytes);
    } else {
        memcpy(tokens, bytes + sizeof expected, n_tokens);
        status = describe(folder, key, tokens, &expected, error);
        if (status == OMMA_OK && memcmp(bytes, &expected, CHECKED_BYTES) != 0) {
            status = omma_fail(error, OMMA_STATUS_MODEL,
                               "%s: bytes 0 to %d: expected the identity, picture and size that "
                               "its name stands for, found others",
                               path, CHECKED_BYTES - 1);
        } else if (status == OMMA_OK && memcmp(bytes + CHECKED_BYTES, expected.checksum,
                                               sizeof expected.checksum) != 0) {
            status = omma_fail(error, OMMA_STATUS_MODEL,
                               "%s: byte %d: the checksum is not that of the content", path,
                               CHECKED_BYTES);
        }
    }
    free(bytes);
    return status;
}

bool omma_image_folder_read(struct omma_image_folder *folder, const struct omma_tile_key *key,
                            float *tokens)
{
    char *path = path_of(folder, key);
    struct omma_error error;
    bool is_read = false;

    if (path != NULL && omma_file_exists(path)) {
        is_read = read_file(folder, path, key, tokens, &error) == OMMA_OK;
        if (!is_read) {
            omma_log_warning(&folder->log, "image cache: %s; the tile is encoded anew",
                             error.message);
        }
    }
    free(path);
    return is_read;
}

static enum omma_status write_file(const char *path, const struct header *header,
                                   const float *tokens, struct omma_error *error)
{
    enum omma_status status;
    int fd;

    OMMA_TRY(omma_file_create(path, &fd, error));
    status = omma_file_write_at(fd, path, header, sizeof *header, 0, error);
    if (status == OMMA_OK) {
        status = omma_file_write_at(fd, path, tokens, header->n_floats * sizeof *tokens,
                                    sizeof *header, error);
    }
    return omma_file_close(fd, path, status, error);
}

static enum omma_status write_and_rename(struct omma_image_folder *folder, const char *path,
                                         const struct omma_tile_key *key, const float *tokens,
                                         struct omma_error *error)
{
    struct header header;
    char *partial = NULL;
    enum omma_status status;

    OMMA_TRY(describe(folder, key, tokens, &header, error));
    if (asprintf(&partial, "%s.%016" PRIx64 ".partial", path, folder->process) < 0) {
        return omma_fail_memory(error, strlen(path), "a path");
    }
    status = write_file(partial, &header, tokens, error);
    if (status == OMMA_OK && rename(partial, path) != 0) {
        status = omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot rename to %s: %m", partial, path);
    }
    if (status != OMMA_OK) {
        unlink(partial);
    }
    free(partial);
    return status;
}

void omma_image_folder_write(struct omma_image_folder *folder, const struct omma_tile_key *key,
                             const float *tokens)
{
    char *path = folder->is_broken ? NULL : path_of(folder, key);
    struct omma_error error;

    if (path != NULL && write_and_rename(folder, path, key, tokens, &error) != OMMA_OK) {
        folder->is_broken = true;
        omma_log_warning(&folder->log, "image cache: %s; no more is written", error.message);
    }
    free(path);
}
