/*
 * omma preprocess: what the model gets to see of a picture: its grid of tiles, the number of visual
 * tokens, and with -o the tiles themselves as PNG files.  --size and --jsonl compute grids alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/image_options.h"
#include "tools/jsonl.h"
#include "tools/png_out.h"

enum { RULE_MIN_TILES = 1, RULE_MAX_TILES = 12 }; /* where no model says otherwise */

struct preprocess_values {
    const char *folder, *size;
    struct image_values image;
    bool no_thumbnail, json, jsonl, force, verbose;
};

static const struct preprocess_values defaults = {0};

static const struct option_row rows[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .argument = "DIR",
     .offset = offsetof(struct preprocess_values, folder),
     .help = "write the tiles to DIR/NAME-00.png and so on, the thumbnail last"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct preprocess_values, force),
     .help = "overwrite files that exist"},
    {.name = "size",
     .kind = OPTION_TEXT,
     .argument = "WxH",
     .offset = offsetof(struct preprocess_values, size),
     .help = "tell the grid of a picture of this size; there is none to read then"},
    {.name = "jsonl",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct preprocess_values, jsonl),
     .help = "read lines {\"width\", \"height\", \"min\", \"max\"} from standard input and write a "
             "line {\"grid\", \"tiles\"} for each"},
    IMAGE_OPTIONS(struct preprocess_values, image),
    {.name = "no-thumbnail",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct preprocess_values, no_thumbnail),
     .help = "no thumbnail of the whole picture behind its tiles"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct preprocess_values, json),
     .help = "write a JSON object a line"},
    VERBOSE_OPTION(struct preprocess_values, verbose),
    {0},
};

static void add_grid(struct json_out *out, const struct omma_grid *grid)
{
    json_out_set(out, "grid",
                 json_pack("[II]", (json_int_t)grid->n_columns, (json_int_t)grid->n_rows));
    json_out_set(out, "tiles", json_integer((json_int_t)grid->n_tiles));
}

/* DIR/NAME-00.png for the picture at path, NAME without its folder and last suffix; to be freed. */
static char *tile_path(const char *folder, const char *path, size_t k)
{
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    const char *suffix = strrchr(name, '.');
    int n = suffix != NULL && suffix != name ? (int)(suffix - name) : (int)strlen(name);
    char *result;

    return asprintf(&result, "%s/%.*s-%02zu.png", folder, n, name, k) >= 0 ? result : NULL;
}

/* Write all tiles; none if one of the files exists. */
static enum omma_status write_tiles(const struct preprocess_values *values, const char *path,
                                    const struct omma_image *image, json_t *files,
                                    struct omma_error *error)
{
    const struct omma_image_info *info = omma_image_info(image);
    enum omma_status status = OMMA_OK;

    for (size_t pass = values->force ? 1 : 0; pass < 2; pass++) {
        for (size_t k = 0; k < info->grid.n_tiles && status == OMMA_OK; k++) {
            char *file = tile_path(values->folder, path, k);

            if (file == NULL) {
                return fail_memory(error);
            }
            if (pass == 1) {
                status = png_write(file, omma_image_tile(image, k), info->tile_size,
                                   info->tile_size, values->force, error);
                json_array_append_new(files, json_out_string(file));
            } else if (access(file, F_OK) == 0) {
                status = fail(error, OMMA_STATUS_USAGE, "%s exists; --force overwrites it", file);
            }
            free(file);
        }
    }
    return status;
}

static enum omma_status report(const struct preprocess_values *values, const char *path,
                               const struct omma_image *image, json_t *files,
                               struct omma_error *error)
{
    const struct omma_image_info *info = omma_image_info(image);
    struct json_out out;

    if (!values->json) {
        printf("%s: %zu x %zu pixels, grid %zu x %zu, %zu tiles, %zu tokens\n", path, info->width,
               info->height, info->grid.n_columns, info->grid.n_rows, info->grid.n_tiles,
               info->n_tokens);
        return OMMA_OK;
    }
    out = json_out_object();
    json_out_set(&out, "path", json_out_string(path));
    json_out_set(&out, "width", json_integer((json_int_t)info->width));
    json_out_set(&out, "height", json_integer((json_int_t)info->height));
    add_grid(&out, &info->grid);
    json_out_set(&out, "tokens", json_integer((json_int_t)info->n_tokens));
    if (values->folder != NULL) {
        json_out_set(&out, "files", json_incref(files));
    }
    return json_out_write(&out, stdout, true, error);
}

static enum omma_status process(const struct invocation *invocation, const char *path,
                                struct omma_error *error)
{
    const struct preprocess_values *values = invocation->values;
    const struct omma_image_options options = {
        .min_tiles = values->image.min_tiles,
        .max_tiles = values->image.max_tiles,
        .no_thumbnail = values->no_thumbnail,
        .strict = values->image.strict,
        .log = messages_log_verbose(invocation->messages),
    };
    struct omma_image *image = NULL;
    json_t *files = json_array();
    enum omma_status status = omma_image_open(path, &options, &image, error);

    if (status == OMMA_OK && values->folder != NULL) {
        status = write_tiles(values, path, image, files, error);
    }
    if (status == OMMA_OK) {
        status = report(values, path, image, files, error);
    }
    omma_image_close(&image);
    json_decref(files);
    return status;
}

