/*
 * sessions MODEL PICTURE reuse|throughput: what sessions have of each other, in the deterministic
 * mode.
 *
 *   reuse       a second turn about a picture of 12 tiles and a thumbnail, asked in another session
 *               than the first: the time to its first token over that of a text of as many tokens,
 * of which as many are cached; the answer against that of an engine that has seen nothing
 *   throughput  eight requests at once over one by one: tokens a second, and the same answers
 *
 * Medians of nine; leave the machine alone meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/omma.h"

enum { REPETITIONS = 9, N_NEW = 16, N_TOGETHER = 8, N_DECODED = 32, N_PROMPT = 32, CONTEXT = 8192 };

static struct omma_error error;

static void check(enum omma_status status)
{
    if (status != OMMA_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_value(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

struct answer {
    int32_t ids[N_DECODED];
    float margins[N_DECODED];
    size_t n_ids;
    double first_s; /* from submit to the first token */
    struct omma_usage usage;
};

static void collect(struct omma_session *session, double begin, struct answer *answer)
{
    struct omma_event event = {0};

    memset(answer, 0, sizeof *answer);
    while (event.type != OMMA_EVENT_DONE) {
        check(omma_session_poll(session, -1, &event, &error));
        if (event.type == OMMA_EVENT_TOKEN && answer->n_ids < N_DECODED) {
            answer->first_s = answer->n_ids == 0 ? now() - begin : answer->first_s;
            answer->margins[answer->n_ids] = event.margin;
            answer->ids[answer->n_ids++] = event.id;
        }
    }
    answer->usage = event.usage;
}

static void ask(struct omma_engine *engine, const struct omma_request *request,
                struct answer *answer)
{
    const struct omma_session_options options = {.n_context = CONTEXT};
    struct omma_session *session;
    double begin;

    check(omma_session_create(engine, &options, &session, &error));
    begin = now();
    check(omma_session_submit(session, request, &error));
    collect(session, begin, answer);
    omma_session_destroy(&session);
}

static bool is_same(const struct answer *a, const struct answer *b)
{
    return a->n_ids == b->n_ids && memcmp(a->ids, b->ids, sizeof a->ids) == 0 &&
           memcmp(a->margins, b->margins, sizeof a->margins) == 0;
}

static struct omma_engine *start(struct omma_model *model, bool shares)
{
    const struct omma_engine_options options = {
        .deterministic = true, .share_prefixes = shares, .max_batch = N_TOGETHER};
    struct omma_engine *engine;

    check(omma_engine_create(model, &options, &engine, &error));
    return engine;
}

/* Ids that no two prompts of different seeds begin with. */
static void draw(int32_t *ids, size_t n, size_t seed)
{
    for (size_t i = 0; i < n; i++) {
        ids[i] = (int32_t)((i * 31 + seed * 97 + 11) % 500);
    }
}

/* A text of n tokens, of which all but the last n_new, other ones for each seed, are cached. */
static double text_s(struct omma_engine *engine, size_t n, size_t n_new, size_t seed)
{
    int32_t *ids = malloc(n * sizeof *ids);
    struct omma_request request = {
        .prompt_ids = ids, .n_prompt_ids = n - n_new, .max_new_tokens = 1, .ignore_stop_ids = true};
    struct answer answer;

    draw(ids, n, 0);
    draw(ids + n - n_new, n_new, seed + 1);
    ask(engine, &request, &answer);
    request.n_prompt_ids = n;
    ask(engine, &request, &answer);
    if (answer.usage.prompt_tokens - answer.usage.cached_tokens > n_new + 1) {
        fprintf(stderr, "only %zu of %zu tokens were cached\n", answer.usage.cached_tokens, n);
        exit(1);
    }
    free(ids);
    return answer.first_s;
}

