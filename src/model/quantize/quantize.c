/*
 * omma_model_quantize(): a plan, its shards one after the other, then the small files.
 *
 * A shard is written as NAME.partial and renamed when it is whole and on the disk.  Every
 * CHECKPOINT bytes the file is synced and the journal told, so that a run that is killed loses
 * little; what it wrote beyond is written again, with the same bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/sha256.h"
#include "model/checkpoint.h"
#include "model/quantize/convert.h"
#include "model/quantize/folder.h"
#include "model/quantize/folder_config.h"
#include "model/quantize/journal.h"
#include "platform/file.h"
#include "platform/file_write.h"

static const uint64_t default_sync_bytes = 256 << 20;

struct quantizer {
    const struct omma_model *model;
    const struct omma_quantize_options *options;
    const char *dir;
    struct omma_quantize_plan plan;
    char *config; /* the text of config.json */
    struct omma_quantize_converter *converter;
    struct omma_quantize_journal journal;
    uint64_t n_done, n_unsynced; /* source bytes */
    struct omma_error *error;
};

/* ------------------------------------------------------------------------------------------------
 * Telling
 * --------------------------------------------------------------------------------------------- */

/* An omma_quantize_step_fn. */
static void step(void *user, uint64_t n_source_bytes)
{
    struct quantizer *quantizer = user;

    quantizer->n_done += n_source_bytes;
    quantizer->n_unsynced += n_source_bytes;
    if (quantizer->options->progress != NULL) {
        quantizer->options->progress(quantizer->options->user, quantizer->n_done,
                                     quantizer->plan.n_source_bytes);
    }
}

