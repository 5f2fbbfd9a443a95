/*
 * Writing: short writes, EINTR, and what must reach the disk before what.  A file that is replaced
 * is written under another name, synced, and renamed over the old one; then its folder is synced.
 */
#include "platform/file_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/file.h"

static enum omma_status open_with(const char *path, int flags, int *fd, struct omma_error *error)
{
    int opened;

    do {
        opened = open(path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    } while (opened < 0 && errno == EINTR);
    if (opened < 0) {
        return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot create: %m", path);
    }
    *fd = opened;
    return OMMA_OK;
}

enum omma_status omma_file_create(const char *path, int *fd, struct omma_error *error)
{
    return open_with(path, O_EXCL, fd, error);
}

enum omma_status omma_file_open_write(const char *path, int *fd, struct omma_error *error)
{
    return open_with(path, 0, fd, error);
}

enum omma_status omma_file_write_at(int fd, const char *path, const void *bytes, size_t n_bytes,
                                    uint64_t offset, struct omma_error *error)
{
    const char *at = bytes;

    while (n_bytes > 0) {
        ssize_t n = pwrite(fd, at, n_bytes, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot write: %s", path,
                             n < 0 ? strerror(errno) : "nothing was taken");
        }
        at += n;
        n_bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return OMMA_OK;
}

enum omma_status omma_file_sync(int fd, const char *path, struct omma_error *error)
{
    while (fsync(fd) != 0) {
        if (errno == EINVAL || errno == EROFS) {
            return OMMA_OK; /* nothing that can be synced, as on some network file systems */
        }
        if (errno != EINTR) {
            return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot write: %m", path);
        }
    }
    return OMMA_OK;
}

enum omma_status omma_file_close(int fd, const char *path, enum omma_status status,
                                 struct omma_error *error)
{
    if (close(fd) != 0 && errno != EINTR && status == OMMA_OK) {
        return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot write: %m", path);
    }
    return status;
}

static enum omma_status sync_folder(const char *dir, struct omma_error *error)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum omma_status status;

    if (fd < 0) {
        return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot open the folder: %m", dir);
    }
    status = omma_file_sync(fd, dir, error);
    close(fd);
    return status;
}

enum omma_status omma_file_rename(const char *dir, const char *from, const char *to,
                                  struct omma_error *error)
{
    char *old = omma_file_join(dir, from), *new = omma_file_join(dir, to);
    enum omma_status status;

    if (old == NULL || new == NULL) {
        status = omma_fail_memory(error, strlen(dir) + strlen(from) + strlen(to), "a path");
    } else if (rename(old, new) != 0) {
        status = omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot rename to %s: %m", old, to);
    } else {
        status = sync_folder(dir, error);
    }
    free(old);
    free(new);
    return status;
}

static enum omma_status write_whole(const char *path, const void *bytes, size_t n_bytes,
                                    struct omma_error *error)
{
    enum omma_status status;
    int fd;

    OMMA_TRY(omma_file_create(path, &fd, error));
    status = omma_file_write_at(fd, path, bytes, n_bytes, 0, error);
    if (status == OMMA_OK) {
        status = omma_file_sync(fd, path, error);
    }
    status = omma_file_close(fd, path, status, error);
    if (status != OMMA_OK) {
        unlink(path);
    }
    return status;
}

enum omma_status omma_file_replace(const char *dir, const char *name, const void *bytes,
                                   size_t n_bytes, struct omma_error *error)
{
    char *path = omma_file_join(dir, name), *partial = NULL;
    enum omma_status status;

    if (path == NULL || asprintf(&partial, "%s.partial", path) < 0) {
        free(path);
        return omma_fail_memory(error, strlen(dir) + strlen(name) + sizeof "/.partial", "a path");
    }
    unlink(partial); /* of a run that was killed */
    status = write_whole(partial, bytes, n_bytes, error);
    if (status == OMMA_OK) {
        status = omma_file_rename(dir, partial + strlen(dir) + 1, name, error);
    }
    free(partial);
    free(path);
    return status;
}

enum omma_status omma_folder_make(const char *dir, bool *is_empty, struct omma_error *error)
{
    struct dirent *entry;
    DIR *listing;

    *is_empty = true;
    if (mkdir(dir, 0777) == 0) {
        return OMMA_OK;
    }
    if (errno != EEXIST) {
        return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot make the folder: %m", dir);
    }
    listing = opendir(dir);
    if (listing == NULL) {
        return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot open the folder: %m", dir);
    }
    while ((entry = readdir(listing)) != NULL) {
        *is_empty =
            *is_empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    }
    closedir(listing);
    return OMMA_OK;
}
