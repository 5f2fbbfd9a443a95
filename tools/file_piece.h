/*
 * file_piece.h - parts of a file that is read again and again, and must stay what it was.
 */
#ifndef OMMA_TOOLS_FILE_PIECE_H
#define OMMA_TOOLS_FILE_PIECE_H

#include <sys/stat.h>

#include "tools/status.h"

/* n_bytes from the offset on, a NUL behind them, to be freed.  opened: what fstat(2) said when the
 * file was opened; path: for messages.  From any thread.  OMMA_STATUS_CHANGED if the file is not
 * the one any more that was opened. */
enum omma_status file_piece_read(int descriptor, const struct stat *opened, const char *path,
                                 size_t offset, size_t n_bytes, char **bytes,
                                 struct omma_error *error);

#endif
