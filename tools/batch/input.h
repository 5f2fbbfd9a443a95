/*
 * input.h - the lines of a JSONL file: where they lie, what they are called, and the SHA-256 of
 * all.
 */
#ifndef OMMA_TOOLS_BATCH_INPUT_H
#define OMMA_TOOLS_BATCH_INPUT_H

#include <sys/stat.h>

#include "tools/status.h"

struct input_row {
    off_t offset;
    size_t n_bytes; /* without the newline */
    size_t line;    /* from 1 */
};

struct input {
    char *path;
    int descriptor;
    struct stat stat;
    struct input_row *rows; /* lines with something else than white space */
    size_t n_rows, capacity;
    char sha256[65];
};

/* A regular file.  OMMA_STATUS_USAGE if it is none or cannot be read. */
enum omma_status input_open(const char *path, struct input *input, struct omma_error *error);
void input_close(struct input *input);

/* Row i, [n_bytes] with a NUL behind it, to be freed.  From any thread.  OMMA_STATUS_CHANGED if the
 * file is not the one any more that was opened. */
enum omma_status input_read(const struct input *input, size_t row, char **bytes,
                            struct omma_error *error);

/* OMMA_STATUS_USAGE, with both lines, if two rows have the same custom_id.  Lines that are no JSON
 * have none. */
enum omma_status input_check_names(const struct input *input, struct omma_error *error);

#endif
