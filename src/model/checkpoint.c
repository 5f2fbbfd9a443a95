/*
 * Which files make a model, and their mappings.
 *
 * Weights are model.safetensors, or else the shards that model.safetensors.index.json names: the
 * order in which transformers looks.  The index is checked against the shards both ways; its
 * total_size is only worth a warning, since published ones are known to be wrong.
 */
#include "model/checkpoint.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "format/json.h"
#include "format/sha256.h"
#include "platform/file.h"

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

/* Files that are read beside the weights, where they are there. */
static const char *const companions[] = {
    "config.json",       "generation_config.json", "vocab.json",     "merges.txt",
    "added_tokens.json", "tokenizer_config.json",  "tokenizer.json", "special_tokens_map.json",
};

/* ------------------------------------------------------------------------------------------------
 * Adding files
 * --------------------------------------------------------------------------------------------- */

static enum omma_status fail_path(struct omma_error *error)
{
    return omma_fail_memory(error, 1, "a path");
}

/* Append a file; takes the mapping over, also when it fails. */
static enum omma_status add_mapping(struct omma_checkpoint *checkpoint, const char *name,
                                    bool is_weights, struct omma_mapping *mapping,
                                    struct omma_error *error)
{
    size_t n = checkpoint->n_files;
    struct omma_checkpoint_file *files = realloc(checkpoint->files, (n + 1) * sizeof *files);

    if (files == NULL) {
        omma_mapping_close(mapping);
        return omma_fail_memory(error, (n + 1) * sizeof *files, "the list of files");
    }
    checkpoint->files = files;
    files[n] = (struct omma_checkpoint_file){
        .name = strdup(name), .mapping = *mapping, .is_weights = is_weights};
    checkpoint->n_files++;
    if (files[n].name == NULL) {
        return fail_path(error);
    }
    checkpoint->n_weight_files += is_weights;
    return OMMA_OK;
}

static enum omma_status add_file(struct omma_checkpoint *checkpoint, const char *name,
                                 bool is_weights, struct omma_error *error)
{
    char *path = omma_file_join(checkpoint->path, name);
    struct omma_mapping mapping;
    enum omma_status status;

    if (path == NULL) {
        return fail_path(error);
    }
    OMMA_TRY_OR(status, out, omma_mapping_open(path, &mapping, error));
    status = add_mapping(checkpoint, name, is_weights, &mapping, error);
out:
    free(path);
    return status;
}

static enum omma_status has_file(const struct omma_checkpoint *checkpoint, const char *name,
                                 bool *found, struct omma_error *error)
{
    char *path = omma_file_join(checkpoint->path, name);

    if (path == NULL) {
        return fail_path(error);
    }
    *found = omma_file_exists(path);
    free(path);
    return OMMA_OK;
}

static enum omma_status add_companions(struct omma_checkpoint *checkpoint, struct omma_error *error)
{
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        bool found = false;

        OMMA_TRY(has_file(checkpoint, companions[i], &found, error));
        if (found) {
            OMMA_TRY(add_file(checkpoint, companions[i], false, error));
        }
    }
    return OMMA_OK;
}

/* A folder without safetensors: say what it holds instead, if it is something known. */
static enum omma_status fail_without_weights(const struct omma_checkpoint *checkpoint,
                                             struct omma_error *error)
{
    static const struct {
        const char *suffix, *kind;
    } others[] = {
        {".gguf", "a GGUF file"},
        {".bin", "probably a pickled checkpoint of PyTorch"},
        {".pt", "a pickled checkpoint of PyTorch"},
        {".pth", "a pickled checkpoint of PyTorch"},
        {".safetensors", "a shard without its index or under another name"},
    };
    DIR *dir = opendir(checkpoint->path);
    struct dirent *entry;
    enum omma_status status;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            size_t length = strlen(entry->d_name), suffix = strlen(others[i].suffix);

            if (length > suffix && strcmp(entry->d_name + length - suffix, others[i].suffix) == 0) {
                status = omma_fail(error, OMMA_STATUS_MODEL,
                                   "%s: expected model.safetensors or an index of shards, found "
                                   "%.200s: %s",
                                   checkpoint->path, entry->d_name, others[i].kind);
                closedir(dir);
                return status;
            }
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return omma_fail(
        error, OMMA_STATUS_MODEL,
        "%s: expected model.safetensors or model.safetensors.index.json, found neither",
        checkpoint->path);
}

