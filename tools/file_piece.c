/* pread(2), and the file's size and time of change afterwards. */
#include "tools/file_piece.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum omma_status file_piece_read(int descriptor, const struct stat *opened, const char *path,
                                 size_t offset, size_t n_bytes, char **bytes,
                                 struct omma_error *error)
{
    char *piece = malloc(n_bytes + 1);
    struct stat stat;
    size_t n = 0;
    ssize_t got = 1;

    if (piece == NULL) {
        return fail_memory(error);
    }
    while (n < n_bytes && got > 0) {
        got = pread(descriptor, piece + n, n_bytes - n, (off_t)(offset + n));
        n += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno == EINTR ? 1 : got;
    }
    if (n < n_bytes || fstat(descriptor, &stat) != 0 || stat.st_size != opened->st_size ||
        memcmp(&stat.st_mtim, &opened->st_mtim, sizeof stat.st_mtim) != 0) {
        free(piece);
        return fail(error, OMMA_STATUS_CHANGED, "%s: changed while it was read", path);
    }
    piece[n] = '\0';
    *bytes = piece;
    return OMMA_OK;
}
