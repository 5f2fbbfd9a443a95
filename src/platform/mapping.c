/*
 * Files mapped read-only and shared, so that their pages are the page cache's and need no memory of
 * their own.  The descriptor is closed at once: a model of many shards holds none.
 */
#include "platform/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/file.h"

/* From this size on a file is read from disk in huge pages, where kernel and file system can (Linux
 * 6.16 with ext4, 5.18 with xfs): a core reads them by a fifth faster.  Pages that the cache has
 * already stay as they are. */
enum { HUGE_PAGE = 2 << 20 };

static enum omma_status fail_to_map(const char *path, size_t n_bytes, struct omma_error *error)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

    if (errno != ENOMEM && errno != EAGAIN) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: cannot map: %m", path);
    }
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur != RLIM_INFINITY) {
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "%s: cannot map %zu bytes; the address space of this process is limited "
                         "to %llu bytes (ulimit -v)",
                         path, n_bytes, (unsigned long long)limit.rlim_cur);
    }
    return omma_fail(error, OMMA_STATUS_RESOURCES, "%s: cannot map %zu bytes: %m", path, n_bytes);
}

static enum omma_status map(int fd, const char *path, const struct stat *file,
                            struct omma_mapping *mapping, struct omma_error *error)
{
    struct omma_mapping made = {
        .n_bytes = (size_t)file->st_size,
        .identity = {.device = file->st_dev,
                     .inode = file->st_ino,
                     .n_bytes = file->st_size,
                     .modified = file->st_mtim},
    };

    if (made.n_bytes > 0) {
        void *bytes = mmap(NULL, made.n_bytes, PROT_READ, MAP_SHARED, fd, 0);

        if (bytes == MAP_FAILED) {
            return fail_to_map(path, made.n_bytes, error);
        }
        made.bytes = bytes;
        if (made.n_bytes >= HUGE_PAGE) {
            madvise(bytes, made.n_bytes, MADV_HUGEPAGE);
        }
    }
    made.location = realpath(path, NULL); /* the process may change its folder */
    made.path = strdup(path);
    if (made.path == NULL) {
        omma_mapping_close(&made);
        return omma_fail_memory(error, strlen(path) + 1, "a path");
    }
    *mapping = made;
    return OMMA_OK;
}

enum omma_status omma_mapping_open(const char *path, struct omma_mapping *mapping,
                                   struct omma_error *error)
{
    enum omma_status status;
    struct stat file;
    int fd;

    OMMA_TRY(omma_file_open(path, &fd, &file, error));
    status = map(fd, path, &file, mapping, error);
    close(fd);
    return status;
}

enum omma_status omma_mapping_open_fd(int fd, const char *path, struct omma_mapping *mapping,
                                      struct omma_error *error)
{
    struct stat file;

    if (fstat(fd, &file) != 0) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: cannot read its size: %m", path);
    }
    return map(fd, path, &file, mapping, error);
}

void omma_mapping_close(struct omma_mapping *mapping)
{
    if (mapping->bytes != NULL) {
        munmap((void *)mapping->bytes, mapping->n_bytes);
    }
    free(mapping->path);
    free(mapping->location);
    *mapping = (struct omma_mapping){0};
}

enum omma_status omma_mapping_check(const struct omma_mapping *mapping, struct omma_error *error)
{
    const struct omma_file_identity *was = &mapping->identity;
    struct stat now;

    if (mapping->location == NULL || stat(mapping->location, &now) != 0) {
        return OMMA_OK; /* removed or renamed: the mapping holds the file */
    }
    if (now.st_dev != was->device || now.st_ino != was->inode) {
        return OMMA_OK; /* replaced: likewise */
    }
    if (now.st_size != was->n_bytes) {
        return omma_fail(error, OMMA_STATUS_CHANGED,
                         "%s: changed while in use: expected %lld bytes, found %lld", mapping->path,
                         (long long)was->n_bytes, (long long)now.st_size);
    }
    if (now.st_mtim.tv_sec != was->modified.tv_sec ||
        now.st_mtim.tv_nsec != was->modified.tv_nsec) {
        return omma_fail(error, OMMA_STATUS_CHANGED,
                         "%s: changed while in use: it was written to since it was opened",
                         mapping->path);
    }
    return OMMA_OK;
}

/* Advice on the pages that lie within both the range and the mapping. */
static void advise(const struct omma_mapping *mapping, const void *data, size_t n_bytes, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), base = (uintptr_t)mapping->bytes;
    uintptr_t begin = (uintptr_t)data / page * page, end = (uintptr_t)data + n_bytes;

    begin = begin < base ? base : begin;
    end = end > base + mapping->n_bytes ? base + mapping->n_bytes : end;
    if (begin < end) {
        madvise((void *)begin, end - begin, advice);
    }
}

void omma_mapping_prefetch(const struct omma_mapping *mapping, const void *data, size_t n_bytes)
{
    advise(mapping, data, n_bytes, MADV_WILLNEED);
}

void omma_mapping_release(const struct omma_mapping *mapping, const void *data, size_t n_bytes)
{
    advise(mapping, data, n_bytes, MADV_DONTNEED);
}

void omma_mapping_drop_pages(const struct omma_mapping *mapping)
{
    int fd = mapping->location != NULL ? open(mapping->location, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        return; /* memory, or a file without a name */
    }
    /* what is mapped stays cached */
    omma_mapping_release(mapping, mapping->bytes, mapping->n_bytes);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}
