/* fsync(2) of the file, rename(2), fsync(2) of its folder. */
#include "tools/batch/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void release(struct replacement *replacement)
{
    if (replacement->stream != NULL) {
        fclose(replacement->stream);
    }
    free(replacement->path);
    free(replacement->temporary);
    *replacement = (struct replacement){0};
}

enum omma_status replacement_begin(const char *path, struct replacement *replacement,
                                   struct omma_error *error)
{
    int descriptor = -1, failed;

    *replacement = (struct replacement){.path = strdup(path)};
    if (replacement->path == NULL || asprintf(&replacement->temporary, "%s.new", path) < 0) {
        replacement->temporary = NULL;
        release(replacement);
        return fail_memory(error);
    }
    descriptor = open(replacement->temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0 &&
        ftruncate(descriptor, 0) == 0) {
        replacement->stream = fdopen(descriptor, "w");
    }
    if (replacement->stream != NULL) {
        return OMMA_OK;
    }
    failed = errno;
    fail(error, OMMA_STATUS_OUTPUT, "%s: %s", replacement->temporary,
         failed == EWOULDBLOCK ? "another process writes to it" : strerror(failed));
    if (descriptor >= 0) {
        close(descriptor);
    }
    release(replacement);
    return OMMA_STATUS_OUTPUT;
}

static bool synchronize_folder(char *path)
{
    int folder = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_good = folder >= 0 && fsync(folder) == 0;

    if (folder >= 0) {
        close(folder);
    }
    return is_good;
}

enum omma_status replacement_end(struct replacement *replacement, bool is_good,
                                 struct omma_error *error)
{
    enum omma_status status = OMMA_OK;

    if (replacement->stream == NULL) {
        return OMMA_OK;
    }
    errno = 0;
    if (is_good && (fflush(replacement->stream) != 0 || ferror(replacement->stream) ||
                    fsync(fileno(replacement->stream)) != 0 ||
                    rename(replacement->temporary, replacement->path) != 0)) {
        status = fail(error, OMMA_STATUS_OUTPUT, "%s: %s", replacement->path,
                      errno != 0 ? strerror(errno) : "writing failed");
    }
    if (!is_good || status != OMMA_OK) {
        unlink(replacement->temporary);
    } else if (!synchronize_folder(replacement->temporary)) { /* cut by dirname(3) */
        status = fail(error, OMMA_STATUS_OUTPUT, "%s: its folder: %s", replacement->path,
                      strerror(errno));
    }
    release(replacement);
    return status;
}
