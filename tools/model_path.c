/*
 * Looking up models by name.  The Makefile gives OMMA_DATA_DIR, OMMA_BUILD_DIR and OMMA_SOURCE_DIR.
 */
#include "tools/model_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The places searched so far, for the message. */
struct search {
    const char *name;
    char places[2048];
};

/* Whether the program runs from its build tree: BUILD/omma, or libtool's BUILD/.libs/omma.
 * Installed programs must not look into a folder that anyone may make where theirs was once built.
 */
static bool is_in_build_tree(void)
{
    char *build = realpath(OMMA_BUILD_DIR, NULL);
    char *program = realpath("/proc/self/exe", NULL);
    size_t n = build != NULL ? strlen(build) : 0;
    bool is_inside = false;

    if (build != NULL && program != NULL) {
        *strrchr(program, '/') = '\0';
        is_inside = strncmp(program, build, n) == 0 &&
                    (program[n] == '\0' || strcmp(program + n, "/.libs") == 0);
    }
    free(program);
    free(build);
    return is_inside;
}

/* Look in the folder of n bytes; *path stays NULL if the model is not there. */
static enum omma_status look_in(struct search *search, const char *folder, size_t n, char **path,
                                struct omma_error *error)
{
    struct stat status;
    size_t used = strlen(search->places);

    if (n == 0) {
        return OMMA_OK;
    }
    snprintf(search->places + used, sizeof search->places - used, "%s%.*s", used > 0 ? ", " : "",
             (int)n, folder);
    if (asprintf(path, "%.*s/%s", (int)n, folder, search->name) < 0) {
        *path = NULL;
        return fail_memory(error);
    }
    if (stat(*path, &status) != 0) {
        free(*path);
        *path = NULL;
    }
    return OMMA_OK;
}

static enum omma_status look_up(struct search *search, char **path, struct omma_error *error)
{
    const char *folders = getenv("OMMA_MODEL_PATH");

    while (folders != NULL && *path == NULL) {
        size_t n = strcspn(folders, ":");

        TRY(look_in(search, folders, n, path, error));
        folders = folders[n] == ':' ? folders + n + 1 : NULL;
    }
    if (*path == NULL && is_in_build_tree()) {
        char *source = realpath(OMMA_SOURCE_DIR, NULL);
        enum omma_status status =
            source != NULL ? look_in(search, source, strlen(source), path, error) : OMMA_OK;

        free(source);
        TRY(status);
    }
    if (*path == NULL) {
        TRY(look_in(search, OMMA_DATA_DIR, strlen(OMMA_DATA_DIR), path, error));
    }
    return OMMA_OK;
}

enum omma_status model_path_find(const char *name, char **path, struct omma_error *error)
{
    struct search search = {.name = name};
    struct stat status;
    char *found = NULL;

    if (*name == '\0') {
        return fail(error, OMMA_STATUS_USAGE,
                    "--model: expected a folder or a name, found nothing");
    }
    if (stat(name, &status) == 0) {
        found = strdup(name);
        if (found == NULL) {
            return fail_memory(error);
        }
    } else if (strchr(name, '/') != NULL) {
        return fail(error, OMMA_STATUS_MODEL, "%s: %s", name, strerror(errno));
    } else {
        TRY(look_up(&search, &found, error));
    }
    if (found == NULL) {
        return fail(
            error, OMMA_STATUS_MODEL,
            "%s: expected a model's folder or the name of a model, found neither here nor in %s",
            name, search.places);
    }
    *path = found;
    return OMMA_OK;
}
