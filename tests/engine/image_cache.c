/*
 * The image cache: which tiles it keeps; what becomes of files that were changed; and that answers
 * about pictures have the same bits with it, while no tile is encoded twice.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/omma.h"
#include "engine/image_cache.h"
#include "support/asking.h"
#include "support/support.h"

enum { N_FLOATS = 5, N_NEW = 8, N_TILES = 2, MANY_TILES = 5, FILE_BYTES = 128 + N_FLOATS * 4 };

static void count_warning(void *user, enum omma_log_level level, const char *message)
{
    assert_int_equal(level, OMMA_LOG_WARNING);
    assert_non_null(strstr(message, "image cache"));
    ++*(size_t *)user;
}

static struct omma_image_cache *make_cache(size_t n_bytes, const char *dir, const char *identity,
                                           size_t *n_warnings)
{
    struct omma_image_cache_options options = {.n_bytes = n_bytes,
                                               .dir = dir,

                                               .n_floats = N_FLOATS,
                                               .log = {count_warning, n_warnings}};
    struct omma_image_cache *cache = NULL;
    struct omma_error error;

    memcpy(options.identity, identity, strlen(identity));
    assert_ok(omma_image_cache_create(&options, &cache, &error));
    return cache;
}

static struct omma_tile_key key_of(uint8_t picture, uint64_t tile)
{
    return (struct omma_tile_key){.picture = {[0] = 1, [31] = picture}, .tile = tile};
}

static void fill(float *tokens, size_t n)
{
    for (size_t i = 0; i < N_FLOATS; i++) {
        tokens[i] = (float)(n * N_FLOATS + i) + 0.25F;
    }
}

/* Keys whose first bytes are equal stand in chains; the tile used last stays. */
static void test_memory(void **state)
{
    enum { N_KEYS = 40, N_KEPT = 10 };
    struct omma_image_cache *cache = make_cache(1, NULL, "", NULL);
    float tokens[N_FLOATS];
    size_t entry_bytes;

    (void)state;
    fill(tokens, 0);
    omma_image_cache_add(cache, &(struct omma_tile_key){.tile = 1}, tokens);
    assert_int_equal(omma_image_cache_bytes(cache), 0); /* smaller than a tile */
    omma_image_cache_destroy(&cache);
    cache = make_cache(1 << 20, NULL, "", NULL);
    omma_image_cache_add(cache, &(struct omma_tile_key){.tile = 1}, tokens);
    entry_bytes = omma_image_cache_bytes(cache);
    assert_true(entry_bytes > sizeof tokens);
    omma_image_cache_destroy(&cache);

    cache = make_cache(N_KEPT * entry_bytes + 1, NULL, "", NULL);
    for (size_t i = 0; i < N_KEYS; i++) {
        struct omma_tile_key key = key_of((uint8_t)(i % 3), i / 3), first = key_of(0, 0);

        fill(tokens, i);
        assert_null(omma_image_cache_find(cache, &key));
        omma_image_cache_add(cache, &key, tokens);
        omma_image_cache_add(cache, &key, tokens);
        assert_memory_equal(omma_image_cache_find(cache, &key), tokens, sizeof tokens);
        assert_non_null(omma_image_cache_find(cache, &first));
    }
    assert_int_equal(omma_image_cache_bytes(cache), N_KEPT * entry_bytes);
    for (size_t i = 0; i < N_KEYS; i++) {
        struct omma_tile_key key = key_of((uint8_t)(i % 3), i / 3);
        const float *found = omma_image_cache_find(cache, &key);

        assert_int_equal(found != NULL, i == 0 || i > N_KEYS - N_KEPT);
        fill(tokens, i);
        assert_true(found == NULL || memcmp(found, tokens, sizeof tokens) == 0);
    }
    omma_image_cache_destroy(&cache);
}

/* The one file of a folder, its path to be freed. */
static char *only_file(const char *dir)
{
    DIR *listing = opendir(dir);
    char *path = NULL;
    struct dirent *entry;

    while ((entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.') {
            assert_null(path);
            path = omma_test_join(dir, entry->d_name);
        }
    }
    closedir(listing);
    assert_non_null(path);
    return path;
}

