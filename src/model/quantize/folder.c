/*
 * Every file appears under its name at once, when it is whole.  config.json comes last: a folder
 * without it is no model to any reader.
 */
#include "model/quantize/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "format/json.h"
#include "model/checkpoint.h"
#include "model/quantize/folder_config.h"
#include "model/quantize/journal.h"
#include "platform/file.h"
#include "platform/file_write.h"
#include "platform/mapping.h"

enum { MAX_COMPANION_BYTES = 256 << 20 };

static const char index_name[] = "model.safetensors.index.json";

/* Copied as they are. */
static const char *const companions[] = {
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "processor_config.json",
    "video_preprocessor_config.json",
};

/* ------------------------------------------------------------------------------------------------
 * What stands there
 * --------------------------------------------------------------------------------------------- */

static enum omma_status refuse_same(const struct omma_model *model, const char *dir,
                                    struct omma_error *error)
{
    struct stat source, target;

    if (stat(model->checkpoint->path, &source) == 0 && stat(dir, &target) == 0 &&
        source.st_dev == target.st_dev && source.st_ino == target.st_ino) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "%s: expected a folder to write to, found the model's own", dir);
    }
    return OMMA_OK;
}

/* Whether DIR/NAME begins with this text and has n_bytes. */
static bool has_file(const char *dir, const char *name, const char *text, size_t n_text,
                     uint64_t n_bytes)
{
    char *path = omma_file_join(dir, name);
    struct omma_mapping mapping = {0};
    bool is_same = false;

    if (path != NULL && omma_mapping_open(path, &mapping, NULL) == OMMA_OK) {
        is_same = mapping.n_bytes == n_bytes && memcmp(mapping.bytes, text, n_text) == 0;
        omma_mapping_close(&mapping);
    }
    free(path);
    return is_same;
}

static bool is_complete(const struct omma_quantize_plan *plan, const char *dir, const char *config)
{
    if (!has_file(dir, "config.json", config, strlen(config), strlen(config))) {
        return false;
    }
    for (size_t k = 0; k < plan->n_shards; k++) {
        const struct omma_quantize_shard *shard = &plan->shards[k];

        if (!has_file(dir, shard->name, shard->header.text, shard->header.n_bytes,
                      shard->n_bytes)) {
            return false;
        }
    }
    return true;
}

enum omma_status omma_quantize_folder_look(const struct omma_model *model,
                                           const struct omma_quantize_plan *plan, const char *dir,
                                           const char *config,
                                           enum omma_quantize_folder_state *state,
                                           struct omma_error *error)
{
    bool is_empty, is_begun;
    char *journal;

    OMMA_TRY(refuse_same(model, dir, error));
    OMMA_TRY(omma_folder_make(dir, &is_empty, error));
    journal = omma_file_join(dir, OMMA_QUANTIZE_JOURNAL);
    if (journal == NULL) {
        return omma_fail_memory(error, strlen(dir) + sizeof OMMA_QUANTIZE_JOURNAL, "a path");
    }
    is_begun = omma_file_exists(journal);
    free(journal);
    *state = is_empty                         ? OMMA_QUANTIZE_FOLDER_EMPTY
             : is_begun                       ? OMMA_QUANTIZE_FOLDER_BEGUN
             : is_complete(plan, dir, config) ? OMMA_QUANTIZE_FOLDER_COMPLETE
                                              : OMMA_QUANTIZE_FOLDER_OTHER;
    return OMMA_OK;
}

