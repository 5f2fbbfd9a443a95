/* A run's manifest and predictions, found. */
#include "tools/eval/run_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum omma_status read_manifest(const char *path, json_t **manifest, struct omma_error *error)
{
    json_error_t why;

    *manifest = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (*manifest == NULL) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: %s (line %d); expected the manifest of a run of omma eval", path, why.text,
                    why.line);
    }
    return OMMA_OK;
}

static enum omma_status member(const json_t *manifest, const char *path, const char *name,
                               const char **text, struct omma_error *error)
{
    *text = json_string_value(json_object_get(manifest, name));
    return *text != NULL ? OMMA_OK
                         : fail(error, OMMA_STATUS_USAGE, "%s: %s: expected a text", path, name);
}

static enum omma_status open_folder(const char *folder, const char *suite, struct run_folder *run,
                                    struct omma_error *error)
{
    const char *name, *file;
    char *path;
    enum omma_status status;

    if (asprintf(&path, "%s/manifest.json", folder) < 0) {
        return fail_memory(error);
    }
    TRY_OR(status, done, read_manifest(path, &run->manifest, error));
    TRY_OR(status, done, member(run->manifest, path, "suite", &name, error));
    TRY_OR(status, done, member(run->manifest, path, "predictions", &file, error));
    if (strchr(file, '/') != NULL) {
        status = fail(error, OMMA_STATUS_USAGE,
                      "%s: predictions: expected the name of a file beside it, found \"%s\"", path,
                      file);
        goto done;
    }
    run->suite = strdup(suite != NULL ? suite : name);
    if (run->suite == NULL || asprintf(&run->predictions, "%s/%s", folder, file) < 0) {
        run->predictions = NULL;
        status = fail_memory(error);
    }
done:
    free(path);
    return status;
}

static enum omma_status open_file(const char *path, const char *suite, struct run_folder *run,
                                  struct omma_error *error)
{
    const char *name = strrchr(path, '/');
    size_t n;

    name = name != NULL ? name + 1 : path;
    n = strlen(name);
    n -= n > 4 && strcmp(name + n - 4, ".tsv") == 0 ? 4 : 0;
    run->predictions = strdup(path);
    run->suite = suite != NULL ? strdup(suite) : strndup(name, n);
    return run->predictions != NULL && run->suite != NULL ? OMMA_OK : fail_memory(error);
}

enum omma_status run_folder_open(const char *path, const char *suite, struct run_folder *run,
                                 struct omma_error *error)
{
    struct stat stat_of_path;
    enum omma_status status;

    *run = (struct run_folder){0};
    if (stat(path, &stat_of_path) != 0) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s", path, strerror(errno));
    }
    status = S_ISDIR(stat_of_path.st_mode) ? open_folder(path, suite, run, error)
                                           : open_file(path, suite, run, error);
    if (status != OMMA_OK) {
        run_folder_close(run);
    }
    return status;
}

void run_folder_close(struct run_folder *run)
{
    free(run->predictions);
    free(run->suite);
    json_decref(run->manifest);
    *run = (struct run_folder){0};
}
