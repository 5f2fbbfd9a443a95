/*
 * Sessions saved and loaded, on the demo model: the answers of one that was never interrupted, in
 * the same bits; what is refused: other models and options, too small a context, any damage.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/session.h"
#include "support/asking.h"
#include "support/support.h"

enum { CONTEXT = 1024, N_NEW = 10 };

static const char first[] = "Count the shapes.", second[] = "Count the texts.";
static const struct omma_engine_options plain = {.n_threads = 2};

struct world {
    struct omma_model *model;
    struct omma_image *image;
    char *folder, *path;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    world->model = omma_test_open_demo();
    world->image = omma_test_open_picture("tall.png", &(struct omma_image_options){.max_tiles = 4});
    world->folder = omma_test_folder();
    world->path = omma_test_join(world->folder, "saved");
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    unlink(world->path);
    rmdir(world->folder);
    omma_model_close(&world->model);
    omma_image_close(&world->image);
    free(world->path);
    free(world->folder);
    free(world);
    return 0;
}

static struct omma_session *make_session(struct omma_engine *engine)
{
    return omma_test_make_session(engine, &(struct omma_session_options){.n_context = CONTEXT});
}

/* The question, behind an earlier one and its answer if there is one. */
static void ask(const struct world *world, struct omma_session *session,
                const struct omma_test_answer *earlier, struct omma_test_answer *answer)
{
    const struct omma_turn turns[] = {
        {OMMA_ROLE_USER, first, sizeof first - 1},
        {OMMA_ROLE_ASSISTANT, earlier != NULL ? earlier->text : NULL,
         earlier != NULL ? earlier->n_bytes : 0},
        {OMMA_ROLE_USER, second, sizeof second - 1},
    };
    struct omma_request request = {
        .conversation = {.turns = turns,
                         .n_turns = earlier != NULL ? 3 : 1,
                         .images = (const struct omma_image *const *)&world->image,
                         .n_images = 1},
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true};

    omma_test_ask(session, &request, answer);
    assert_int_equal(answer->status, OMMA_OK);
    assert_int_equal(answer->n_tokens, N_NEW);
}

