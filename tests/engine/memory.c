/*
 * Anonymous memory of a run in the shape of the 1B: at most 200 MB beside the KV cache, with a
 * prompt of several chunks and a picture of one tile.  Buffers follow the widths, not the depth, so
 * two layers of each tower show what all of them take.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "engine/session.h"
#include "support/support.h"

enum { N_TOKENS = 1100, LIMIT_KB = 200 * 1000 };

/* A line of /proc/self/smaps_rollup in KB; -1 if it cannot be read. */
static long read_rollup(const char *name)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kb = -1;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kb = strtol(line + strlen(name), NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kb;
}

static struct omma_image *open_picture(void)
{
    char *path = omma_test_source("share/omma/demo/pictures/number.png");
    struct omma_image *image = NULL;
    struct omma_error error;

    assert_ok(omma_image_open(path, &(struct omma_image_options){.max_tiles = 1}, &image, &error));
    free(path);
    return image;
}

static void run(struct omma_engine *engine, const struct omma_model_info *info)
{
    struct omma_session *session = NULL;
    struct omma_image *image = open_picture();
    const struct omma_image *images[] = {image};
    int32_t ids[N_TOKENS];
    struct omma_request request = {
        .prompt_ids = ids, .n_prompt_ids = N_TOKENS, .max_new_tokens = 4, .ignore_stop_ids = true};
    struct omma_event event;
    struct omma_error error;
    long kv_kb = (long)(N_TOKENS * info->kv_bytes_per_token / 1000), kb;

    for (size_t i = 0; i < N_TOKENS; i++) {
        ids[i] = i < 256 ? info->context_id : (int32_t)(i % 1000);
    }
    request.conversation.images = images;
    request.conversation.n_images = 1;
    assert_ok(omma_session_create(engine, NULL, &session, &error));
    assert_ok(omma_session_submit(session, &request, &error));
    do {
        assert_ok(omma_session_poll(session, -1, &event, &error));
    } while (event.type != OMMA_EVENT_DONE);
    kb = read_rollup("Anonymous:");
    print_message("anonymous: %ld KB, of which the KV cache %ld KB\n", kb, kv_kb);
    assert_true(kb - kv_kb > 0);
    assert_true(kb - kv_kb <= LIMIT_KB);
    omma_session_destroy(&session);
    omma_image_close(&image);
}

static void test_anonymous_memory(void **state)
{
    struct omma_model_shape shape = {.size = "1B", .n_layers = 2, .n_vision_layers = 2, .seed = 1};
    struct omma_engine_options options = {.n_threads = 2};
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_error error;

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    print_message("AddressSanitizer's own memory would be counted\n");
    skip();
#endif
    if (read_rollup("Anonymous:") < 0) {
        print_message("needs /proc/self/smaps_rollup\n");
        skip();
    }
    assert_ok(omma_model_generate(&shape, &model, &error));
    assert_ok(omma_engine_create(model, &options, &engine, &error));
    run(engine, omma_model_info(model));
    omma_engine_destroy(&engine);
    omma_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anonymous_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
