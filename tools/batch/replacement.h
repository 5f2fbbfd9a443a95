/*
 * replacement.h - a file that appears whole or not at all: written beside its place, on the disk
 * before it is renamed.
 */
#ifndef OMMA_TOOLS_BATCH_REPLACEMENT_H
#define OMMA_TOOLS_BATCH_REPLACEMENT_H

#include <stdio.h>

#include "tools/status.h"

struct replacement {
    char *path, *temporary;
    FILE *stream; /* to write to; errors are told by replacement_end() */
};

/* Writes to "PATH.new" until the end.  OMMA_STATUS_OUTPUT, also if another process does. */
enum omma_status replacement_begin(const char *path, struct replacement *replacement,
                                   struct omma_error *error);

/* Put it in its place, unless is_good is false: then, and where that fails, what was there stays.
 * A replacement of all zeroes is left alone. */
enum omma_status replacement_end(struct replacement *replacement, bool is_good,
                                 struct omma_error *error);

#endif
