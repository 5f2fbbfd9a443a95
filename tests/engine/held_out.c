/*
 * The demo model on pictures it never saw: dialogues of three turns whose history holds the
 * reference's earlier answers, and what the reference answers greedily in f32.
 *
 *   held_out [N]    the first N dialogues (100: all) on every tier; without N a few, for make check
 *
 * In f32 every answer must be equal, token for token, up to a first step whose margin is below
 * 1e-3: there sums in another order may choose otherwise.  In bf16 at least as many must be equal
 * as of PyTorch's own bf16: 167 of 171.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "support/asking.h"
#include "support/support.h"

enum { MAX_TURNS = 8, MAX_ANSWER = 64 };

static const double MARGIN = 1e-3;

/* What a newcomer's make check has time for, and the scalar tier, which is slow. */
static size_t n_dialogues = 8, n_scalar_dialogues = 1;

struct tally {
    size_t n_answers, n_equal;
    size_t n_one_tile, n_one_tile_equal; /* among them, on pictures of one tile */
    size_t n_near;                       /* different from a step of a small margin on */
};

static json_t *read_dialogues(const char *folder)
{
    char *path = omma_test_join(folder, "dialogues.jsonl");
    char *text = omma_test_read(path, NULL), *rest = text, *line;
    json_t *list = json_array();

    while ((line = strsep(&rest, "\n")) != NULL) {
        if (*line != '\0') {
            json_t *dialogue = json_loads(line, 0, NULL);

            assert_non_null(dialogue);
            json_array_append_new(list, dialogue);
        }
    }
    free(text);
    free(path);
    return list;
}

static const char *text_of(const json_t *turn, const char *key)
{
    const char *text = json_string_value(json_object_get(turn, key));

    assert_non_null(text);
    return text;
}

/* Ask turn number `last` with all before it as the history; count the answer. */
static void ask(struct omma_session *session, const struct omma_image *image, const json_t *turns,
                size_t last, bool is_f32, struct tally *tally)
{
    struct omma_turn said[2 * MAX_TURNS];
    struct omma_request request = {
        .conversation = {.turns = said,
                         .n_turns = 2 * last + 1,
                         .images = &image,
                         .n_images = 1,
                         .special = OMMA_SPECIAL_REFERENCE},
        .max_new_tokens = MAX_ANSWER,
    };
    const json_t *ids = json_object_get(json_array_get(turns, last), "ids");
    struct omma_event event = {0};
    struct omma_error error = {0};
    size_t n = 0, n_same = 0;
    float margin = 0; /* at the first step that differs */

    for (size_t i = 0; i <= 2 * last; i++) {
        const json_t *turn = json_array_get(turns, i / 2);
        const char *text = text_of(turn, i % 2 == 0 ? "question" : "reference");

        said[i] = (struct omma_turn){i % 2 == 0 ? OMMA_ROLE_USER : OMMA_ROLE_ASSISTANT, text,
                                     strlen(text)};
    }
    assert_ok(omma_session_submit(session, &request, &error));
    while (event.type != OMMA_EVENT_DONE) {
        assert_ok(omma_session_poll(session, -1, &event, &error));
        if (event.type == OMMA_EVENT_TOKEN) {
            if (n == n_same && n < json_array_size(ids) &&
                json_integer_value(json_array_get(ids, n)) == event.id) {
                n_same++;
            } else if (n == n_same) {
                margin = event.margin;
            }
            n++;
        }
    }
    tally->n_answers++;
    if (n_same == n && n == json_array_size(ids)) {
        tally->n_equal++;
    } else if (is_f32 && margin < MARGIN) {
        tally->n_near++;
    } else {
        print_message("    turn %zu \"%s\": differs at step %zu of %zu, margin %.2e\n", last + 1,
                      said[2 * last].text, n_same, json_array_size(ids), margin);
    }
}

