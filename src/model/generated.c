/*
 * Generated models as the API gives them: in memory, where a memfd holds the same safetensors image
 * that a file would and the same reader maps it, or as a folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"
#include "model/generate.h"
#include "model/open.h"
#include "platform/file.h"
#include "platform/file_write.h"

/* A model that the machine cannot hold would bring the out-of-memory killer down on it. */
static uint64_t machine_memory(void)
{
    long n_pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);

    return n_pages > 0 && page_bytes > 0 ? (uint64_t)n_pages * (uint64_t)page_bytes : UINT64_MAX;
}

enum omma_status omma_model_generate(const struct omma_model_shape *shape,
                                     struct omma_model **model, struct omma_error *error)
{
    struct omma_mapping mapping;
    enum omma_status status;
    char *config = NULL, name[64];
    int fd = -1;

    OMMA_TRY(omma_generate_config(shape, &config, error));
    snprintf(name, sizeof name, "generated %.8s", shape->size);
    fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) {
        status = omma_fail(error, OMMA_STATUS_RESOURCES, "%s: cannot take memory: %m", name);
        goto out;
    }
    status = omma_generate_weights(config, shape->seed, fd, true, name, machine_memory(), error);
    if (status != OMMA_OK) {
        goto out;
    }
    OMMA_TRY_OR(status, out, omma_mapping_open_fd(fd, name, &mapping, error));
    status = omma_model_open_image(config, strlen(config), &mapping, model, error);
out:
    if (fd >= 0) {
        close(fd);
    }
    free(config);
    return status;
}

/* ------------------------------------------------------------------------------------------------
 * As a folder
 * --------------------------------------------------------------------------------------------- */

static enum omma_status make_folder(const char *dir, struct omma_error *error)
{
    bool is_empty;

    OMMA_TRY(omma_folder_make(dir, &is_empty, error));
    return is_empty ? OMMA_OK
                    : omma_fail(error, OMMA_STATUS_USAGE,
                                "%s: expected an empty folder or none, found one with files", dir);
}

static enum omma_status write_weights(const char *dir, const char *config, uint64_t seed,
                                      struct omma_error *error)
{
    char *path = omma_file_join(dir, "model.safetensors");
    enum omma_status status;
    int fd;

    if (path == NULL) {
        return omma_fail_memory(error, strlen(dir) + sizeof "/model.safetensors", "a path");
    }
    status = omma_file_create(path, &fd, error);
    if (status == OMMA_OK) {
        status = omma_generate_weights(config, seed, fd, false, path, UINT64_MAX, error);
        status = omma_file_close(fd, path, status, error);
        if (status != OMMA_OK) {
            unlink(path);
        }
    }
    free(path);
    return status;
}

enum omma_status omma_model_generate_folder(const struct omma_model_shape *shape, const char *dir,
                                            struct omma_error *error)
{
    static const char generation_config[] = "{\"eos_token_id\": 151645}\n";
    enum omma_status status;
    char *config = NULL;

    OMMA_TRY(omma_generate_config(shape, &config, error));
    OMMA_TRY_OR(status, out, make_folder(dir, error));
    OMMA_TRY_OR(status, out, write_weights(dir, config, shape->seed, error));
    OMMA_TRY_OR(status, out,
                omma_file_replace(dir, "generation_config.json", generation_config,
                                  strlen(generation_config), error));
    status = omma_file_replace(dir, "config.json", config, strlen(config), error);
out:
    free(config);
    return status;
}
