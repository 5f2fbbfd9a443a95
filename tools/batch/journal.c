/*
 * The database: `setting` and `note` (name, value), `answer` (number, is_error, result, timings).
 *
 * A run holds flock(2) on the file, which SQLite's own locks (fcntl) know nothing of: readers come
 * in meanwhile.  Closing any descriptor of a file drops the process's fcntl locks on it, so the
 * descriptor with the lock is opened before SQLite's and closed after them.
 *
 * A commit that failed may be in the WAL all the same: as fsync(2) fails once and then forgets,
 * these pages may look written and never be.  So a journal that goes on is checkpointed first: what
 * counts as done then lies in the database, written and synchronised anew.
 */
#include "tools/batch/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x6F6D6D61, /* "omma" */
    FORMAT = 1,                  /* user_version; 0: a database that nothing was written to */
    BUSY_MS = 10000,             /* a reader recovers or checkpoints */
};

struct journal {
    char *path;
    int lock; /* -1: for reading */
    sqlite3 *database;
    sqlite3_stmt *insert;
    bool is_open; /* a transaction is */
};

static const char schema[] =
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE answer (number INTEGER PRIMARY KEY, is_error INTEGER NOT NULL,"
    " result TEXT NOT NULL, timings TEXT NOT NULL);";

/* What the system refused, as far as SQLite tells. */
static const char *refusal(int code)
{
    switch (code) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        return " (fsync failed)";
    case SQLITE_IOERR_WRITE:
        return " (writing failed)";
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
        return " (reading failed)";
    default:
        return "";
    }
}

/* What SQLite said of the last call. */
static enum omma_status fail_database(const struct journal *journal, const char *doing,
                                      struct omma_error *error)
{
    int code = sqlite3_extended_errcode(journal->database);

    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return fail_memory(error);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected a journal of omma, found another file or a damaged one: %s",
                    journal->path, sqlite3_errmsg(journal->database));
    default:
        return fail(error, OMMA_STATUS_OUTPUT, "%s: %s: %s%s; rows committed before are kept",
                    journal->path, doing, sqlite3_errmsg(journal->database), refusal(code));
    }
}

static enum omma_status execute(struct journal *journal, const char *sql, struct omma_error *error)
{
    if (sqlite3_exec(journal->database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return fail_database(journal, "writing", error);
    }
    return OMMA_OK;
}

static enum omma_status prepare(struct journal *journal, const char *sql, sqlite3_stmt **statement,
                                struct omma_error *error)
{
    if (sqlite3_prepare_v2(journal->database, sql, -1, statement, NULL) != SQLITE_OK) {
        return fail_database(journal, "reading", error);
    }
    return OMMA_OK;
}

/* Every statement that changes something stands in a transaction. */
static enum omma_status begin(struct journal *journal, struct omma_error *error)
{
    if (!journal->is_open) {
        TRY(execute(journal, "BEGIN IMMEDIATE", error));
        journal->is_open = true;
    }
    return OMMA_OK;
}

enum omma_status journal_commit(struct journal *journal, struct omma_error *error)
{
    if (!journal->is_open) {
        return OMMA_OK;
    }
    TRY(execute(journal, "COMMIT", error));
    journal->is_open = false;
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The place
 * --------------------------------------------------------------------------------------------- */

/* The name of a network file system by its magic number (statfs(2)); NULL: it is none. */
static const char *network_name(long type)
{
    static const struct {
        uint32_t magic;
        const char *name;
    } systems[] = {
        {0x6969, "NFS"},       {0x517B, "SMB"},        {0xFF534D42, "CIFS"},
        {0xFE534D42, "SMB2"},  {0x5346414F, "AFS"},    {0x6B414653, "AFS"},
        {0x73757245, "Coda"},  {0x00C36400, "Ceph"},   {0x0BD00BD0, "Lustre"},
        {0x47504653, "GPFS"},  {0x19830326, "BeeGFS"}, {0x20030528, "OrangeFS"},
        {0xAAD7AAEA, "PanFS"}, {0x01021997, "9p"},     {0x564C, "NCP"},
    };

    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        if (systems[i].magic == (uint32_t)type) {
            return systems[i].name;
        }
    }
    return NULL;
}

static enum omma_status check_place(const struct journal *journal, struct omma_error *error)
{
    struct statfs statfs;
    struct stat stat;
    const char *name;

