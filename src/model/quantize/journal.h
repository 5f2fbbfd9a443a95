/*
 * journal.h - how far an omma_model_quantize() came, in a file of the folder that it writes, so
 * that one that was killed goes on where the disk is known to hold what was written.
 *
 * The first line has the key, a digest of what is converted and how; then a line for each item of
 * the plan, in its order, that is on the disk, with its sums of errors.  A last line without its
 * end, or one that is damaged, counts as none.  The file is locked as long as it is open.
 */
#ifndef OMMA_MODEL_QUANTIZE_JOURNAL_H
#define OMMA_MODEL_QUANTIZE_JOURNAL_H

#include <stdbool.h>

#include "base/status.h"
#include "model/quantize/rows.h"

#define OMMA_QUANTIZE_JOURNAL "omma-quantize.journal"

struct omma_quantize_journal {
    char *dir, *path;
    int fd; /* -1: closed */
    size_t n_items, n_done;
    struct omma_quantize_error *errors; /* [n_items]; of those done */
    size_t n_written;                   /* of them that stand in the file */
    uint64_t n_bytes;                   /* of the file */
};

/* Open the journal of a folder, or begin one.  OMMA_STATUS_USAGE if it is of another key, or if
 * another process holds it. */
enum omma_status omma_quantize_journal_open(const char *dir, const char key[65], size_t n_items,
                                            struct omma_quantize_journal *journal,
                                            struct omma_error *error);
void omma_quantize_journal_close(struct omma_quantize_journal *journal);

/* OMMA_STATUS_USAGE if another process holds the journal of a folder, which may have none. */
enum omma_status omma_quantize_journal_check_free(const char *dir, struct omma_error *error);

/* Forget all items. */
void omma_quantize_journal_restart(struct omma_quantize_journal *journal);

/* Note the next item; in memory until the next sync. */
void omma_quantize_journal_add(struct omma_quantize_journal *journal,
                               const struct omma_quantize_error *item);

/* Write what was noted, once it is on the disk itself, and wait until it is. */
enum omma_status omma_quantize_journal_sync(struct omma_quantize_journal *journal,
                                            struct omma_error *error);

/* Remove the file: the folder is complete. */
void omma_quantize_journal_remove(struct omma_quantize_journal *journal);

#endif