/* Each byte flipped in turn, the file cut and with a byte more: refused, with a warning, and
 * replaced. */
static void test_damaged_files(void **state)
{
    struct omma_tile_key key = key_of(3, 7), other = key_of(3, 8);
    char *dir = omma_test_folder(), *path, *bytes;
    size_t n_warnings = 0, n_bytes;
    struct omma_image_cache *cache = make_cache(0, dir, "model", &n_warnings);
    float tokens[N_FLOATS], found[N_FLOATS];

    (void)state;
    fill(tokens, 1);
    assert_false(omma_image_cache_load(cache, &key, found));
    omma_image_cache_store(cache, &key, tokens);
    assert_true(omma_image_cache_load(cache, &key, found));
    assert_memory_equal(found, tokens, sizeof tokens);
    assert_false(omma_image_cache_load(cache, &other, found));
    assert_int_equal(n_warnings, 0);
    path = only_file(dir);
    bytes = omma_test_read(path, &n_bytes);
    assert_int_equal(n_bytes, FILE_BYTES);
    for (size_t i = 0; i <= n_bytes; i++) {
        if (i < n_bytes) {
            bytes[i] ^= 0x10;
            omma_test_write(path, bytes, n_bytes);
            bytes[i] ^= 0x10;
        } else {
            omma_test_write(path, bytes, n_bytes + 1); /* the NUL behind it */
        }
        assert_false(omma_image_cache_load(cache, &key, found));
        omma_test_write(path, bytes, i);
        assert_int_equal(omma_image_cache_load(cache, &key, found), i == n_bytes);
        assert_int_equal(n_warnings, 2 * (i + 1) - (i == n_bytes));
    }
    omma_test_write(path, bytes, 1);
    omma_image_cache_store(cache, &key, tokens);
    assert_true(omma_image_cache_load(cache, &key, found));
    omma_image_cache_destroy(&cache);

    /* under another identity it is not there, whatever the file's name says */
    n_warnings = 0;
    cache = make_cache(0, dir, "another model", &n_warnings);
    assert_false(omma_image_cache_load(cache, &key, found));
    assert_int_equal(n_warnings, 0);
    assert_int_equal(unlink(path), 0);
    free(path);
    omma_image_cache_store(cache, &key, tokens);
    path = only_file(dir);
    omma_test_write(path, bytes, n_bytes);
    assert_false(omma_image_cache_load(cache, &key, found));
    assert_int_equal(n_warnings, 1);
    omma_image_cache_destroy(&cache);
    free(bytes);
    free(path);
    free(dir);
}

/* A folder that is gone stops no answer: one warning, and nothing more is written. */
static void test_folder_fails(void **state)
{
    char *dir = omma_test_folder(), *below = omma_test_join(dir, "below/folder");
    struct omma_image_cache_options options = {.dir = below, .n_floats = 1};
    struct omma_tile_key key = key_of(1, 1);
    struct omma_image_cache *cache = NULL;
    struct omma_error error;
    size_t n_warnings = 0;
    float tokens[N_FLOATS] = {0};

    (void)state;
    assert_fails(OMMA_STATUS_OUTPUT, "below/folder",
                 omma_image_cache_create(&options, &cache, &error));
    cache = make_cache(0, dir, "model", &n_warnings);
    assert_int_equal(rmdir(dir), 0);
    omma_image_cache_store(cache, &key, tokens);
    omma_image_cache_store(cache, &key, tokens);
    assert_int_equal(n_warnings, 1);
    omma_image_cache_destroy(&cache);
    free(below);
    free(dir);
}

static struct omma_image *open_picture(const char *name, size_t n_tiles)
{
    return omma_test_open_picture(name, &(struct omma_image_options){.min_tiles = n_tiles,
                                                                     .max_tiles = n_tiles,
                                                                     .no_thumbnail = true});
}

static struct omma_request ask_about(const struct omma_image *const *image)
{
    static const char QUESTION[] = "Count the shapes.";
    static const struct omma_turn turn = {OMMA_ROLE_USER, QUESTION, sizeof QUESTION - 1};

