/* Lines of text: "KEY", then "SQUARES VALUE_SQUARES LARGEST" in hexadecimal floating point. */
#include "model/quantize/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/file_write.h"

enum { MAX_BYTES = 64 << 20, LINE_BYTES = 100 };

static const char first_word[] = "omma-quantize-1 ";

/* Take the lines of a text; returns how many bytes of it are whole and sound. */
static size_t read_items(struct omma_quantize_journal *journal, const char *text)
{
    const char *at = text, *end;

    while (journal->n_done < journal->n_items && (end = strchr(at, '\n')) != NULL) {
        struct omma_quantize_error *item = &journal->errors[journal->n_done];
        int n = 0;

        if (sscanf(at, "%lf %lf %f%n", &item->squares, &item->value_squares, &item->largest, &n) !=
                3 ||
            at + n != end) {
            break;
        }
        journal->n_done++;
        at = end + 1;
    }
    return (size_t)(at - text);
}

static enum omma_status begin(struct omma_quantize_journal *journal, const char key[65],
                              struct omma_error *error)
{
    char line[LINE_BYTES];
    int n = snprintf(line, sizeof line, "%s%s\n", first_word, key);

    OMMA_TRY(omma_file_write_at(journal->fd, journal->path, line, (size_t)n, 0, error));
    journal->n_bytes = (uint64_t)n;
    return omma_file_sync(journal->fd, journal->path, error);
}

static enum omma_status read_journal(struct omma_quantize_journal *journal, const char key[65],
                                     struct omma_error *error)
{
    size_t n_first = sizeof first_word - 1, n_key = strlen(key), n_bytes;
    enum omma_status status = OMMA_OK;
    char *text = NULL;

    OMMA_TRY(omma_file_read(journal->path, MAX_BYTES, &text, &n_bytes, error));
    if (strchr(text, '\n') == NULL) { /* killed as it began */
        status = begin(journal, key, error);
    } else if (strncmp(text, first_word, n_first) != 0 ||
               strncmp(text + n_first, key, n_key) != 0 || text[n_first + n_key] != '\n') {
        status = omma_fail(error, OMMA_STATUS_USAGE,
                           "%s: holds the beginning of another model, or of this one with other "
                           "options; only force replaces it",
                           journal->dir);
    } else {
        n_first += n_key + 1;
        journal->n_bytes = n_first + read_items(journal, text + n_first);
    }
    free(text);
    return status;
}

/* File systems without locks let everybody in. */
static enum omma_status lock(int fd, const char *dir, struct omma_error *error)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return omma_fail(error, OMMA_STATUS_USAGE, "%s: another process is writing it", dir);
    }
    return OMMA_OK;
}

enum omma_status omma_quantize_journal_check_free(const char *dir, struct omma_error *error)
{
    char *path = omma_file_join(dir, OMMA_QUANTIZE_JOURNAL);
    enum omma_status status = OMMA_OK;
    int fd;

    if (path == NULL) {
        return omma_fail_memory(error, strlen(dir) + sizeof OMMA_QUANTIZE_JOURNAL, "a path");
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        status = lock(fd, dir, error);
        close(fd);
    }
    free(path);
    return status;
}

enum omma_status omma_quantize_journal_open(const char *dir, const char key[65], size_t n_items,
                                            struct omma_quantize_journal *journal,
                                            struct omma_error *error)
{
    enum omma_status status;

    *journal = (struct omma_quantize_journal){.fd = -1, .n_items = n_items};
    journal->dir = strdup(dir);
    journal->path = omma_file_join(dir, OMMA_QUANTIZE_JOURNAL);
    journal->errors = calloc(n_items, sizeof *journal->errors);
    if (journal->dir == NULL || journal->path == NULL || journal->errors == NULL) {
        status = omma_fail_memory(error, n_items * sizeof *journal->errors, "a journal");
        goto fail;
    }
    OMMA_TRY_OR(status, fail, omma_file_open_write(journal->path, &journal->fd, error));
    OMMA_TRY_OR(status, fail, lock(journal->fd, dir, error));
    OMMA_TRY_OR(status, fail, read_journal(journal, key, error));
    journal->n_written = journal->n_done;
    return OMMA_OK;
fail:
    omma_quantize_journal_close(journal);
    return status;
}

void omma_quantize_journal_close(struct omma_quantize_journal *journal)
{
    if (journal->fd >= 0) {
        close(journal->fd);
    }
    free(journal->dir);
    free(journal->path);
    free(journal->errors);
    *journal = (struct omma_quantize_journal){.fd = -1};
}

void omma_quantize_journal_restart(struct omma_quantize_journal *journal)
{
    journal->n_bytes = sizeof first_word - 1 + 64 + 1;
    journal->n_done = journal->n_written = 0;
}

void omma_quantize_journal_add(struct omma_quantize_journal *journal,
                               const struct omma_quantize_error *item)
{
    journal->errors[journal->n_done++] = *item;
}

enum omma_status omma_quantize_journal_sync(struct omma_quantize_journal *journal,
                                            struct omma_error *error)
{
    while (journal->n_written < journal->n_done) {
        const struct omma_quantize_error *item = &journal->errors[journal->n_written];
        char line[LINE_BYTES];
        int n = snprintf(line, sizeof line, "%a %a %a\n", item->squares, item->value_squares,
                         (double)item->largest);

        OMMA_TRY(omma_file_write_at(journal->fd, journal->path, line, (size_t)n, journal->n_bytes,
                                    error));
        journal->n_bytes += (uint64_t)n;
        journal->n_written++;
    }
    if (ftruncate(journal->fd, (off_t)journal->n_bytes) != 0) { /* lines of before a restart */
        return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot write: %m", journal->path);
    }
    return omma_file_sync(journal->fd, journal->path, error);
}

void omma_quantize_journal_remove(struct omma_quantize_journal *journal)
{
    if (journal->path != NULL) {
        unlink(journal->path);
    }
}