/* The file of a session that was asked the first question. */
static void save_asked(const struct world *world, const struct omma_engine_options *options)
{
    struct omma_engine *engine = omma_test_make_engine(world->model, options);
    struct omma_session *session = make_session(engine);
    struct omma_test_answer answer;
    struct omma_error error;

    ask(world, session, NULL, &answer);
    assert_ok(omma_session_save(session, world->path, "a note", 6, &error));
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

/* The second question, on a session that was asked the first, or loaded. */
static void test_goes_on_with_same_bits(void **state)
{
    const struct world *world = *state;

    for (int i = 0; i < 2; i++) {
        struct omma_engine_options options = {.n_threads = 2, .deterministic = i == 1};
        struct omma_engine *engine = omma_test_make_engine(world->model, &options);
        struct omma_session *kept = make_session(engine), *loaded = make_session(engine);
        struct omma_test_answer earlier, expected, answer;
        struct omma_error error;
        size_t n_note = 0;
        char *note = NULL;

        save_asked(world, &options);
        ask(world, kept, NULL, &earlier);
        ask(world, kept, &earlier, &expected);
        assert_ok(omma_session_load(loaded, world->path, &note, &n_note, &error));
        assert_int_equal(n_note, 6);
        assert_string_equal(note, "a note");
        ask(world, loaded, &earlier, &answer);
        assert_int_equal(answer.done.usage.n_tiles, 0);
        assert_true(answer.done.usage.cached_tokens > 3 * 256);
        assert_int_equal(answer.done.usage.cached_tokens, expected.done.usage.cached_tokens);
        assert_memory_equal(answer.ids, expected.ids, N_NEW * sizeof *answer.ids);
        assert_memory_equal(answer.margins, expected.margins, N_NEW * sizeof *answer.margins);
        free(note);
        omma_session_destroy(&kept);
        omma_session_destroy(&loaded);
        omma_engine_destroy(&engine);
    }
}

static void assert_refused(const struct world *world, const struct omma_engine_options *options,
                           size_t n_context, const char *text)
{
    struct omma_engine *engine = omma_test_make_engine(world->model, options);
    struct omma_session *session =
        omma_test_make_session(engine, &(struct omma_session_options){.n_context = n_context});
    struct omma_error error;
    size_t n_note;
    char *note;

    assert_fails(OMMA_STATUS_PROMPT, text,
                 omma_session_load(session, world->path, &note, &n_note, &error));
    assert_non_null(strstr(error.message, world->path));
    assert_int_equal(error.status, OMMA_STATUS_PROMPT);
    assert_int_equal(session->kv->n_cached, 0);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

static void test_other_engines_are_refused(void **state)
{
    const struct world *world = *state;
    const struct omma_engine_options precise = {.n_threads = 1, .precision = OMMA_PRECISION_F32};
    const struct omma_engine_options scalar = {.n_threads = 1, .isa = "scalar"};
    const struct omma_engine_options exact = {.n_threads = 1, .deterministic = true};

    save_asked(world, &plain);
    assert_refused(world, &precise, CONTEXT, "f32 KV cache; found");
    assert_refused(world, &exact, CONTEXT, "KV cache, deterministic; found");
    assert_refused(world, &plain, 700, "expected at most 700 tokens, the context, found 8");
    save_asked(world, &precise);
    assert_refused(world, &scalar, CONTEXT, "scalar kernels");
    unlink(world->path);
    assert_refused(world, &plain, CONTEXT, "No such file");
}

/* A small file, each byte of it changed in turn, each length that it could be cut to, and bytes
 * more. */
static void test_damage_is_refused(void **state)
{
    static const int32_t ids[] = {5, 6, 7};
    const struct world *world = *state;
    struct omma_engine *engine = omma_test_make_engine(world->model, &plain);
    struct omma_session *session = make_session(engine);
    struct omma_request request = {
        .prompt_ids = ids, .n_prompt_ids = 3, .max_new_tokens = 1, .ignore_stop_ids = true};
    struct omma_test_answer answer;
    struct omma_error error;
    struct stat status;
    size_t n_note;
    char *note;
    int file;

    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.status, OMMA_OK);
    assert_ok(omma_session_save(session, world->path, "abc", 3, &error));
    file = open(world->path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &status), 0);
    assert_true(status.st_size > 1000);
    for (off_t at = 0; at < status.st_size; at++) {
        char byte, flipped;

        assert_int_equal(pread(file, &byte, 1, at), 1);
        flipped = (char)(byte ^ (1 << at % 8));
        assert_int_equal(pwrite(file, &flipped, 1, at), 1);
        assert_fails(OMMA_STATUS_PROMPT, world->path,
                     omma_session_load(session, world->path, &note, &n_note, &error));
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
    }
    assert_ok(omma_session_load(session, world->path, &note, &n_note, &error));
    free(note);
    assert_int_equal(pwrite(file, "", 1, status.st_size), 1);
    for (off_t n = status.st_size + 1; n >= 0; n--) {
        if (n != status.st_size) {
            assert_int_equal(ftruncate(file, n), 0);
            assert_fails(OMMA_STATUS_PROMPT, world->path,
                         omma_session_load(session, world->path, &note, &n_note, &error));
        }
    }
    close(file);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

/* An empty session is one too; a folder that is not there is told. */
static void test_saving(void **state)
{
    const struct world *world = *state;
    struct omma_engine *engine = omma_test_make_engine(world->model, &plain);
    struct omma_session *session = make_session(engine);
    struct omma_error error;

    assert_fails(OMMA_STATUS_OUTPUT, "/no/such/folder/saved",
                 omma_session_save(session, "/no/such/folder/saved", "", 0, &error));
    assert_ok(omma_session_save(session, world->path, "", 0, &error));
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on_with_same_bits),
        cmocka_unit_test(test_other_engines_are_refused),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_saving),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
