/*
 * Opening and reading files, EINTR and short reads included.
 *
 * Files are opened with O_NONBLOCK, which a regular file ignores: a FIFO without a writer would
 * otherwise hold open() for ever.
 */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *kind_of_file(mode_t mode)
{
    if (S_ISDIR(mode)) {
        return "a folder";
    }
    if (S_ISFIFO(mode)) {
        return "a FIFO";
    }
    if (S_ISSOCK(mode)) {
        return "a socket";
    }
    return "a device";
}

static enum omma_status fail_to_open(const char *path, struct omma_error *error)
{
    if (errno == EMFILE) {
        struct rlimit limit = {0};

        getrlimit(RLIMIT_NOFILE, &limit);
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "%s: too many open files; this process may have %llu (ulimit -n)", path,
                         (unsigned long long)limit.rlim_cur);
    }
    if (errno == ENFILE || errno == ENOMEM) {
        return omma_fail(error, OMMA_STATUS_RESOURCES, "%s: cannot open: %m", path);
    }
    return omma_fail(error, OMMA_STATUS_MODEL, "%s: cannot open: %m", path);
}

enum omma_status omma_file_open(const char *path, int *fd, struct stat *status,
                                struct omma_error *error)
{
    struct stat found;
    int opened;

    do {
        opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (opened < 0 && errno == EINTR);
    if (opened < 0) {
        if (errno == ENXIO) {
            return omma_fail(error, OMMA_STATUS_MODEL, "%s: expected a file, found a socket", path);
        }
        return fail_to_open(path, error);
    }
    if (fstat(opened, &found) != 0) {
        enum omma_status failed =
            omma_fail(error, OMMA_STATUS_MODEL, "%s: cannot read its size: %m", path);

        close(opened);
        return failed;
    }
    if (!S_ISREG(found.st_mode)) {
        close(opened);
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: expected a file, found %s", path,
                         kind_of_file(found.st_mode));
    }
    *fd = opened;
    *status = found;
    return OMMA_OK;
}

/* Read until the end of the file; one byte more than expected tells that it grew. */
static enum omma_status read_all(int fd, const char *path, char *bytes, size_t capacity,
                                 size_t *n_bytes, struct omma_error *error)
{
    size_t n = 0;

    while (n < capacity) {
        ssize_t got = read(fd, bytes + n, capacity - n);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return omma_fail(error, OMMA_STATUS_MODEL, "%s @%zu: cannot read: %m", path, n);
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    *n_bytes = n;
    return OMMA_OK;
}

enum omma_status omma_file_read(const char *path, size_t max_bytes, char **bytes, size_t *n_bytes,
                                struct omma_error *error)
{
    enum omma_status status;
    struct stat file = {0};
    char *buffer = NULL;
    size_t expected, n = 0;
    int fd = -1;

    OMMA_TRY(omma_file_open(path, &fd, &file, error));
    if ((uintmax_t)file.st_size > max_bytes) {
        status = omma_fail(error, OMMA_STATUS_MODEL, "%s: expected at most %zu bytes, found %lld",
                           path, max_bytes, (long long)file.st_size);
        goto out;
    }
    expected = (size_t)file.st_size;
    buffer = malloc(expected + 1);
    if (buffer == NULL) {
        status = omma_fail_memory(error, expected + 1, path);
        goto out;
    }
    OMMA_TRY_OR(status, out, read_all(fd, path, buffer, expected + 1, &n, error));
    if (n != expected) {
        status = omma_fail(error, OMMA_STATUS_CHANGED, "%s: changed while it was read", path);
        goto out;
    }
    buffer[n] = '\0';
    *bytes = buffer;
    *n_bytes = n;
    buffer = NULL;
out:
    free(buffer);
    close(fd);
    return status;
}

bool omma_file_exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

char *omma_file_join(const char *dir, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}