    if (fstat(journal->lock, &stat) != 0 || fstatfs(journal->lock, &statfs) != 0) {
        return fail(error, OMMA_STATUS_OUTPUT, "%s: %s", journal->path, strerror(errno));
    }
    if (!S_ISREG(stat.st_mode)) {
        return fail(error, OMMA_STATUS_USAGE, "%s: expected a regular file", journal->path);
    }
    name = network_name((long)statfs.f_type);
    if (name != NULL) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: a journal cannot be kept on a network file system (%s): write to a local "
                    "disk, with --shard I/N a part on each machine",
                    journal->path, name);
    }
    return OMMA_OK;
}

/* A file that was just made is there after a crash once its folder is synchronised. */
static enum omma_status synchronize_folder(const char *path, struct omma_error *error)
{
    char *copy = strdup(path);
    int folder, failed;

    if (copy == NULL) {
        return fail_memory(error);
    }
    folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    failed = folder < 0 || fsync(folder) != 0 ? errno : 0;
    if (folder >= 0) {
        close(folder);
    }
    free(copy);
    if (failed != 0) {
        return fail(error, OMMA_STATUS_OUTPUT, "%s: its folder: %s", path, strerror(failed));
    }
    return OMMA_OK;
}

/* The file with its lock; made if there is none and that is allowed. */
static enum omma_status take(struct journal *journal, enum journal_mode mode,
                             struct omma_error *error)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;

    journal->lock = open(journal->path, flags);
    if (journal->lock < 0 && errno == ENOENT && mode == JOURNAL_RESUME) {
        return fail(error, OMMA_STATUS_USAGE, "%s: there is no journal to go on with",
                    journal->path);
    }
    if (journal->lock < 0 && errno == ENOENT) {
        journal->lock = open(journal->path, flags | O_CREAT, 0666);
    }
    if (journal->lock < 0) {
        return fail(error, OMMA_STATUS_OUTPUT, "%s: %s", journal->path, strerror(errno));
    }
    TRY(check_place(journal, error));
    if (flock(journal->lock, LOCK_EX | LOCK_NB) != 0) {
        return fail(error, OMMA_STATUS_USAGE, "%s: another run writes to it", journal->path);
    }
    return synchronize_folder(journal->path, error);
}

/* ------------------------------------------------------------------------------------------------
 * The key
 * --------------------------------------------------------------------------------------------- */