    return (struct omma_request){
        .conversation = {.turns = &turn, .n_turns = 1, .images = image, .n_images = 1},
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true};
}

/* Ask in a session of its own, and compare with what was answered before. */
static void ask_again(struct omma_engine *engine, const struct omma_image *image,
                      const struct omma_test_answer *first, size_t n_cached)
{
    struct omma_session *session = omma_test_make_session(engine, NULL);
    struct omma_request request = ask_about(&image);
    struct omma_test_answer answer;

    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.done.usage.cached_tiles, n_cached);
    assert_int_equal(answer.done.usage.n_tiles, N_TILES - n_cached);
    assert_int_equal(answer.n_tiles, N_TILES);
    if (first != NULL) {
        assert_memory_equal(answer.ids, first->ids, sizeof answer.ids);
        assert_memory_equal(answer.margins, first->margins, sizeof answer.margins);
    }
    omma_session_destroy(&session);
}

/* From memory and from files, with and without a pool: the bits of a tile that was encoded. */
static void test_same_bits(void **state)
{
    struct omma_image *image = open_picture("tall.png", N_TILES),
                      *other = open_picture("number.png", N_TILES);

    for (size_t i = 0; i < 4; i++) {
        char *dir = omma_test_folder();
        struct omma_engine_options options = {
            .n_threads = 2, .no_vision_threads = i % 2 == 0, .deterministic = i >= 2};
        struct omma_engine *engine = omma_test_make_engine(*state, &options);
        struct omma_session *session = omma_test_make_session(engine, NULL);
        struct omma_request request = ask_about((const struct omma_image *const *)&image);
        struct omma_test_answer first;
        struct omma_engine_stats stats;

        omma_test_ask(session, &request, &first);
        omma_session_destroy(&session);
        ask_again(engine, image, &first, 0); /* there is none unless it is asked for */
        omma_engine_destroy(&engine);

        options.image_cache_bytes = 64 << 20;
        options.image_cache_dir = dir;
        engine = omma_test_make_engine(*state, &options);
        ask_again(engine, image, &first, 0);
        ask_again(engine, image, &first, N_TILES);
        ask_again(engine, other, NULL, 0);
        ask_again(engine, image, &first, N_TILES);
        omma_engine_stats(engine, &stats);
        assert_int_equal(stats.n_tiles, 2 * N_TILES);
        assert_int_equal(stats.cached_tiles, 2 * N_TILES);
        assert_int_equal(stats.n_tiles_waiting, 0);
        assert_true(stats.image_cache_bytes > 0 && stats.image_cache_bytes < 64 << 20);
        omma_engine_destroy(&engine);

        options.image_cache_bytes = 0; /* the folder alone, by another engine */
        engine = omma_test_make_engine(*state, &options);
        ask_again(engine, image, &first, N_TILES);
        ask_again(engine, image, &first, N_TILES);
        omma_engine_stats(engine, &stats);
        assert_int_equal(stats.n_tiles, 0);
        omma_engine_destroy(&engine);

        options.precision = OMMA_PRECISION_F32; /* whose tokens are others */
        engine = omma_test_make_engine(*state, &options);
        ask_again(engine, image, NULL, 0);
        omma_engine_destroy(&engine);
        free(dir);
    }
    omma_image_close(&image);
    omma_image_close(&other);
}

/* Where all tiles of a picture do not fit, those that are there are taken all the same. */
static void test_small_cache(void **state)
{
    const struct omma_engine_options options = {
        .n_threads = 2,
        .image_cache_bytes =
            2 * (omma_model_info(*state)->tokens_per_tile * omma_model_info(*state)->hidden + 64) *
            sizeof(float)};
    struct omma_engine *engine = omma_test_make_engine(*state, &options);
    struct omma_image *image = open_picture("tall.png", N_TILES);
    struct omma_session *session = omma_test_make_session(engine, NULL);
    struct omma_request request = ask_about((const struct omma_image *const *)&image);
    struct omma_test_answer first, answer;

    omma_test_ask(session, &request, &first);
    omma_session_destroy(&session);
    session = omma_test_make_session(engine, NULL);
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.done.usage.n_tiles + answer.done.usage.cached_tiles, N_TILES);
    assert_memory_equal(answer.margins, first.margins, sizeof answer.margins);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
    omma_image_close(&image);
}