/* ------------------------------------------------------------------------------------------------
 * Shards
 * --------------------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum omma_status check_shard_name(const struct omma_json_object *map, const char *tensor,
                                         const json_t *value, struct omma_error *error)
{
    const char *name = json_string_value(value);

    if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return omma_json_fail(map, tensor, "the name of a file in this folder", error);
    }
    return OMMA_OK;
}

/* Add every file that the map names, once each. */
static enum omma_status add_shards(struct omma_checkpoint *checkpoint,
                                   const struct omma_json_object *map, struct omma_error *error)
{
    size_t n = json_object_size(map->object), n_names = 0;
    const char **names = malloc((n + 1) * sizeof *names);
    enum omma_status status = OMMA_OK;
    const char *tensor;
    json_t *value;

    if (names == NULL) {
        return omma_fail_memory(error, (n + 1) * sizeof *names, "the names of shards");
    }
    json_object_foreach((json_t *)map->object, tensor, value)
    {
        OMMA_TRY_OR(status, out, check_shard_name(map, tensor, value, error));
        names[n_names++] = json_string_value(value);
    }
    qsort(names, n_names, sizeof *names, compare_texts);
    for (size_t i = 0; i < n_names; i++) {
        if (i == 0 || strcmp(names[i - 1], names[i]) != 0) {
            OMMA_TRY_OR(status, out, add_file(checkpoint, names[i], true, error));
        }
    }
out:
    free(names);
    return status;
}

static enum omma_status read_index(const struct omma_checkpoint *checkpoint, json_t **root,
                                   struct omma_json_object *map, char **path,
                                   struct omma_error *error)
{
    struct omma_json_object top = {.prefix = ""};

    *path = omma_file_join(checkpoint->path, index_name);
    if (*path == NULL) {
        return fail_path(error);
    }
    OMMA_TRY(omma_json_read(*path, root, error));
    top.object = *root;
    top.file = *path;
    OMMA_TRY(omma_json_child(&top, "weight_map", "weight_map.", map, error));
    if (json_object_size(map->object) == 0) {
        return omma_json_fail(&top, "weight_map", "at least one tensor", error);
    }
    return OMMA_OK;
}

/* Every tensor stands in the shard that the index gives, and every one is in the index. */
static enum omma_status check_index(const struct omma_checkpoint *checkpoint,
                                    const struct omma_json_object *map, struct omma_error *error)
{
    const char *tensor;
    json_t *value;

    json_object_foreach((json_t *)map->object, tensor, value)
    {
        size_t i = omma_checkpoint_find(checkpoint, tensor);

        if (i == checkpoint->n_tensors) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %.200s: expected in %.200s, found in no shard", map->file, tensor,
                             json_string_value(value));
        }
        if (strcmp(checkpoint->tensors[i].file->name, json_string_value(value)) != 0) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %.200s: expected in %.200s, found in %.200s", map->file, tensor,
                             json_string_value(value), checkpoint->tensors[i].file->name);
        }
    }
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        if (json_object_get(map->object, checkpoint->tensors[i].tensor->name) == NULL) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %.200s: expected in the index, found in %.200s alone", map->file,
                             checkpoint->tensors[i].tensor->name,
                             checkpoint->tensors[i].file->name);
        }
    }
    return OMMA_OK;
}

static void compare_total(const struct omma_checkpoint *checkpoint, const json_t *root,
                          const char *path, const struct omma_log *log)
{
    const json_t *total = json_object_get(json_object_get(root, "metadata"), "total_size");
    uint64_t n_bytes = 0;

    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        n_bytes += checkpoint->tensors[i].tensor->n_bytes;
    }
    if (total != NULL && json_number_value(total) != (double)n_bytes) {
        omma_log_warning(log, "%s: metadata.total_size: expected %llu, found %.0f", path,
                         (unsigned long long)n_bytes, json_number_value(total));
    }
}

/* ------------------------------------------------------------------------------------------------
 * All tensors
 * --------------------------------------------------------------------------------------------- */

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct omma_checkpoint_file *)a)->name,
                  ((const struct omma_checkpoint_file *)b)->name);
}

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const struct omma_checkpoint_tensor *)a)->tensor->name,
                  ((const struct omma_checkpoint_tensor *)b)->tensor->name);
}

static enum omma_status read_headers(struct omma_checkpoint *checkpoint, struct omma_error *error)
{
    qsort(checkpoint->files, checkpoint->n_files, sizeof *checkpoint->files, compare_files);
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        struct omma_checkpoint_file *file = &checkpoint->files[i];

