/*
 * gaps MODEL PICTURE: how long clients that send texts wait from one token to the next, alone and
 * while others send pictures, with the vision pool and without.
 *
 * Eight clients ask one after the other, in sessions of their own.  Four send texts and time their
 * tokens; the other four send texts too, or a picture of 13 tiles each time.  Prefixes are shared
 * by nobody and no picture is kept, so that every one is encoded.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "tools/clock.h"

enum { N_CLIENTS = 8, N_TEXT = 4, SECONDS = 8, N_NEW = 100, MOST_GAPS = 1 << 20, N_TILES = 13 };

struct client {
    struct omma_engine *engine;
    const struct omma_image *image; /* NULL: text */
    atomic_bool *is_over;
    double *gaps; /* [MOST_GAPS]; NULL: not noted */
    size_t n_gaps, n_requests;
    pthread_t thread;
};

static void die(const char *what, const struct omma_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error->message);
    exit(1);
}

/* Ask once, and note the times between tokens. */
static void ask(struct client *client, struct omma_session *session)
{
    static const char question[] = "Count the shapes, and say what their colors are.";
    const struct omma_turn turn = {OMMA_ROLE_USER, question, sizeof question - 1};
    struct omma_request request = {
        .conversation = {.turns = &turn,
                         .n_turns = 1,
                         .images = &client->image,
                         .n_images = client->image != NULL},
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true,
    };
    struct omma_event event = {0};
    struct omma_error error;
    double last = 0.0;

    if (omma_session_submit(session, &request, &error) != OMMA_OK) {
        die("submit", &error);
    }
    while (event.type != OMMA_EVENT_DONE) {
        if (omma_session_poll(session, -1, &event, &error) != OMMA_OK) {
            die("poll", &error);
        }
        if (event.type == OMMA_EVENT_TOKEN) {
            double now = now_s();

            if (client->gaps != NULL && last > 0.0 && client->n_gaps < MOST_GAPS) {
                client->gaps[client->n_gaps++] = now - last;
            }
            last = now;
        }
    }
    client->n_requests++;
}

static void *run_client(void *argument)
{
    struct client *client = argument;
    struct omma_error error;

    while (!atomic_load(client->is_over)) {
        struct omma_session *session = NULL;

        if (omma_session_create(client->engine, NULL, &session, &error) != OMMA_OK) {
            die("session", &error);
        }
        ask(client, session);
        omma_session_destroy(&session);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The gap that 99 of 100 do not exceed, in ms; prints a line. */
static double measure(struct omma_model *model, bool has_pool, const struct omma_image *image)
{
    const struct omma_engine_options options = {.no_vision_threads = !has_pool,
                                                .max_batch = N_CLIENTS};
    const struct timespec pause = {.tv_sec = SECONDS};
    struct client clients[N_CLIENTS] = {0};
    double *gaps = malloc(N_TEXT * MOST_GAPS * sizeof *gaps);
    struct omma_engine *engine = NULL;
    struct omma_engine_stats stats;
    struct omma_error error;
    atomic_bool is_over = false;
    size_t n = 0;
    double p50, p99, most;

    if (gaps == NULL || omma_engine_create(model, &options, &engine, &error) != OMMA_OK) {
        die("engine", &error);
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        clients[i] = (struct client){.engine = engine,
                                     .image = i < N_TEXT ? NULL : image,
                                     .is_over = &is_over,
                                     .gaps = i < N_TEXT ? gaps + i * MOST_GAPS : NULL};
        pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
    }
    nanosleep(&pause, NULL);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        if (i < N_TEXT) {
            memmove(gaps + n, clients[i].gaps, clients[i].n_gaps * sizeof *gaps);
            n += clients[i].n_gaps;
        }
    }
    omma_engine_stats(engine, &stats);
    qsort(gaps, n, sizeof *gaps, compare);
    p50 = n > 0 ? 1e3 * gaps[n / 2] : 0.0;
    p99 = n > 0 ? 1e3 * gaps[n * 99 / 100] : 0.0;
    most = n > 0 ? 1e3 * gaps[n - 1] : 0.0;
    printf("%-8s %-9s %8zu gaps  p50 %7.2f ms  p99 %7.2f ms  most %7.2f ms  %4zu tiles\n",
           has_pool ? "pool" : "serial", image != NULL ? "pictures" : "texts", n, p50, p99, most,
           (size_t)stats.n_tiles);
    omma_engine_destroy(&engine);
    free(gaps);
    return p99;
}

int main(int argc, char **argv)
{
    const struct omma_image_options cut = {
        .min_tiles = N_TILES, .max_tiles = N_TILES, .no_thumbnail = true};
    struct omma_model *model = NULL;
    struct omma_image *image = NULL;
    struct omma_error error;
    double ratios[2];

    if (argc != 3) {
        fprintf(stderr, "usage: gaps MODEL PICTURE\n");
        return 2;
    }
    if (omma_model_open(argv[1], NULL, &model, &error) != OMMA_OK ||
        omma_image_open(argv[2], &cut, &image, &error) != OMMA_OK) {
        die("open", &error);
    }
    for (int has_pool = 1; has_pool >= 0; has_pool--) {
        double texts = measure(model, has_pool, NULL);

        ratios[has_pool] = measure(model, has_pool, image) / texts;
    }
    printf("p99 beside pictures over p99 beside texts: pool %.1f, serial %.1f; asked of the pool: "
           "3, %s\n",
           ratios[1], ratios[0], ratios[1] <= 3.0 ? "met" : "missed");
    omma_image_close(&image);
    omma_model_close(&model);
    return 0;
}
