/* Counters and gauges, one a line. */
#include "tools/serve/metrics.h"

#include <stdio.h>

static const unsigned statuses[SERVE_N_STATUSES] = {200, 400, 401, 404, 405, 413,
                                                    415, 429, 431, 500, 503, 0};

void metrics_count(struct server *server, unsigned status)
{
    size_t i = 0;

    while (i < SERVE_N_STATUSES - 1 && statuses[i] != status) {
        i++;
    }
    server->n_by_status[i]++;
}

static void put(FILE *out, const char *name, const char *type, const char *help, double value)
{
    fprintf(out, "# HELP omma_%s %s\n# TYPE omma_%s %s\nomma_%s %.15g\n", name, help, name, type,
            name, value);
}

static void put_engine(FILE *out, const struct omma_engine_stats *stats)
{
    put(out, "active_requests", "gauge", "Requests that are computed.", (double)stats->n_active);
    put(out, "tiles_waiting", "gauge", "Tiles of these that are not encoded yet.",
        (double)stats->n_tiles_waiting);
    put(out, "prefilled_tokens_total", "counter", "Tokens of prompts that were computed.",
        (double)stats->prefilled_tokens);
    put(out, "cached_tokens_total", "counter", "Tokens of prompts that were there already.",
        (double)stats->cached_tokens);
    put(out, "decoded_tokens_total", "counter", "Tokens of answers.",
        (double)stats->decoded_tokens);
    put(out, "tiles_total", "counter", "Tiles that were encoded.", (double)stats->n_tiles);
    put(out, "cached_tiles_total", "counter", "Tiles that were taken from the image cache.",
        (double)stats->cached_tiles);
    put(out, "image_cache_bytes", "gauge", "Memory that the image cache has taken.",
        (double)stats->image_cache_bytes);
    put(out, "passes_total", "counter", "Passes over the language model's weights.",
        (double)stats->n_passes);
    put(out, "busy_seconds_total", "counter", "Time in such passes.", stats->busy_s);
    put(out, "encode_seconds_total", "counter", "Time in encoding tiles.", stats->encode_s);
    put(out, "tile_queue_seconds_total", "counter", "Time that tiles lay before the vision pool.",
        stats->tile_queue_s);
    put(out, "shared_tokens_total", "counter",
        "Tokens of prompts taken from the KV caches of other requests.",
        (double)stats->shared_tokens);
    put(out, "kv_bytes", "gauge", "Memory that KV caches may take.", (double)stats->kv_bytes);
    put(out, "kv_granted_bytes", "gauge", "Memory that KV caches have.",
        (double)stats->kv_granted_bytes);
    put(out, "kv_evicted_total", "counter", "Requests' KV caches that gave way to others.",
        (double)stats->n_kv_evicted);
    put(out, "lent_to_vision_seconds_total", "counter",
        "Core-seconds of the other threads in encoding tiles.", stats->lent_to_vision_s);
    put(out, "lent_to_language_seconds_total", "counter",
        "Core-seconds of the vision threads in passes.", stats->lent_to_language_s);
    put(out, "computed_requests_total", "counter", "Requests that the engine took.",
        (double)stats->n_requests);
}

/* With the lock held. */
static void put_server(FILE *out, const struct server *server)
{
    size_t n_waiting = 0;

    for (const struct exchange *body = server->first_body; body != NULL;
         body = body->next_waiting) {
        n_waiting++;
    }
    for (const struct job *job = server->first_waiting; job != NULL; job = job->next) {
        n_waiting++;
    }
    put(out, "connections", "gauge", "Open connections.", (double)server->n_connections);
    put(out, "requests_in_flight", "gauge", "Chat requests that are not answered yet.",
        (double)server->n_in_flight);
    put(out, "requests_waiting", "gauge", "Of these, those that wait for a place.",
        (double)n_waiting);
    put(out, "joined_requests_total", "counter",
        "Requests that were answered by the computation of another.", (double)server->n_joined);
    put(out, "abandoned_requests_total", "counter", "Requests whose client went away.",
        (double)server->n_abandoned);
    fprintf(out, "# HELP omma_http_requests_total Requests by the status of their reply.\n"
                 "# TYPE omma_http_requests_total counter\n");
    for (size_t i = 0; i < SERVE_N_STATUSES; i++) {
        fprintf(out, "omma_http_requests_total{code=\"%u\"} %llu\n", statuses[i],
                (unsigned long long)server->n_by_status[i]);
    }
}

char *metrics_text(struct server *server, size_t *n_bytes)
{
    struct omma_engine_stats stats;
    char *text = NULL;
    FILE *out = open_memstream(&text, n_bytes);

    if (out == NULL) {
        return NULL;
    }
    omma_engine_stats(server->engine, &stats);
    put_engine(out, &stats);
    pthread_mutex_lock(&server->lock);
    put_server(out, server);
    pthread_mutex_unlock(&server->lock);
    return fclose(out) == 0 ? text : NULL;
}