static void hold(struct omma_engine *engine, const char *folder, const json_t *dialogue,
                 bool is_f32, const struct omma_model_info *model, struct tally *tally)
{
    const json_t *turns = json_object_get(dialogue, "turns");
    size_t n_tiles = (size_t)json_integer_value(json_object_get(dialogue, "tiles"));
    struct omma_image_options options = {.min_tiles = model->min_tiles,
                                         .max_tiles = model->max_tiles};
    char *path = omma_test_join(folder, text_of(dialogue, "image"));
    struct omma_image *image = NULL;
    struct omma_session *session = NULL;
    struct omma_error error = {0};
    size_t n_equal = tally->n_equal;

    assert_in_range(json_array_size(turns), 1, MAX_TURNS);
    assert_ok(omma_image_open(path, &options, &image, &error));
    assert_int_equal(omma_image_info(image)->grid.n_tiles, n_tiles);
    assert_ok(omma_session_create(engine, NULL, &session, &error));
    for (size_t i = 0; i < json_array_size(turns); i++) {
        ask(session, image, turns, i, is_f32, tally);
    }
    if (n_tiles == 1) {
        tally->n_one_tile += json_array_size(turns);
        tally->n_one_tile_equal += tally->n_equal - n_equal;
    }
    omma_session_destroy(&session);
    omma_image_close(&image);
    free(path);
}

/* As many may differ as of PyTorch's bf16, and one more of a small number. */
static void expect_share(size_t n_equal, size_t n, const char *what)
{
    if ((n - n_equal) * 171 > 4 * n + (n < 171 ? 171 : 0)) {
        fail_msg("%zu of %zu answers%s are the reference's", n_equal, n, what);
    }
}

static void hold_all(struct omma_model *model, const char *folder, const json_t *dialogues,
                     const char *isa, enum omma_precision precision)
{
    size_t n = strcmp(isa, "scalar") == 0 ? n_scalar_dialogues : n_dialogues;
    bool is_f32 = precision == OMMA_PRECISION_F32;
    struct omma_engine_options options = {.isa = isa, .precision = precision};
    struct omma_engine *engine = NULL;
    struct omma_error error = {0};
    struct tally tally = {0};

    assert_ok(omma_engine_create(model, &options, &engine, &error));
    for (size_t i = 0; i < n && i < json_array_size(dialogues); i++) {
        hold(engine, folder, json_array_get(dialogues, i), is_f32, omma_model_info(model), &tally);
    }
    omma_engine_destroy(&engine);
    print_message("%s %s: %zu of %zu answers equal (%zu of %zu on one tile), %zu differ from a "
                  "step of a margin below %g on\n",
                  isa, is_f32 ? "f32" : "bf16", tally.n_equal, tally.n_answers,
                  tally.n_one_tile_equal, tally.n_one_tile, tally.n_near, MARGIN);
    if (is_f32) {
        assert_int_equal(tally.n_equal + tally.n_near, tally.n_answers);
    } else {
        expect_share(tally.n_equal, tally.n_answers, "");
        expect_share(tally.n_one_tile_equal, tally.n_one_tile, " on one tile");
    }
}

static void hold_on_every_tier(enum omma_precision precision)
{
    OMMA_TEST_NEED_SHARED(folder, "demo/held_out");
    json_t *dialogues = read_dialogues(folder);
    struct omma_model *model = omma_test_open_demo();
    const char *tier;
    bool is_usable;

    for (size_t i = 0; (tier = omma_isa_tier(i, &is_usable)) != NULL; i++) {
        if (!is_usable) {
            continue;
        }
        hold_all(model, folder, dialogues, tier, precision);
    }
    omma_model_close(&model);
    json_decref(dialogues);
    free(folder);
}

static void answers_in_f32(void **state)
{
    (void)state;
    hold_on_every_tier(OMMA_PRECISION_F32);
}

static void answers_in_bf16(void **state)
{
    (void)state;
    hold_on_every_tier(OMMA_PRECISION_BF16);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_f32),
        cmocka_unit_test(answers_in_bf16),
    };

    if (argc > 1) {
        n_dialogues = n_scalar_dialogues = strtoul(argv[1], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