static void tell_linear(const struct quantizer *quantizer, const struct omma_quantize_item *item,
                        const struct omma_quantize_error *sums)
{
    const struct omma_quantized_linear linear = {
        .name = item->named.name,
        .part = item->named.part == OMMA_PART_VISION ? "vision" : "language",
        .layer = item->named.layer,
        .n_rows = item->n_rows,
        .n_columns = item->n_columns,
        .group = item->group,
        .squares = sums->value_squares,
        .error_squares = sums->squares,
        .max_error = (double)sums->largest,
    };

    if (item->group != 0 && quantizer->options->linear != NULL) {
        quantizer->options->linear(quantizer->options->user, &linear);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Shards
 * --------------------------------------------------------------------------------------------- */

static size_t source_bytes(const struct omma_quantize_item *item)
{
    return item->n_elements * omma_dtype_bytes(item->dtype);
}

static enum omma_status checkpoint(struct quantizer *quantizer, int fd, const char *path)
{
    OMMA_TRY(omma_file_sync(fd, path, quantizer->error));
    quantizer->n_unsynced = 0;
    return omma_quantize_journal_sync(&quantizer->journal, quantizer->error);
}

/* The items of a shard that are not done yet. */
static enum omma_status write_items(struct quantizer *quantizer,
                                    const struct omma_quantize_shard *shard, int fd,
                                    const char *path)
{
    const struct omma_quantize_target target = {.path = path, .fd = fd};
    uint64_t asked = quantizer->options->sync_bytes;
    uint64_t sync_bytes = asked != 0 ? asked : default_sync_bytes;
    size_t end = shard->first_item + shard->n_items;

    if (quantizer->journal.n_done <= shard->first_item) {
        OMMA_TRY(omma_file_write_at(fd, path, shard->header.text, shard->header.n_bytes, 0,
                                    quantizer->error));
    }
    while (quantizer->journal.n_done < end) {
        const struct omma_quantize_item *item = &quantizer->plan.items[quantizer->journal.n_done];
        struct omma_quantize_error sums;
        bool is_equal;

        OMMA_TRY(omma_quantize_convert(quantizer->converter, item, &target, step, quantizer, &sums,
                                       &is_equal, quantizer->error));
        omma_quantize_journal_add(&quantizer->journal, &sums);
        tell_linear(quantizer, item, &sums);
        if (quantizer->n_unsynced >= sync_bytes && quantizer->journal.n_done < end) {
            OMMA_TRY(checkpoint(quantizer, fd, path));
        }
    }
    return checkpoint(quantizer, fd, path);
}

static enum omma_status write_shard(struct quantizer *quantizer,
                                    const struct omma_quantize_shard *shard)
{
    char name[OMMA_QUANTIZE_SHARD_NAME + 16], *path;
    enum omma_status status;
    int fd;

    snprintf(name, sizeof name, "%s.partial", shard->name);
    path = omma_file_join(quantizer->dir, name);
    if (path == NULL) {
        return omma_fail_memory(quantizer->error, strlen(quantizer->dir) + sizeof name, "a path");
    }
    OMMA_TRY_OR(status, out, omma_file_open_write(path, &fd, quantizer->error));
    if (ftruncate(fd, (off_t)shard->n_bytes) !=
        0) { /* also what an older run left behind the end */
        status = omma_fail(quantizer->error, OMMA_STATUS_OUTPUT, "%s: cannot write: %m", path);
    } else {
        status = write_items(quantizer, shard, fd, path);
    }
    status = omma_file_close(fd, path, status, quantizer->error);
    if (status == OMMA_OK) {
        status = omma_file_rename(quantizer->dir, name, shard->name, quantizer->error);
    }
out:
    free(path);
    return status;
}

static bool has_size(const char *dir, const char *name, uint64_t n_bytes)
{
    char *path = omma_file_join(dir, name);
    struct stat status;
    bool is_so = path != NULL && stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
                 (uint64_t)status.st_size == n_bytes;

    free(path);
    return is_so;
}

/* Whether the files are there that the journal speaks of. */
static bool is_sound(const struct quantizer *quantizer)
{
    for (size_t k = 0; k < quantizer->plan.n_shards; k++) {
        const struct omma_quantize_shard *shard = &quantizer->plan.shards[k];
        bool is_begun = quantizer->journal.n_done > shard->first_item;
        bool is_done = quantizer->journal.n_done >= shard->first_item + shard->n_items;
        char partial[OMMA_QUANTIZE_SHARD_NAME + 16];

        snprintf(partial, sizeof partial, "%s.partial", shard->name);
        if (is_begun && !has_size(quantizer->dir, partial, shard->n_bytes) &&
            !(is_done && has_size(quantizer->dir, shard->name, shard->n_bytes))) {
            return false;
        }
    }
    return true;
}

static enum omma_status write_shards(struct quantizer *quantizer)
{
    if (!is_sound(quantizer)) {
        omma_quantize_journal_restart(&quantizer->journal);
    }
    for (size_t i = 0; i < quantizer->journal.n_done; i++) {
        tell_linear(quantizer, &quantizer->plan.items[i], &quantizer->journal.errors[i]);
        quantizer->n_done += source_bytes(&quantizer->plan.items[i]);
    }
    for (size_t k = 0; k < quantizer->plan.n_shards; k++) {
        const struct omma_quantize_shard *shard = &quantizer->plan.shards[k];

        if (quantizer->journal.n_done < shard->first_item + shard->n_items ||
            !has_size(quantizer->dir, shard->name, shard->n_bytes)) {
            OMMA_TRY(write_shard(quantizer, shard));
        }
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The folder
 * --------------------------------------------------------------------------------------------- */

/* What a journal is good for: this model, these files, this plan. */
static enum omma_status digest_task(const struct quantizer *quantizer, char hex[65])
{
    const struct omma_checkpoint *checkpoint = quantizer->model->checkpoint;
    struct omma_sha256 *hash = NULL;
    uint8_t digest[32];

    OMMA_TRY(omma_sha256_begin(&hash, quantizer->error));
    omma_sha256_add(hash, quantizer->config, strlen(quantizer->config));
    for (size_t k = 0; k < quantizer->plan.n_shards; k++) {
        const struct omma_quantize_shard *shard = &quantizer->plan.shards[k];

        omma_sha256_add(hash, shard->name, strlen(shard->name));
        omma_sha256_add(hash, shard->header.text, shard->header.n_bytes);
    }
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *file = &checkpoint->files[i];
        const struct omma_file_identity *identity = &file->mapping.identity;
        char line[128];
        int n = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 ".%09ld\n",
                         (int64_t)identity->n_bytes, (int64_t)identity->modified.tv_sec,
                         identity->modified.tv_nsec);

        omma_sha256_add(hash, file->name, strlen(file->name) + 1);
        omma_sha256_add(hash, line, (size_t)n);
    }
    omma_sha256_end(&hash, digest);
    omma_sha256_hex(digest, hex);
    return OMMA_OK;
}

static enum omma_status write_folder(struct quantizer *quantizer)
{
    char key[65];

    OMMA_TRY(digest_task(quantizer, key));
    OMMA_TRY(omma_quantize_folder_check_room(&quantizer->plan, quantizer->dir, quantizer->error));
    OMMA_TRY(omma_quantize_journal_open(quantizer->dir, key, quantizer->plan.n_items,
                                        &quantizer->journal, quantizer->error));
    OMMA_TRY(write_shards(quantizer));
    OMMA_TRY(omma_quantize_folder_complete(quantizer->model, &quantizer->plan, quantizer->dir,
                                           quantizer->config, quantizer->error));
    omma_quantize_journal_remove(&quantizer->journal);
    return OMMA_OK;
}

static enum omma_status fail_other(const struct quantizer *quantizer)
{
    return omma_fail(quantizer->error, OMMA_STATUS_USAGE,
                     "%s: expected an empty folder, none, or one that this conversion began, found "
                     "other files; only force replaces a model's files",
                     quantizer->dir);
}

/* A folder that looks complete: compute it all again, and compare. */
static enum omma_status compare_folder(struct quantizer *quantizer)
{
    for (size_t k = 0; k < quantizer->plan.n_shards; k++) {
        const struct omma_quantize_shard *shard = &quantizer->plan.shards[k];
        char *path = omma_file_join(quantizer->dir, shard->name);
        struct omma_mapping mapping;
        const struct omma_quantize_target target = {
            .path = shard->name, .fd = -1, .existing = &mapping};
        enum omma_status status;

        if (path == NULL) {
            return omma_fail_memory(quantizer->error, strlen(shard->name), "a path");
        }
        status = omma_mapping_open(path, &mapping, quantizer->error);
        free(path);
        OMMA_TRY(status);
        for (size_t i = 0; i < shard->n_items && status == OMMA_OK; i++) {
            const struct omma_quantize_item *item = &quantizer->plan.items[shard->first_item + i];
            struct omma_quantize_error sums;
            bool is_equal = true;

            status = omma_quantize_convert(quantizer->converter, item, &target, step, quantizer,
                                           &sums, &is_equal, quantizer->error);
            if (status == OMMA_OK && !is_equal) {
                status = fail_other(quantizer);
            } else if (status == OMMA_OK) {
                tell_linear(quantizer, item, &sums);
            }
        }
        omma_mapping_close(&mapping);
        OMMA_TRY(status);
    }
    return OMMA_OK;
}

static enum omma_status run(struct quantizer *quantizer, struct omma_quantize_result *result)
{
    enum omma_quantize_folder_state state = OMMA_QUANTIZE_FOLDER_EMPTY;

    OMMA_TRY(omma_quantize_plan_make(quantizer->model, quantizer->options, &quantizer->plan,
                                     quantizer->error));
    OMMA_TRY(omma_quantize_config(quantizer->model, &quantizer->plan, &quantizer->config,
                                  quantizer->error));
    OMMA_TRY(omma_quantize_folder_look(quantizer->model, &quantizer->plan, quantizer->dir,
                                       quantizer->config, &state, quantizer->error));
    OMMA_TRY(omma_quantize_converter_create(&quantizer->plan, quantizer->options->n_threads,
                                            &quantizer->options->log, &quantizer->converter,
                                            quantizer->error));
    result->n_files = quantizer->plan.n_shards;
    result->n_bytes = quantizer->plan.n_bytes;
    if (state != OMMA_QUANTIZE_FOLDER_EMPTY && quantizer->options->force) {
        OMMA_TRY(omma_quantize_journal_check_free(quantizer->dir, quantizer->error));
        OMMA_TRY(omma_quantize_folder_clear(quantizer->dir, quantizer->error));
    } else if (state == OMMA_QUANTIZE_FOLDER_OTHER) {
        return fail_other(quantizer);
    } else if (state == OMMA_QUANTIZE_FOLDER_COMPLETE) {
        result->was_complete = true;
        return compare_folder(quantizer);
    }
    return write_folder(quantizer);
}

enum omma_status omma_model_quantize(const struct omma_model *model, const char *dir,
                                     const struct omma_quantize_options *options,
                                     struct omma_quantize_result *result, struct omma_error *error)
{
    static const struct omma_quantize_options defaults = {0};
    struct omma_quantize_result made = {0};
    struct quantizer quantizer = {
        .model = model,
        .options = options != NULL ? options : &defaults,
        .dir = dir,
        .journal = {.fd = -1},
        .error = error,
    };
    enum omma_status status = run(&quantizer, &made);

    omma_quantize_journal_close(&quantizer.journal);
    omma_quantize_converter_destroy(&quantizer.converter);
    omma_quantize_plan_free(&quantizer.plan);
    free(quantizer.config);
    if (status == OMMA_OK && result != NULL) {
        *result = made;
    }
    return status;
}