/* Of several that ask about one picture at a time each tile is encoded once, also if the one that
 * it is encoded for leaves. */
static void test_side_by_side(void **state)
{
    enum { N_SESSIONS = 4 };

    for (size_t i = 0; i < 4; i++) {
        const struct omma_engine_options options = {
            .n_threads = 2, .no_vision_threads = i % 2 == 0, .image_cache_bytes = 64 << 20};
        struct omma_engine *engine = omma_test_make_engine(*state, &options);
        struct omma_image *image = open_picture("tall.png", MANY_TILES);
        struct omma_request request = ask_about((const struct omma_image *const *)&image);
        struct omma_session *sessions[N_SESSIONS];
        struct omma_test_answer first = {0}, answer;
        struct omma_engine_stats stats;
        struct omma_event event = {0};
        struct omma_error error;
        bool cancels = i >= 2;

        for (size_t k = 0; k < N_SESSIONS; k++) {
            sessions[k] = omma_test_make_session(engine, NULL);
            assert_ok(omma_session_submit(sessions[k], &request, &error));
        }
        while (cancels && event.type != OMMA_EVENT_PROGRESS) {
            assert_ok(omma_session_poll(sessions[0], -1, &event, &error));
        }
        if (cancels) {
            omma_session_destroy(&sessions[0]);
        }
        for (size_t k = cancels; k < N_SESSIONS; k++) {
            omma_test_collect(sessions[k], &answer);
            assert_int_equal(answer.done.finish, OMMA_FINISH_LENGTH);
            first = k == cancels ? answer : first;
            assert_memory_equal(answer.ids, first.ids, sizeof answer.ids);
            omma_session_destroy(&sessions[k]);
        }
        omma_engine_stats(engine, &stats);
        if (cancels) { /* what was begun for it is begun again */
            assert_true(stats.n_tiles <= MANY_TILES + 4);
        } else {
            assert_int_equal(stats.n_tiles, MANY_TILES);
            assert_int_equal(stats.cached_tiles, (N_SESSIONS - 1) * MANY_TILES);
        }
        assert_int_equal(stats.n_tiles_waiting, 0);
        omma_engine_destroy(&engine);
        omma_image_close(&image);
    }
}

static void ignore(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                   const float *values)
{
    (void)first_row;
    (void)n_rows;
    (void)width;
    (void)values;
    *(size_t *)user += strcmp(stage, "projector") == 0;
}

/* Who watches the stages sees them. */
static void test_observed(void **state)
{
    const struct omma_engine_options options = {.n_threads = 2, .image_cache_bytes = 64 << 20};
    struct omma_engine *engine = omma_test_make_engine(*state, &options);
    struct omma_image *image = open_picture("tall.png", N_TILES);
    struct omma_request request = ask_about((const struct omma_image *const *)&image);
    struct omma_session *session = omma_test_make_session(engine, NULL);
    struct omma_test_answer answer;
    size_t n_observed = 0;

    ask_again(engine, image, NULL, 0);
    request.observer = (struct omma_observer){ignore, &n_observed};
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.done.usage.n_tiles, N_TILES);
    assert_true(n_observed >= N_TILES);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
    omma_image_close(&image);
}

static void test_generated_model(void **state)
{
    struct omma_model_shape shape = {.size = "1B", .n_layers = 1, .n_vision_layers = 1, .seed = 1};
    struct omma_engine_options options = {.n_threads = 1, .image_cache_dir = "."};
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_error error;

    (void)state;
    assert_ok(omma_model_generate(&shape, &model, &error));
    assert_fails(OMMA_STATUS_USAGE, "generated model",
                 omma_engine_create(model, &options, &engine, &error));
    omma_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),       cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_folder_fails), cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_small_cache),  cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_observed),     cmocka_unit_test(test_generated_model),
    };

    return cmocka_run_group_tests(tests, omma_test_set_up_demo, omma_test_tear_down_demo);
}
