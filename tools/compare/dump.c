/*
 * Opens a dump and checks what the comparison relies on: the types and shapes of ids, greedy and
 * its margins, and the metadata that say how to build the prompt.  Stages are checked one by one in
 * stages.c.  Text and tensors belong to the mapped file, the list of images to the dump.
 */
#include "tools/compare/dump.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/status.h"

enum { MAX_TILES_LIMIT = 256 };

int64_t compare_i64(const struct omma_tensor *tensor, size_t index)
{
    int64_t value;

    memcpy(&value, (const char *)tensor->data + index * sizeof value, sizeof value);
    return value;
}

float compare_f32(const struct omma_tensor *tensor, size_t index)
{
    float value;

    memcpy(&value, (const char *)tensor->data + index * sizeof value, sizeof value);
    return value;
}

size_t compare_length(const struct omma_tensor *tensor)
{
    return tensor == NULL ? 0 : tensor->shape[0];
}

/* A vector of the file, of the given type; *tensor stays NULL if it is absent and may be. */
static enum omma_status find_vector(const struct compare_dump *dump, const char *name,
                                    const char *dtype, bool required,
                                    const struct omma_tensor **tensor, struct omma_error *error)
{
    const struct omma_tensor *found = omma_tensor_file_find(dump->file, name);

    if (found == NULL) {
        return !required
                   ? OMMA_OK
                   : fail(error, OMMA_STATUS_USAGE,
                          "%s: %s: expected a tensor of a dump, found none", dump->path, name);
    }
    if (strcmp(found->dtype, dtype) != 0 || found->n_dimensions != 1) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: %s: expected %s [n], found %s of %zu "
                    "dimensions",
                    dump->path, name, dtype, found->dtype, found->n_dimensions);
    }
    *tensor = found;
    return OMMA_OK;
}

/* metadata images: ["a.jpg", ...], names without a folder */
static enum omma_status read_images(struct compare_dump *dump, struct omma_error *error)
{
    const char *text = omma_tensor_file_metadata(dump->file, "images");
    json_t *list = json_loads(text != NULL ? text : "[]", 0, NULL);
    enum omma_status status = OMMA_OK;

    if (!json_is_array(list)) {
        status = fail(error, OMMA_STATUS_USAGE,
                      "%s: metadata images: expected a JSON list of names, found \"%s\"",
                      dump->path, text);
        goto done;
    }
    dump->images = calloc(json_array_size(list) + 1, sizeof *dump->images);
    if (dump->images == NULL) {
        status = fail_memory(error);
        goto done;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (name == NULL || *name == '\0' || strchr(name, '/') != NULL) {
            status = fail(error, OMMA_STATUS_USAGE,
                          "%s: metadata images: expected file names without a folder, "
                          "found %s",
                          dump->path, text);
            goto done;
        }
        dump->images[i] = strdup(name);
        if (dump->images[i] == NULL) {
            status = fail_memory(error);
            goto done;
        }
        dump->n_images++;
    }
done:
    json_decref(list);
    return status;
}

static enum omma_status read_metadata(struct compare_dump *dump, struct omma_error *error)
{
    const char *quantization = omma_tensor_file_metadata(dump->file, "quantization");
    const char *max_tiles = omma_tensor_file_metadata(dump->file, "max_tiles");
    char *end = NULL;

    if (quantization != NULL && strcmp(quantization, "int-quantized, W8A8") != 0) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: metadata quantization: expected \"int-quantized, W8A8\", found \"%s\"",
                    dump->path, quantization);
    }
    dump->quantization = quantization;
    dump->versions = omma_tensor_file_metadata(dump->file, "versions");
    dump->prompt = omma_tensor_file_metadata(dump->file, "prompt");
    if (dump->prompt == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "%s: metadata prompt: expected a text, found none",
                    dump->path);
    }
    dump->max_tiles = max_tiles != NULL ? strtoul(max_tiles, &end, 10) : 0;
    if (max_tiles == NULL || end == max_tiles || *end != '\0' || dump->max_tiles < 1 ||
        dump->max_tiles > MAX_TILES_LIMIT) {
        return fail(error, OMMA_STATUS_USAGE, "%s: metadata max_tiles: expected 1 to %d, found %s",
                    dump->path, MAX_TILES_LIMIT, max_tiles != NULL ? max_tiles : "none");
    }
    return read_images(dump, error);
}

enum omma_status compare_dump_open(const char *path, struct compare_dump *dump,
                                   struct omma_error *error)
{
    enum omma_status status;

    *dump = (struct compare_dump){.path = path};
    status = omma_tensor_file_open(path, &dump->file, error);
    if (status == OMMA_STATUS_MODEL) { /* a dump is an argument here, no model */
        status = error->status = OMMA_STATUS_USAGE;
    }
    if (status != OMMA_OK) {
        goto failed;
    }
    TRY_OR(status, failed, read_metadata(dump, error));
    TRY_OR(status, failed, find_vector(dump, "ids", "I64", true, &dump->ids, error));
    TRY_OR(status, failed, find_vector(dump, "greedy", "I64", false, &dump->greedy, error));
    TRY_OR(status, failed,
           find_vector(dump, "greedy.bf16", "I64", false, &dump->greedy_bf16, error));
    if (dump->greedy != NULL) {
        TRY_OR(status, failed,
               find_vector(dump, "greedy.margin", "F32", true, &dump->margin, error));
    }
    if (compare_length(dump->greedy) != compare_length(dump->margin)) {
        status = fail(error, OMMA_STATUS_USAGE,
                      "%s: greedy.margin: expected one a greedy token, %zu, found %zu", path,
                      compare_length(dump->greedy), compare_length(dump->margin));
        goto failed;
    }
    return OMMA_OK;
failed:
    compare_dump_close(dump);
    return status;
}

void compare_dump_close(struct compare_dump *dump)
{
    for (size_t i = 0; i < dump->n_images; i++) {
        free(dump->images[i]);
    }
    free(dump->images);
    omma_tensor_file_close(&dump->file);
    *dump = (struct compare_dump){0};
}
