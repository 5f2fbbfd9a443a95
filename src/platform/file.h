/*
 * file.h - small files read whole, and the one way in which a model's files are opened.
 */
#ifndef OMMA_PLATFORM_FILE_H
#define OMMA_PLATFORM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/status.h"

/* Open a regular file for reading, symbolic links followed; *fd is closed on exec.  Anything else
 * under the path (a folder, a FIFO) is refused, without waiting for it.  OMMA_STATUS_MODEL, or
 * OMMA_STATUS_RESOURCES where a limit of the process stands in the way. */
enum omma_status omma_file_open(const char *path, int *fd, struct stat *status,
                                struct omma_error *error);

/* Read a whole file of at most max_bytes; *bytes is released with free() and has a NUL behind its
 * n_bytes.  OMMA_STATUS_MODEL as above. */
enum omma_status omma_file_read(const char *path, size_t max_bytes, char **bytes, size_t *n_bytes,
                                struct omma_error *error);

/* Whether there is anything under the path; a symbolic link that leads nowhere counts, so that it
 * is opened and named in a message. */
bool omma_file_exists(const char *path);

/* "DIR/NAME", to be freed; NULL if memory is short. */
char *omma_file_join(const char *dir, const char *name);

#endif
