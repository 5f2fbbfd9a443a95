/*
 * What a model gives after given tokens: logits of each step, or the greedy answer.
 *
 *   next_tokens MODEL auto|bf16|f32 LOGITS [THREADS] < LINES
 *
 * A line of standard input: {"image": FILE or null, "ids": [...], "forced": [...]} or, instead of
 * "forced", "new": N.  The prompt is ids, the picture's context tokens among them.  With "forced"
 * the logits of the last id of the prompt and of all forced ones but the last are appended to the
 * file LOGITS, [n_forced][vocab] f32; with "new" up to N tokens are chosen greedily.  Each line is
 * answered by
 * {"ids": [...]}, the tokens chosen.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"

struct run {
    struct omma_model *model;
    struct omma_engine *engine;
    struct omma_session *session; /* of the last picture */
    struct omma_image *image;
    char *image_path;
    FILE *logits;
    bool failed; /* writing */
};

static void check(enum omma_status status, const struct omma_error *error)
{
    if (status != OMMA_OK) {
        fprintf(stderr, "next_tokens: %s\n", error->message);
        exit(status);
    }
}

/* An omma_observe_fn. */
static void take_rows(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                      const float *values)
{
    struct run *run = user;

    (void)first_row;
    if (strcmp(stage, "logits") == 0 &&
        fwrite(values, sizeof *values * width, n_rows, run->logits) != n_rows) {
        run->failed = true;
    }
}

static int32_t *read_ids(const json_t *line, const char *key, size_t *n)
{
    const json_t *list = json_object_get(line, key);
    int32_t *ids;

    *n = json_array_size(list);
    ids = malloc((*n + 1) * sizeof *ids);
    if (ids == NULL) {
        fprintf(stderr, "next_tokens: out of memory\n");
        exit(OMMA_STATUS_RESOURCES);
    }
    for (size_t i = 0; i < *n; i++) {
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    }
    return ids;
}

/* One session a picture: its tiles are encoded once. */
static void use_image(struct run *run, const char *path)
{
    const struct omma_model_info *info = omma_model_info(run->model);
    const struct omma_image_options options = {.min_tiles = info->min_tiles,
                                               .max_tiles = info->max_tiles};
    struct omma_error error;

    if (run->session != NULL && path != NULL && run->image_path != NULL &&
        strcmp(path, run->image_path) == 0) {
        return;
    }
    omma_session_destroy(&run->session);
    omma_image_close(&run->image);
    free(run->image_path);
    run->image_path = NULL;
    if (path != NULL) {
        run->image_path = strdup(path);
        check(omma_image_open(path, &options, &run->image, &error), &error);
    }
    check(omma_session_create(run->engine, NULL, &run->session, &error), &error);
}

static void answer(struct run *run, const json_t *line)
{
    size_t n_ids, n_forced;
    int32_t *ids = read_ids(line, "ids", &n_ids), *forced = read_ids(line, "forced", &n_forced);
    const struct omma_image *image;
    struct omma_event event = {0};
    struct omma_error error;
    struct omma_request request = {
        .prompt_ids = ids,
        .n_prompt_ids = n_ids,
        .max_new_tokens = (size_t)json_integer_value(json_object_get(line, "new")),
    };

    use_image(run, json_string_value(json_object_get(line, "image")));
    image = run->image;
    if (image != NULL) {
        request.conversation.images = &image;
        request.conversation.n_images = 1;
    }
    if (n_forced > 0) {
        request.max_new_tokens = n_forced;
        request.forced_ids = forced;
        request.n_forced_ids = n_forced;
        request.ignore_stop_ids = true;
        request.observer = (struct omma_observer){.rows = take_rows, .user = run};
    }
    check(omma_session_submit(run->session, &request, &error), &error);
    printf("{\"ids\": [");
    for (size_t n = 0; event.type != OMMA_EVENT_DONE;) {
        check(omma_session_poll(run->session, -1, &event, &error), &error);
        if (event.type == OMMA_EVENT_TOKEN) {
            printf("%s%d", n++ > 0 ? ", " : "", event.id);
        }
    }
    printf("]}\n");
    free(ids);
    free(forced);
}

int main(int argc, char **argv)
{
    struct omma_engine_options options = {0};
    struct run run = {0};
    struct omma_error error;
    char *text = NULL;
    size_t capacity = 0;

    if (argc < 4 || argc > 5 || (run.logits = fopen(argv[3], "wb")) == NULL) {
        fprintf(stderr, "usage: next_tokens MODEL auto|bf16|f32 LOGITS [THREADS] < LINES\n");
        return OMMA_STATUS_USAGE;
    }
    options.precision = strcmp(argv[2], "f32") == 0    ? OMMA_PRECISION_F32
                        : strcmp(argv[2], "bf16") == 0 ? OMMA_PRECISION_BF16
                                                       : OMMA_PRECISION_AUTO;
    options.n_threads = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
    check(omma_model_open(argv[1], NULL, &run.model, &error), &error);
    check(omma_engine_create(run.model, &options, &run.engine, &error), &error);
    while (getline(&text, &capacity, stdin) > 0) {
        json_t *line = json_loads(text, 0, NULL);

        if (line == NULL) {
            fprintf(stderr, "next_tokens: expected JSON: %s", text);
            return OMMA_STATUS_USAGE;
        }
        answer(&run, line);
        json_decref(line);
    }
    omma_session_destroy(&run.session);
    omma_image_close(&run.image);
    omma_engine_destroy(&run.engine);
    omma_model_close(&run.model);
    free(run.image_path);
    free(text);
    if (fclose(run.logits) != 0 || run.failed || fflush(stdout) != 0) {
        fprintf(stderr, "next_tokens: writing failed\n");
        return OMMA_STATUS_OUTPUT;
    }
    return 0;
}