static bool show_reuse(struct omma_model *model, const struct omma_image *image)
{
    static const char first_text[] = "Count the shapes.", second_text[] = "What is written there?";
    struct omma_turn turns[] = {{OMMA_ROLE_USER, first_text, sizeof first_text - 1},
                                {OMMA_ROLE_ASSISTANT, "One.", 4},
                                {OMMA_ROLE_USER, second_text, sizeof second_text - 1}};
    struct omma_request request = {
        .conversation = {.turns = turns, .n_turns = 1, .images = &image, .n_images = 1},
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true};
    struct omma_engine *engine = start(model, true), *fresh = start(model, false);
    struct answer first, answer, expected;
    double ratios[REPETITIONS], picture_s[REPETITIONS];
    size_t n_tiles = 0;
    bool same;

    ask(engine, &request, &first);
    request.conversation.n_turns = 3;
    ask(fresh, &request, &expected);
    for (size_t i = 0; i < REPETITIONS; i++) {
        size_t n_new;
        char text[64];

        snprintf(text, sizeof text, "What is written there, line %zu?", i + 1);
        turns[2] = (struct omma_turn){OMMA_ROLE_USER, text, strlen(text)};
        ask(engine, &request, &answer);
        n_tiles += answer.usage.n_tiles;
        n_new = answer.usage.prompt_tokens - answer.usage.cached_tokens;
        picture_s[i] = answer.first_s;
        ratios[i] = answer.first_s / text_s(engine, answer.usage.prompt_tokens, n_new, i);
    }
    turns[2] = (struct omma_turn){OMMA_ROLE_USER, second_text, sizeof second_text - 1};
    ask(engine, &request, &answer);
    same = is_same(&answer, &expected);
    printf(
        "first turn: %zu tiles, %.2f s to the first token; afresh, the second turn takes %.2f s\n",
        first.usage.n_tiles, first.first_s, expected.first_s);
    printf(
        "second turn, another session: %zu tiles encoded, %.3f s, %.2f times a text's of as many "
        "cached and new tokens (at most 1.2); %s\n",
        n_tiles, median(picture_s, REPETITIONS), median(ratios, REPETITIONS),
        same ? "the answer is that of a fresh run" : "ANOTHER ANSWER than that of a fresh run");
    omma_engine_destroy(&engine);
    omma_engine_destroy(&fresh);
    return same && n_tiles == 0 && ratios[REPETITIONS / 2] <= 1.2;
}

/* Tokens a second of eight requests. */
static double rate(struct omma_engine *engine, bool together, struct answer *answers)
{
    struct omma_session *sessions[N_TOGETHER];
    double begin = now();

    for (size_t i = 0; i < N_TOGETHER; i++) {
        int32_t ids[N_PROMPT];
        struct omma_request request = {.prompt_ids = ids,
                                       .n_prompt_ids = N_PROMPT,
                                       .max_new_tokens = N_DECODED,
                                       .ignore_stop_ids = true};

        draw(ids, N_PROMPT, i);
        check(omma_session_create(engine, NULL, &sessions[i], &error));
        check(omma_session_submit(sessions[i], &request, &error));
        if (!together) {
            collect(sessions[i], begin, &answers[i]);
        }
    }
    for (size_t i = 0; i < N_TOGETHER; i++) {
        if (together) {
            collect(sessions[i], begin, &answers[i]);
        }
        omma_session_destroy(&sessions[i]);
    }
    return N_TOGETHER * N_DECODED / (now() - begin);
}

static bool show_throughput(struct omma_model *model)
{
    struct omma_engine *engine = start(model, false);
    struct answer *alone = calloc(2 * N_TOGETHER, sizeof *alone), *beside = alone + N_TOGETHER;
    double ratios[3], alone_rate = 0;
    size_t n_same = 0;

    for (size_t i = 0; i < 3; i++) {
        alone_rate = rate(engine, false, alone);
        ratios[i] = rate(engine, true, beside) / alone_rate;
    }
    for (size_t i = 0; i < N_TOGETHER; i++) {
        n_same += is_same(&alone[i], &beside[i]);
    }
    printf(
        "%d requests at once: %.2f times the tokens a second of one by one, %.1f (at least 3); %zu "
        "have the same bits\n",
        N_TOGETHER, median(ratios, 3), alone_rate, n_same);
    free(alone);
    omma_engine_destroy(&engine);
    return n_same == N_TOGETHER && ratios[1] >= 3;
}

int main(int argc, char **argv)
{
    const struct omma_image_options tiles = {.min_tiles = 12, .max_tiles = 12};
    struct omma_model *model;
    struct omma_image *image;
    bool ok;

    if (argc != 4) {
        fprintf(stderr, "usage: sessions MODEL PICTURE reuse|throughput\n");
        return 2;
    }
    check(omma_model_open(argv[1], NULL, &model, &error));
    check(omma_image_open(argv[2], &tiles, &image, &error));
    ok = strcmp(argv[3], "reuse") == 0 ? show_reuse(model, image) : show_throughput(model);
    omma_image_close(&image);
    omma_model_close(&model);
    return ok ? 0 : 1;
}