static enum omma_status put(struct journal *journal, const char *sql, const char *name,
                            const char *value, struct omma_error *error)
{
    sqlite3_stmt *statement;
    enum omma_status status = OMMA_OK;

    TRY(begin(journal, error));
    TRY(prepare(journal, sql, &statement, error));
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE) {
        status = fail_database(journal, "writing", error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum omma_status write_key(struct journal *journal, const struct journal_setting *key,
                                  size_t n_key, struct omma_error *error)
{
    for (size_t i = 0; i < n_key; i++) {
        TRY(put(journal, "INSERT INTO setting VALUES (?, ?)", key[i].name, key[i].value, error));
    }
    return OMMA_OK;
}

enum omma_status journal_set_note(struct journal *journal, const char *name, const char *value,
                                  struct omma_error *error)
{
    return put(journal, "INSERT OR REPLACE INTO note VALUES (?, ?)", name, value, error);
}

enum omma_status journal_value(struct journal *journal, const char *name, char **value,
                               struct omma_error *error)
{
    sqlite3_stmt *statement;
    enum omma_status status = OMMA_OK;
    int code;

    *value = NULL;
    TRY(prepare(journal,
                "SELECT value FROM setting WHERE name = ?1 UNION ALL"
                " SELECT value FROM note WHERE name = ?1",
                &statement, error));
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);

        *value = text != NULL ? strdup(text) : NULL;
        status = *value == NULL ? fail_memory(error) : OMMA_OK;
    } else if (code != SQLITE_DONE) {
        status = fail_database(journal, "reading", error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* "; tier: avx2, now avx512" onto text. */
static void add_change(char *text, size_t capacity, const char *name, const char *old,
                       const char *new)
{
    size_t n = strlen(text);

    snprintf(text + n, capacity - n, "%s%s: %s, now %s", n > 0 ? "; " : "", name, old, new);
}

/* Settings that one of the two has and the other one has not, or otherwise. */
static enum omma_status check_key(struct journal *journal, const struct journal_setting *key,
                                  size_t n_key, struct omma_error *error)
{
    char changes[2048] = "", sql[] = "SELECT name, value FROM setting ORDER BY rowid";
    size_t n_found = 0;
    sqlite3_stmt *statement;
    int code;

    TRY(prepare(journal, sql, &statement, error));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        const char *value = (const char *)sqlite3_column_text(statement, 1);
        size_t i = 0;

        while (i < n_key && name != NULL && strcmp(key[i].name, name) != 0) {
            i++;
        }
        n_found += i < n_key;
        if (name == NULL || value == NULL || i == n_key || strcmp(key[i].value, value) != 0) {
            add_change(changes, sizeof changes, name != NULL ? name : "?",
                       value != NULL ? value : "?", i < n_key ? key[i].value : "none");
        }
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) {
        return fail_database(journal, "reading", error);
    }
    if (changes[0] == '\0' && n_found != n_key) {
        add_change(changes, sizeof changes, "settings", "fewer", "more");
    }
    if (changes[0] != '\0') {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: its rows were computed with other settings: %s; --restart forgets them",
                    journal->path, changes);
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Opening
 * --------------------------------------------------------------------------------------------- */

static enum omma_status read_number(struct journal *journal, const char *sql, int *number,
                                    struct omma_error *error)
{
    sqlite3_stmt *statement;
    enum omma_status status = OMMA_OK;

    TRY(prepare(journal, sql, &statement, error));
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *number = sqlite3_column_int(statement, 0);
    } else {
        status = fail_database(journal, "reading", error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* *is_new: nothing was ever committed to it. */
static enum omma_status check_format(struct journal *journal, bool *is_new,
                                     struct omma_error *error)
{
    int application = 0, format = 0, n_tables = 0;

    TRY(read_number(journal, "PRAGMA application_id", &application, error));
    TRY(read_number(journal, "PRAGMA user_version", &format, error));
    TRY(read_number(journal, "SELECT count(*) FROM sqlite_schema", &n_tables, error));
    *is_new = application == 0 && format == 0 && n_tables == 0;
    if (!*is_new && application != APPLICATION_ID) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected a journal of omma, found another database", journal->path);
    }
    if (!*is_new && format != FORMAT) {
        return fail(error, OMMA_STATUS_USAGE, "%s: expected a journal of format %d, found %d",
                    journal->path, FORMAT, format);
    }
    return OMMA_OK;
}

static enum omma_status open_database(struct journal *journal, struct omma_error *error)
{
    if (sqlite3_open_v2(journal->path, &journal->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK) {
        return journal->database == NULL ? fail_memory(error)
                                         : fail_database(journal, "opening", error);
    }
    sqlite3_extended_result_codes(journal->database, 1);
    sqlite3_busy_timeout(journal->database, BUSY_MS);
    return OMMA_OK;
}

static enum omma_status make(struct journal *journal, const struct journal_setting *key,
                             size_t n_key, struct omma_error *error)
{
    char pragmas[80];

    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, FORMAT);
    TRY(begin(journal, error));
    TRY(execute(journal, schema, error));
    TRY(execute(journal, pragmas, error));
    TRY(write_key(journal, key, n_key, error));
    return journal_commit(journal, error);
}

static enum omma_status restart(struct journal *journal, const struct journal_setting *key,
                                size_t n_key, struct omma_error *error)
{
    TRY(begin(journal, error));
    TRY(execute(journal, "DELETE FROM answer; DELETE FROM note; DELETE FROM setting", error));
    TRY(write_key(journal, key, n_key, error));
    return journal_commit(journal, error);
}

/* WAL and synchronous writing, and everything that the WAL holds into the database. */
static enum omma_status settle(struct journal *journal, struct omma_error *error)
{
    int is_wal = 0;

    TRY(execute(journal, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", error));
    TRY(read_number(journal, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal,
                    error));
    if (!is_wal) {
        return fail(error, OMMA_STATUS_OUTPUT, "%s: SQLite's WAL mode cannot be had here",
                    journal->path);
    }
    return execute(journal, "PRAGMA wal_checkpoint(TRUNCATE)", error);
}

static enum omma_status create(const char *path, struct journal **journal, struct omma_error *error)
{
    *journal = calloc(1, sizeof **journal);
    if (*journal == NULL) {
        return fail_memory(error);
    }
    (*journal)->lock = -1;
    (*journal)->path = strdup(path);
    if ((*journal)->path == NULL) {
        journal_close(journal);
        return fail_memory(error);
    }
    return OMMA_OK;
}

static enum omma_status open_writing(struct journal *journal, const struct journal_setting *key,
                                     size_t n_key, enum journal_mode mode, struct omma_error *error)
{
    bool is_new;

    TRY(take(journal, mode, error));
    TRY(open_database(journal, error));
    TRY(check_format(journal, &is_new, error));
    TRY(settle(journal, error));
    if (is_new) {
        return make(journal, key, n_key, error);
    }
    return mode == JOURNAL_RESTART ? restart(journal, key, n_key, error)
                                   : check_key(journal, key, n_key, error);
}

enum omma_status journal_open(const char *path, const struct journal_setting *key, size_t n_key,
                              enum journal_mode mode, struct journal **journal,
                              struct omma_error *error)
{
    struct journal *made;
    enum omma_status status;

    TRY(create(path, &made, error));
    status = open_writing(made, key, n_key, mode, error);
    if (status != OMMA_OK) {
        journal_close(&made);
        return status;
    }
    *journal = made;
    return OMMA_OK;
}

static enum omma_status open_reading(struct journal *journal, struct omma_error *error)
{
    bool is_new;

    if (access(journal->path, F_OK) != 0) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s", journal->path, strerror(errno));
    }
    TRY(open_database(journal, error));
    TRY(execute(journal, "PRAGMA query_only = 1", error));
    TRY(check_format(journal, &is_new, error));
    if (is_new) {
        return fail(error, OMMA_STATUS_USAGE, "%s: nothing was written to it yet", journal->path);
    }
    return OMMA_OK;
}

enum omma_status journal_open_reading(const char *path, struct journal **journal,
                                      struct omma_error *error)
{
    struct journal *made;
    enum omma_status status;

    TRY(create(path, &made, error));
    status = open_reading(made, error);
    if (status != OMMA_OK) {
        journal_close(&made);
        return status;
    }
    *journal = made;
    return OMMA_OK;
}

void journal_close(struct journal **journal)
{
    struct journal *closed = *journal;

    if (closed == NULL) {
        return;
    }
    sqlite3_finalize(closed->insert);
    sqlite3_close(closed->database); /* rolls back what is open */
    if (closed->lock >= 0) {
        close(closed->lock);
    }
    free(closed->path);
    free(closed);
    *journal = NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Rows
 * --------------------------------------------------------------------------------------------- */

enum omma_status journal_add(struct journal *journal, const struct journal_row *row,
                             struct omma_error *error)
{
    int code;

    TRY(begin(journal, error));
    if (journal->insert == NULL) {
        TRY(prepare(journal, "INSERT INTO answer VALUES (?, ?, ?, ?)", &journal->insert, error));
    }
    sqlite3_bind_int64(journal->insert, 1, (sqlite3_int64)row->number);
    sqlite3_bind_int(journal->insert, 2, row->is_error);
    sqlite3_bind_text(journal->insert, 3, row->result, -1, SQLITE_STATIC);
    sqlite3_bind_text(journal->insert, 4, row->timings, -1, SQLITE_STATIC);
    code = sqlite3_step(journal->insert);
    sqlite3_reset(journal->insert);
    if ((code & 0xFF) == SQLITE_CONSTRAINT) {
        return fail(error, OMMA_STATUS_INTERNAL, "%s: row %llu is there already", journal->path,
                    (unsigned long long)row->number);
    }
    if (code != SQLITE_DONE) {
        return fail_database(journal, "writing", error);
    }
    return OMMA_OK;
}

enum omma_status journal_drop_errors(struct journal *journal, struct omma_error *error)
{
    TRY(begin(journal, error));
    TRY(execute(journal, "DELETE FROM answer WHERE is_error", error));
    return journal_commit(journal, error);
}

enum omma_status journal_each(struct journal *journal, journal_fn each, void *user,
                              struct omma_error *error)
{
    sqlite3_stmt *statement;
    enum omma_status status = OMMA_OK;
    int code = SQLITE_ROW;

    TRY(prepare(journal, "SELECT number, is_error, result, timings FROM answer ORDER BY number",
                &statement, error));
    while (status == OMMA_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct journal_row row = {
            .number = (uint64_t)sqlite3_column_int64(statement, 0),
            .is_error = sqlite3_column_int(statement, 1) != 0,
            .result = (const char *)sqlite3_column_text(statement, 2),
            .timings = (const char *)sqlite3_column_text(statement, 3),
        };

        status = row.result == NULL || row.timings == NULL ? fail_memory(error)
                                                           : each(user, &row, error);
    }
    if (status == OMMA_OK && code != SQLITE_DONE) {
        status = fail_database(journal, "reading", error);
    }
    sqlite3_finalize(statement);
    return status;
}
