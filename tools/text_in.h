/*
 * text_in.h - texts from arguments, files and standard input.
 */
#ifndef OMMA_TOOLS_TEXT_IN_H
#define OMMA_TOOLS_TEXT_IN_H

#include <stdio.h>

#include "tools/status.h"

/* Bytes, a NUL behind them that does not count; release with text_free(). */
struct text {
    char *bytes;
    size_t n_bytes;
};

void text_free(struct text *text);

/* A copy of the string. */
enum omma_status text_copy(const char *string, struct text *text, struct omma_error *error);

/* All of the stream.  name: for messages. */
enum omma_status text_read(FILE *stream, const char *name, struct text *text,
                           struct omma_error *error);

/* All of a file. */
enum omma_status text_of_file(const char *path, struct text *text, struct omma_error *error);

/* "@FILE": the file's text without one newline at its end; else the argument itself. */
enum omma_status text_of_argument(const char *argument, struct text *text,
                                  struct omma_error *error);

/* Leave out one newline at the end. */
void text_chomp(struct text *text);

/* The next line of the stream without its newline; *got is false at the end.  What text held before
 * is released: start with {0}. */
enum omma_status text_read_line(FILE *stream, const char *name, struct text *text, bool *got,
                                struct omma_error *error);

#endif
