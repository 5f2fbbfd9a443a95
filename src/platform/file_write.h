/*
 * file_write.h - writing files such that a program that is killed, or a disk that is full, leaves
 * either the old file or the new one.
 *
 * Failures are OMMA_STATUS_OUTPUT, "path: cannot write: why".
 */
#ifndef OMMA_PLATFORM_FILE_WRITE_H
#define OMMA_PLATFORM_FILE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Make a file that must not exist, or open one for writing as it is (made if need be); *fd is
 * closed on exec. */
enum omma_status omma_file_create(const char *path, int *fd, struct omma_error *error);
enum omma_status omma_file_open_write(const char *path, int *fd, struct omma_error *error);

/* All n_bytes at the offset, EINTR and short writes included; path is for messages. */
enum omma_status omma_file_write_at(int fd, const char *path, const void *bytes, size_t n_bytes,
                                    uint64_t offset, struct omma_error *error);

/* Wait until what was written to fd is on the disk. */
enum omma_status omma_file_sync(int fd, const char *path, struct omma_error *error);

/* close(2), where some file systems first report a failed write.  Returns status if that is not
 * OMMA_OK. */
enum omma_status omma_file_close(int fd, const char *path, enum omma_status status,
                                 struct omma_error *error);

/* Give DIR/NAME this content at once: written beside it, as NAME.partial, and renamed. */
enum omma_status omma_file_replace(const char *dir, const char *name, const void *bytes,
                                   size_t n_bytes, struct omma_error *error);

/* rename(2) within dir, and wait until the folder knows it on the disk. */
enum omma_status omma_file_rename(const char *dir, const char *from, const char *to,
                                  struct omma_error *error);

/* Make the folder if there is none (its parent must be there); *is_empty: it holds nothing. */
enum omma_status omma_folder_make(const char *dir, bool *is_empty, struct omma_error *error);

#endif