/* Names that omma writes, and those under which they are before they are whole. */
static bool is_model_file(const char *name)
{
    static const char *const others[] = {
        "config.json", "generation_config.json", "preprocessor_config.json",
        index_name,    "model.safetensors",      OMMA_QUANTIZE_JOURNAL,
    };
    static const char partial[] = ".partial";
    size_t n = strlen(name), n_partial = sizeof partial - 1;
    char whole[256];
    int end = 0;

    if (n >= sizeof whole) {
        return false;
    }
    memcpy(whole, name, n + 1);
    if (n > n_partial && strcmp(whole + n - n_partial, partial) == 0) {
        whole[n - n_partial] = '\0';
    }
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        if (strcmp(whole, companions[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(whole, others[i]) == 0) {
            return true;
        }
    }
    return sscanf(whole, "model-%*[0-9]-of-%*[0-9].safetensors%n", &end) == 0 && end > 0 &&
           whole[end] == '\0';
}

enum omma_status omma_quantize_folder_clear(const char *dir, struct omma_error *error)
{
    enum omma_status status = OMMA_OK;
    DIR *listing = opendir(dir);
    struct dirent *entry;

    if (listing == NULL) {
        return omma_fail(error, OMMA_STATUS_OUTPUT, "%s: cannot open the folder: %m", dir);
    }
    while (status == OMMA_OK && (entry = readdir(listing)) != NULL) {
        if (is_model_file(entry->d_name) && unlinkat(dirfd(listing), entry->d_name, 0) != 0) {
            status = omma_fail(error, OMMA_STATUS_OUTPUT, "%s/%s: cannot remove: %m", dir,
                               entry->d_name);
        }
    }
    closedir(listing);
    return status;
}

/* ------------------------------------------------------------------------------------------------
 * Room
 * --------------------------------------------------------------------------------------------- */

static uint64_t bytes_on_disk(const char *dir, const char *name)
{
    char path[4096];
    struct stat status;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
}

enum omma_status omma_quantize_folder_check_room(const struct omma_quantize_plan *plan,
                                                 const char *dir, struct omma_error *error)
{
    struct statvfs disk;
    uint64_t n_there = 0, n_free;

    if (statvfs(dir, &disk) != 0) {
        return OMMA_OK; /* writing will tell */
    }
    for (size_t k = 0; k < plan->n_shards; k++) {
        char partial[OMMA_QUANTIZE_SHARD_NAME + 16];

        snprintf(partial, sizeof partial, "%s.partial", plan->shards[k].name);
        n_there += bytes_on_disk(dir, plan->shards[k].name) + bytes_on_disk(dir, partial);
    }
    n_free = (uint64_t)disk.f_bfree * disk.f_frsize;
    if (n_there < plan->n_bytes && plan->n_bytes - n_there > n_free) {
        return omma_fail(error, OMMA_STATUS_OUTPUT,
                         "%s: the disk is too full: the weights take %llu MB more, of %llu MB free",
                         dir, (unsigned long long)((plan->n_bytes - n_there) / 1000000),
                         (unsigned long long)(n_free / 1000000));
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Small files
 * --------------------------------------------------------------------------------------------- */

static enum omma_status copy_file(const struct omma_model *model, const char *dir, const char *name,
                                  bool *is_there, struct omma_error *error)
{
    char *path = omma_file_join(model->checkpoint->path, name), *bytes = NULL;
    enum omma_status status = OMMA_OK;
    size_t n_bytes;

    if (path == NULL) {
        return omma_fail_memory(error, strlen(name), "a path");
    }
    *is_there = omma_file_exists(path);
    if (*is_there) {
        OMMA_TRY_OR(status, out,
                    omma_file_read(path, MAX_COMPANION_BYTES, &bytes, &n_bytes, error));
        status = omma_file_replace(dir, name, bytes, n_bytes, error);
    }
out:
    free(bytes);
    free(path);
    return status;
}

/* Takes text over. */
static enum omma_status put_text(const char *dir, const char *name, char *text,
                                 struct omma_error *error)
{
    enum omma_status status = text != NULL ? omma_file_replace(dir, name, text, strlen(text), error)
                                           : omma_fail_memory(error, OMMA_JSON_MAX_BYTES, name);

    free(text);
    return status;
}

static enum omma_status put_preprocessor_config(const struct omma_model *model, const char *dir,
                                                struct omma_error *error)
{
    static const char name[] = "preprocessor_config.json";
    bool is_there = false;
    char *text = NULL;

    if (model->config.layout == OMMA_LAYOUT_HF) {
        OMMA_TRY(copy_file(model, dir, name, &is_there, error));
    }
    if (is_there) {
        return OMMA_OK;
    }
    OMMA_TRY(omma_quantize_preprocessor_config(model, &text, error));
    return put_text(dir, name, text, error);
}

enum omma_status omma_quantize_folder_complete(const struct omma_model *model,
                                               const struct omma_quantize_plan *plan,
                                               const char *dir, const char *config,
                                               struct omma_error *error)
{
    char *text = NULL;
    bool is_there;

    if (plan->n_shards > 1) {
        OMMA_TRY(put_text(dir, index_name, omma_quantize_plan_index(plan), error));
    }
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        OMMA_TRY(copy_file(model, dir, companions[i], &is_there, error));
    }
    OMMA_TRY(put_preprocessor_config(model, dir, error));
    OMMA_TRY(omma_quantize_generation_config(model, &text, error));
    OMMA_TRY(put_text(dir, "generation_config.json", text, error));
    return omma_file_replace(dir, "config.json", config, strlen(config), error);
}
