/*
 * mapping.h - files mapped read-only, and the means to tell when one changes underneath.
 *
 * A page that cannot be read (the file was truncated, the disk failed) raises SIGBUS in the thread
 * that touches it; the library leaves that signal to the program, which can ask omma_model_locate()
 * what the address was.
 */
#ifndef OMMA_PLATFORM_MAPPING_H
#define OMMA_PLATFORM_MAPPING_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/status.h"

/* What tells that a file is still the one that was opened. */
struct omma_file_identity {
    dev_t device;
    ino_t inode;
    off_t n_bytes;
    struct timespec modified;
};

struct omma_mapping {
    const uint8_t *bytes;
    size_t n_bytes;
    char *path;     /* as it was given, for messages */
    char *location; /* absolute, for omma_mapping_check(); NULL: no file has that path */
    struct omma_file_identity identity;
};

/* Map a regular file; symbolic links are followed, the descriptor is closed.  An empty file gives
 * bytes NULL, n_bytes 0.  Failures are OMMA_STATUS_MODEL: mappings are a model's files. */
enum omma_status omma_mapping_open(const char *path, struct omma_mapping *mapping,
                                   struct omma_error *error);

/* Map an open descriptor (not closed here); path is for messages. */
enum omma_status omma_mapping_open_fd(int fd, const char *path, struct omma_mapping *mapping,
                                      struct omma_error *error);

void omma_mapping_close(struct omma_mapping *mapping);

/* OMMA_STATUS_CHANGED if the file under the path was changed in place or truncated since it was
 * mapped.  One replaced by rename is fine: the mapping still shows the old one. */
enum omma_status omma_mapping_check(const struct omma_mapping *mapping, struct omma_error *error);

/* For passes over a file: bytes that will soon be read, and bytes that will not be again for long,
 * whose pages need not stay with this process.  Only advice; the range may reach beyond the
 * mapping. */
void omma_mapping_prefetch(const struct omma_mapping *mapping, const void *data, size_t n_bytes);
void omma_mapping_release(const struct omma_mapping *mapping, const void *data, size_t n_bytes);

/* Let go of the file's pages, and ask the page cache to do so too; whoever reads one again waits
 * for the disk. */
void omma_mapping_drop_pages(const struct omma_mapping *mapping);

#endif