        if (!file->is_weights) {
            continue;
        }
        OMMA_TRY(omma_safetensors_open(&file->mapping, &file->tensors, error));
        checkpoint->n_tensors += omma_safetensors_count(file->tensors);
    }
    return OMMA_OK;
}

static enum omma_status list_tensors(struct omma_checkpoint *checkpoint, struct omma_error *error)
{
    size_t n = 0;

    checkpoint->tensors = malloc((checkpoint->n_tensors + 1) * sizeof *checkpoint->tensors);
    if (checkpoint->tensors == NULL) {
        return omma_fail_memory(error, (checkpoint->n_tensors + 1) * sizeof *checkpoint->tensors,
                                "the list of tensors");
    }
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *file = &checkpoint->files[i];

        for (size_t k = 0; file->tensors != NULL && k < omma_safetensors_count(file->tensors);
             k++) {
            checkpoint->tensors[n++] = (struct omma_checkpoint_tensor){
                .tensor = omma_safetensors_get(file->tensors, k), .file = file};
        }
    }
    qsort(checkpoint->tensors, n, sizeof *checkpoint->tensors, compare_tensors);
    for (size_t i = 1; i < n; i++) {
        const struct omma_checkpoint_tensor *a = &checkpoint->tensors[i - 1];
        const struct omma_checkpoint_tensor *b = &checkpoint->tensors[i];

        if (strcmp(a->tensor->name, b->tensor->name) == 0) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: %.200s: expected in one shard, found in %.200s and %.200s",
                             checkpoint->path, a->tensor->name, a->file->name, b->file->name);
        }
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Opening
 * --------------------------------------------------------------------------------------------- */

static enum omma_status open_shards(struct omma_checkpoint *checkpoint, const struct omma_log *log,
                                    struct omma_error *error)
{
    struct omma_json_object map = {0};
    enum omma_status status;
    json_t *root = NULL;
    char *path = NULL;

    OMMA_TRY_OR(status, out, add_file(checkpoint, index_name, false, error));
    OMMA_TRY_OR(status, out, read_index(checkpoint, &root, &map, &path, error));
    OMMA_TRY_OR(status, out, add_shards(checkpoint, &map, error));
    OMMA_TRY_OR(status, out, read_headers(checkpoint, error));
    OMMA_TRY_OR(status, out, list_tensors(checkpoint, error));
    OMMA_TRY_OR(status, out, check_index(checkpoint, &map, error));
    compare_total(checkpoint, root, path, log);
out:
    json_decref(root);
    free(path);
    return status;
}

static enum omma_status check_folder(const char *dir, struct omma_error *error)
{
    struct stat status;

    if (stat(dir, &status) != 0) {
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: cannot open: %m", dir);
    }
    if (!S_ISDIR(status.st_mode)) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: expected the folder of a model, found a file", dir);
    }
    return OMMA_OK;
}

static enum omma_status fill(struct omma_checkpoint *checkpoint, const struct omma_log *log,
                             struct omma_error *error)
{
    bool is_single = false, has_index = false;

    OMMA_TRY(check_folder(checkpoint->path, error));
    OMMA_TRY(add_companions(checkpoint, error));
    OMMA_TRY(has_file(checkpoint, single_name, &is_single, error));
    OMMA_TRY(has_file(checkpoint, index_name, &has_index, error));
    if (is_single) {
        OMMA_TRY(add_file(checkpoint, single_name, true, error));
        OMMA_TRY(read_headers(checkpoint, error));
        return list_tensors(checkpoint, error);
    }
    if (has_index) {
        return open_shards(checkpoint, log, error);
    }
    return fail_without_weights(checkpoint, error);
}

static enum omma_status create(const char *path, struct omma_checkpoint **checkpoint,
                               struct omma_error *error)
{
    struct omma_checkpoint *made = calloc(1, sizeof *made);

    if (made == NULL || (made->path = strdup(path)) == NULL) {
        free(made);
        return omma_fail_memory(error, sizeof *made, "a checkpoint");
    }
    *checkpoint = made;
    return OMMA_OK;
}

enum omma_status omma_checkpoint_open(const char *dir, const struct omma_log *log,
                                      struct omma_checkpoint **checkpoint, struct omma_error *error)
{
    struct omma_checkpoint *made = NULL;
    enum omma_status status;

