/*
 * journal.h - what a run of many rows has computed so far, kept from the moment it exists.
 *
 * A journal is a SQLite database beside the output, in WAL mode with synchronous=FULL: a row whose
 * commit returned survives the process and the machine.  It belongs to one key, the settings that
 * an answer depends on, and is refused under another one.  One run at a time writes to it; anybody
 * may read it meanwhile.
 *
 * `omma batch` and `omma eval` number their rows from 0; what a row's texts mean is theirs.  All
 * functions of a journal are called from one thread at a time.
 */
#ifndef OMMA_TOOLS_BATCH_JOURNAL_H
#define OMMA_TOOLS_BATCH_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/status.h"

struct journal;

/* A setting that answers depend on. */
struct journal_setting {
    const char *name, *value;
};

enum journal_mode {
    JOURNAL_AUTO,    /* go on with the one that is there, else begin one */
    JOURNAL_RESUME,  /* there must be one */
    JOURNAL_RESTART, /* forget the rows of the one that is there */
};

/* A row: its number, whether it failed, and two texts, the second of which is what differs from run
 * to run (times). */
struct journal_row {
    uint64_t number;
    bool is_error;
    const char *result; /* no NUL in it */
    const char *timings;
};

/* The journal at path for a run with this key, until journal_close() for this process alone.
 * OMMA_STATUS_USAGE if another run has it, it is none, the key is another (with the settings that
 * differ), it lies on a network file system, where neither locks nor fsync(2) can be relied on, or
 * JOURNAL_RESUME finds none; OMMA_STATUS_OUTPUT if it cannot be written. */
enum omma_status journal_open(const char *path, const struct journal_setting *key, size_t n_key,
                              enum journal_mode mode, struct journal **journal,
                              struct omma_error *error);

/* For reading, whether a run writes to it or not.  OMMA_STATUS_USAGE if there is none. */
enum omma_status journal_open_reading(const char *path, struct journal **journal,
                                      struct omma_error *error);

/* What is not committed is forgotten. */
void journal_close(struct journal **journal);

/* Add a row that is not there yet: it is kept once journal_commit() returned. */
enum omma_status journal_add(struct journal *journal, const struct journal_row *row,
                             struct omma_error *error);

/* Returns when all rows added so far are on the disk.  If not, with OMMA_STATUS_OUTPUT, those
 * committed before still are, and the journal is to be closed. */
enum omma_status journal_commit(struct journal *journal, struct omma_error *error);

/* Forget the rows that failed, so that they are computed again. */
enum omma_status journal_drop_errors(struct journal *journal, struct omma_error *error);

/* Something to know of the run that answers do not depend on: replaces what had that name. */
enum omma_status journal_set_note(struct journal *journal, const char *name, const char *value,
                                  struct omma_error *error);

/* A note or a setting of the key, to be freed; *value is NULL if there is none. */
enum omma_status journal_value(struct journal *journal, const char *name, char **value,
                               struct omma_error *error);

/* Called with each committed row, by number; its texts are valid for the call.  Another status than
 * OMMA_OK ends it. */
typedef enum omma_status (*journal_fn)(void *user, const struct journal_row *row,
                                       struct omma_error *error);

enum omma_status journal_each(struct journal *journal, journal_fn each, void *user,
                              struct omma_error *error);

#endif