/* Two pictures of one name would overwrite each other's tiles. */
static enum omma_status check_names(const struct invocation *invocation, const char *folder,
                                    struct omma_error *error)
{
    char **paths = invocation->options.operands;

    for (size_t i = 0; i < invocation->options.n_operands; i++) {
        for (size_t j = 0; j < i; j++) {
            char *one = tile_path(folder, paths[i], 0), *other = tile_path(folder, paths[j], 0);
            bool are_equal = one != NULL && other != NULL && strcmp(one, other) == 0;

            free(one);
            free(other);
            if (are_equal) {
                return fail(error, OMMA_STATUS_USAGE, "%s and %s would write the same files",
                            paths[j], paths[i]);
            }
        }
    }
    return OMMA_OK;
}

static int run_images(const struct invocation *invocation, struct omma_error *error)
{
    const struct preprocess_values *values = invocation->values;
    size_t n_images = invocation->options.n_operands;

    if (values->folder != NULL) {
        TRY(check_names(invocation, values->folder, error));
        if (mkdir(values->folder, 0777) != 0 && errno != EEXIST) {
            return fail(error, OMMA_STATUS_OUTPUT, "%s: %s", values->folder, strerror(errno));
        }
    }
    if (n_images == 1) {
        return process(invocation, invocation->options.operands[0], error);
    }
    int code = OMMA_OK;
    for (size_t i = 0; i < n_images; i++) {
        enum omma_status status = process(invocation, invocation->options.operands[i], error);

        if (status != OMMA_OK && status != OMMA_STATUS_IMAGE) {
            return status;
        }
        if (status == OMMA_STATUS_IMAGE) {
            message_error(invocation->messages, "%s", error->message);
            error->message[0] = '\0';
            code = EXIT_SOME_FAILED;
        }
    }
    return code;
}

static enum omma_status run_size(const struct preprocess_values *values, struct omma_error *error)
{
    struct omma_grid grid;
    struct json_out out;
    size_t width, height;
    int n = 0;

    if (strspn(values->size, "0123456789x") != strlen(values->size) || strlen(values->size) > 24 ||
        sscanf(values->size, "%zux%zu%n", &width, &height, &n) != 2 || values->size[n] != '\0') {
        return fail(error, OMMA_STATUS_USAGE,
                    "--size: expected WIDTHxHEIGHT in pixels, found \"%s\"", values->size);
    }
    TRY(omma_image_grid(width, height, values->image.min_tiles, values->image.max_tiles,
                        !values->no_thumbnail, &grid, error));
    if (!values->json) {
        printf("grid %zu x %zu, %zu tiles\n", grid.n_columns, grid.n_rows, grid.n_tiles);
        return OMMA_OK;
    }
    out = json_out_object();
    add_grid(&out, &grid);
    return json_out_write(&out, stdout, true, error);
}

/* A whole number of the object; what is absent is fallback, if that is not 0. */
static enum omma_status member(const json_t *object, const char *key, size_t fallback,
                               size_t *value, struct omma_error *error)
{
    const json_t *number = json_object_get(object, key);

    if (number == NULL && fallback != 0) {
        *value = fallback;
        return OMMA_OK;
    }
    if (!json_is_integer(number) || json_integer_value(number) < 1) {
        return fail(error, OMMA_STATUS_USAGE, "%s: expected a whole number of at least 1", key);
    }
    *value = (size_t)json_integer_value(number);
    return OMMA_OK;
}

/* A jsonl_fn. */
static enum omma_status grid_of_line(void *user, const json_t *value, struct json_out *answer,
                                     struct omma_error *error)
{
    const struct preprocess_values *values = user;
    size_t width, height, min_tiles, max_tiles;
    struct omma_grid grid;

    TRY(member(value, "width", 0, &width, error));
    TRY(member(value, "height", 0, &height, error));
    TRY(member(value, "min", values->image.min_tiles, &min_tiles, error));
    TRY(member(value, "max", values->image.max_tiles, &max_tiles, error));
    TRY(omma_image_grid(width, height, min_tiles, max_tiles, !values->no_thumbnail, &grid, error));
    add_grid(answer, &grid);
    return OMMA_OK;
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    static const char *const sources[] = {"size", "jsonl", NULL};
    struct preprocess_values *values = invocation->values;
    bool reads_images = values->size == NULL && !values->jsonl;

    TRY(options_exclude(rows, &invocation->options, "size", "jsonl", error));
    TRY(options_exclude(rows, &invocation->options, "json", "jsonl", error));
    for (size_t i = 0; sources[i] != NULL; i++) {
        TRY(options_exclude(rows, &invocation->options, sources[i], "output", error));
    }
    if (values->force && values->folder == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "--force needs --output");
    }
    TRY(command_check_operands(invocation, reads_images ? 1 : 0, reads_images ? SIZE_MAX : 0,
                               error));
    TRY(image_values_complete(&values->image, RULE_MIN_TILES, RULE_MAX_TILES, error));
    invocation->messages->verbose = values->verbose;
    if (values->jsonl) {
        return jsonl_run(grid_of_line, values, error);
    }
    return values->size != NULL ? (int)run_size(values, error) : run_images(invocation, error);
}

const struct command command_preprocess = {
    .name = "preprocess",
    .operands = "[IMAGE...]",
    .summary = "Show the tiles that the model gets to see of pictures",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