    OMMA_TRY(create(dir, &made, error));
    status = fill(made, log, error);
    if (status != OMMA_OK) {
        omma_checkpoint_close(&made);
        return status;
    }
    *checkpoint = made;
    return OMMA_OK;
}

enum omma_status omma_checkpoint_open_mapping(struct omma_mapping *mapping,
                                              struct omma_checkpoint **checkpoint,
                                              struct omma_error *error)
{
    struct omma_checkpoint *made = NULL;
    enum omma_status status = create(mapping->path, &made, error);

    if (status != OMMA_OK) {
        omma_mapping_close(mapping);
        return status;
    }
    OMMA_TRY_OR(status, fail, add_mapping(made, single_name, true, mapping, error));
    OMMA_TRY_OR(status, fail, read_headers(made, error));
    OMMA_TRY_OR(status, fail, list_tensors(made, error));
    *checkpoint = made;
    return OMMA_OK;
fail:
    omma_checkpoint_close(&made);
    return status;
}

void omma_checkpoint_close(struct omma_checkpoint **checkpoint)
{
    if (*checkpoint == NULL) {
        return;
    }
    for (size_t i = 0; i < (*checkpoint)->n_files; i++) {
        struct omma_checkpoint_file *file = &(*checkpoint)->files[i];

        omma_safetensors_close(&file->tensors);
        omma_mapping_close(&file->mapping);
        free(file->name);
    }
    free((*checkpoint)->files);
    free((*checkpoint)->tensors);
    free((*checkpoint)->path);
    free(*checkpoint);
    *checkpoint = NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Asking
 * --------------------------------------------------------------------------------------------- */

size_t omma_checkpoint_find(const struct omma_checkpoint *checkpoint, const char *name)
{
    const struct omma_tensor wanted = {.name = name};
    const struct omma_checkpoint_tensor key = {.tensor = &wanted};
    const struct omma_checkpoint_tensor *found =
        bsearch(&key, checkpoint->tensors, checkpoint->n_tensors, sizeof key, compare_tensors);

    return found == NULL ? checkpoint->n_tensors : (size_t)(found - checkpoint->tensors);
}

enum omma_status omma_checkpoint_check(const struct omma_checkpoint *checkpoint,
                                       struct omma_error *error)
{
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        OMMA_TRY(omma_mapping_check(&checkpoint->files[i].mapping, error));
    }
    return OMMA_OK;
}

bool omma_checkpoint_locate(const struct omma_checkpoint *checkpoint, const void *address,
                            const char **file, const char **tensor, uint64_t *offset)
{
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *at = &checkpoint->files[i];
        size_t from = (size_t)((uintptr_t)address - (uintptr_t)at->mapping.bytes);

        if ((uintptr_t)address < (uintptr_t)at->mapping.bytes || from >= at->mapping.n_bytes) {
            continue;
        }
        *file = at->mapping.path;
        *tensor = at->tensors != NULL ? "header" : "content";
        *offset = from;
        for (size_t k = 0; at->tensors != NULL && k < omma_safetensors_count(at->tensors); k++) {
            const struct omma_tensor *candidate = omma_safetensors_get(at->tensors, k);
            uintptr_t begin = (uintptr_t)candidate->data;

            if ((uintptr_t)address >= begin && (uintptr_t)address - begin < candidate->n_bytes) {
                *tensor = candidate->name;
            }
        }
        return true;
    }
    return false;
}

enum omma_status omma_checkpoint_identity(const struct omma_checkpoint *checkpoint, char hex[65],
                                          struct omma_error *error)
{
    struct omma_sha256 *hash = NULL;
    uint8_t digest[32];

    OMMA_TRY(omma_sha256_begin(&hash, error));
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *file = &checkpoint->files[i];
        uint8_t size[8];

        if (strcmp(file->name, index_name) == 0) {
            continue; /* says nothing that the headers do not */
        }
        for (size_t k = 0; k < sizeof size; k++) {
            size[k] = (uint8_t)((uint64_t)file->mapping.n_bytes >> (8 * k));
        }
        omma_sha256_add(hash, file->name, strlen(file->name) + 1);
        omma_sha256_add(hash, size, sizeof size);
        omma_sha256_add(hash, file->mapping.bytes,
                        file->tensors != NULL ? omma_safetensors_header_bytes(file->tensors)
                                              : file->mapping.n_bytes);
    }
    omma_sha256_end(&hash, digest);
    omma_sha256_hex(digest, hex);
    return OMMA_OK;
}
