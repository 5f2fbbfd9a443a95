/*
 * omma serve: answer requests of the OpenAI API over HTTP.
 *
 * What is wrong on the command line is told first, then what is wrong with address and port, then
 * the model is opened, and only then the server listens.  The main thread waits for signals: the
 * first one lets running requests end, a second one does not.
 */
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/dry_run.h"
#include "tools/engine_options.h"
#include "tools/image_options.h"
#include "tools/model_path.h"
#include "tools/output.h"
#include "tools/placement.h"
#include "tools/serve/listen.h"
#include "tools/serve/server.h"
#include "tools/signals.h"

enum { END_SECONDS = 2 }; /* for replies that say that the server stops */

struct serve_values {
    const char *model, *alias, *host, *unix_path, *key_file, *media_dir;
    struct option_list server_names;
    size_t port, n_parallel, max_queue, n_context, max_tokens;
    size_t max_body, max_connections, max_images, max_pixels, max_tiles_total, drain_s;
    struct image_values image;
    struct engine_values engine;
    double deadline_s;
    bool verbose, dry_run;
};

static const struct serve_values defaults = {
    .host = "127.0.0.1",
    .port = 8080,
    .n_parallel = 4,
    .max_queue = 64,
    .max_tokens = INT32_MAX,
    .max_body = 64 << 20,
    .max_connections = 256,
    .max_images = 64,
    .max_pixels = 64000000,
    .drain_s = 30,
    .engine = {.vision_threads = "auto", .prefix_cache = 1, .image_cache_bytes = 256 << 20},
};

/* clang-format off */
#define FIELD(name) .offset = offsetof(struct serve_values, name)

static const struct option_row rows[] = {
    MODEL_OPTION(struct serve_values, model),
    {.name = "alias", .kind = OPTION_TEXT, .argument = "NAME", FIELD(alias),
     .help = "the model's name in replies; the folder's if not given"},
    {.name = "host", .kind = OPTION_TEXT, .argument = "HOST", FIELD(host),
     .help = "address to listen on, 127.0.0.1 if not given; others than this machine's own need "
             "--api-key-file"},
    {.name = "port", .kind = OPTION_COUNT, .argument = "N", FIELD(port),
     .minimum = 0, .maximum = 65535, .environment = "OMMA_PORT",
     .help = "port to listen on, 8080 if not given; 0: one that is free"},
    {.name = "unix", .kind = OPTION_TEXT, .argument = "PATH", FIELD(unix_path),
     .help = "listen on a Unix socket instead"},
    {.name = "api-key-file", .kind = OPTION_TEXT, .argument = "FILE", FIELD(key_file),
     .environment = "OMMA_API_KEY_FILE", .help = "ask for one of the keys in FILE, one a line"},
    {.name = "server-name", .kind = OPTION_LIST, .argument = "NAME", FIELD(server_names),
     .help = "a name under which clients address this server; may be given several times"},
    {.name = "media-dir", .kind = OPTION_TEXT, .argument = "DIR", FIELD(media_dir),
     .help = "take file: pictures from this folder"},
    {.name = "parallel", .kind = OPTION_COUNT, .argument = "N", FIELD(n_parallel),
     .minimum = 1, .maximum = 256,
     .help = "requests that are computed side by side, each with a context of its own; 4 if not "
             "given"},
    {.name = "queue", .kind = OPTION_COUNT, .argument = "N", FIELD(max_queue),
     .minimum = 1, .maximum = 65536,
     .help = "requests that wait besides, at most; 64 if not given"},
    CONTEXT_OPTION(struct serve_values, n_context),
    ANSWER_OPTION(struct serve_values, max_tokens),
    {.name = "max-body", .kind = OPTION_COUNT, .argument = "BYTES", FIELD(max_body),
     .minimum = 1024, .maximum = 1 << 30,
     .help = "most bytes of a request, and of a file: picture; 67108864 if not given"},
    {.name = "max-connections", .kind = OPTION_COUNT, .argument = "N", FIELD(max_connections),
     .minimum = 1, .maximum = 65536, .help = "most clients at a time; 256 if not given"},
    {.name = "max-images", .kind = OPTION_COUNT, .argument = "N", FIELD(max_images),
     .minimum = 0, .maximum = 65536, .help = "most pictures of a request; 64 if not given"},
    {.name = "max-pixels", .kind = OPTION_COUNT, .argument = "N", FIELD(max_pixels),
     .minimum = 1, .maximum = 178956970, .help = "most pixels of a picture; 64000000 if not given"},
    IMAGE_OPTIONS(struct serve_values, image),
    MAX_TILES_TOTAL_OPTION(struct serve_values, max_tiles_total),
    {.name = "drain", .kind = OPTION_COUNT, .argument = "SECONDS", FIELD(drain_s),
     .minimum = 0, .maximum = 86400,
     .help = "how long requests may go on after SIGTERM; 30 if not given"},
    {.name = "deadline", .kind = OPTION_REAL, .argument = "SECONDS", FIELD(deadline_s),
     .real_minimum = 0.001, .real_maximum = 1e6,
     .help = "end a request that takes longer, its waiting included; none if not given"},
    ENGINE_OPTIONS(struct serve_values, engine),
    REQUEST_OPTIONS(struct serve_values, engine),
    DRY_RUN_OPTION(struct serve_values, dry_run),
    VERBOSE_OPTION(struct serve_values, verbose),
    {0},
};
/* clang-format on */

/* All that a server has, in the order in which it is made. */
struct service {
    const struct serve_values *values;
    struct messages *messages;
    struct listen_place place;
    int listener;
    size_t port;
    char *path, *name;
    struct omma_engine_options engine_options;
    struct serve_settings settings;
    struct server server;
};

static enum omma_status check_options(const struct invocation *invocation, struct omma_error *error)
{
    const struct serve_values *values = invocation->values;

    TRY(command_check_operands(invocation, 0, 0, error));
    TRY(require_model(values->model, error));
    TRY(options_exclude(rows, &invocation->options, "unix", "host", error));
    TRY(options_exclude(rows, &invocation->options, "unix", "port", error));
    return image_values_check(&values->image, error);
}

static enum omma_status open_place(struct service *service, struct omma_error *error)
{
    const struct serve_values *values = service->values;
    struct server *server = &service->server;

    TRY(guard_open(values->key_file, &server->guard, error));
    server->guard.names = values->server_names.items;
    server->guard.n_names = values->server_names.n_items;
    TRY(media_folder_open(values->media_dir, &server->media, error));
    service->place = (struct listen_place){.host = values->host,
                                           .port = values->port,
                                           .path = values->unix_path,
                                           .allows_others = server->guard.n_keys > 0};
    return listen_bind(&service->place, &service->listener, &service->port, error);
}

/* What is known once the model is open. */
static enum omma_status fill_settings(struct service *service, struct omma_error *error)
{
    const struct serve_values *values = service->values;
    const struct omma_model_info *info = omma_model_info(service->server.model);
    struct omma_image_options image;

    TRY(image_values_options(&values->image, info, service->messages, &image, error));
    image.max_pixels = values->max_pixels;
    service->name = strdup(service->path);
    if (service->name == NULL) {
        return fail_memory(error);
    }
    service->settings = (struct serve_settings){
        .model_name = values->alias != NULL ? values->alias : basename(service->name),
        .n_parallel = values->n_parallel,
        .max_queue = values->max_queue,
        .n_context = values->n_context != 0 ? values->n_context : info->default_context,
        .max_tokens = values->max_tokens,
        .max_body_bytes = values->max_body,
        .max_connections = values->max_connections,
        .max_images = values->max_images,
        .max_tiles_total = values->max_tiles_total,
        .image = image,
        .drain_s = values->drain_s,
        .deadline_s = values->deadline_s,
    };
    return OMMA_OK;
}

static enum omma_status open_model(struct service *service, struct omma_error *error)
{
    const struct omma_model_options model_options = {.log = messages_log(service->messages)};
    struct server *server = &service->server;
    const struct omma_engine_info *info;

    message_progress(service->messages, "loading %s", service->values->model);
    TRY(model_path_find(service->values->model, &service->path, error));
    TRY(omma_model_open(service->path, &model_options, &server->model, error));
    signals_watch_model(server->model);
    TRY(fill_settings(service, error));
    TRY(omma_engine_create(server->model, &service->engine_options, &server->engine, error));
    info = omma_engine_info(server->engine);
    message_progress_end(service->messages);
    message_note(service->messages,
                 "%s: %zu threads, %s kernels, %s activations, %s KV cache; up to %zu requests of "
                 "%zu tokens side by side",
                 service->path, info->n_threads, info->isa, info->precision, info->kv_dtype,
                 service->settings.n_parallel, service->settings.n_context);
    placement_note(service->messages, server->engine);
    return OMMA_OK;
}

static enum omma_status start(struct service *service, struct omma_error *error)
{
    struct server *server = &service->server;

    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake < 0 || server->call < 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "an event descriptor cannot be had");
    }
    TRY(dispatch_start(server, error));
    TRY(intake_start(server, error));
    TRY(listen_begin(service->listener, error));
    return http_start(server, service->listener, error);
}

/* The one line on standard output: where the server is. */
static enum omma_status announce(const struct service *service, struct omma_error *error)
{
    bool is_v6 = strchr(service->place.host, ':') != NULL;

    if (service->place.path != NULL) {
        printf("listening on unix:%s\n", service->place.path);
    } else {
        printf("listening on http://%s%s%s:%zu\n", is_v6 ? "[" : "", service->place.host,
               is_v6 ? "]" : "", service->port);
    }
    return output_flush(error);
}

/* Until a signal comes (true) or the time is over. */
static bool wait_for_signal(const struct server *server, int timeout_ms)
{
    struct pollfd polls[] = {{.fd = signals_descriptor(), .events = POLLIN},
                             {.fd = server->call, .events = POLLIN}};

    return poll(polls, 2, timeout_ms) > 0 && (polls[0].revents | polls[1].revents) != 0;
}

/* Let requests end for so long; false if a signal came.  Counted in moments, so that a pause of the
 * process takes none of it. */
static bool drain(struct server *server, size_t seconds)
{
    enum { MOMENT_MS = 20 };

    for (size_t left = 1000 / MOMENT_MS * seconds;; left--) {
        size_t n;

        pthread_mutex_lock(&server->lock);
        n = server->n_exchanges;
        pthread_mutex_unlock(&server->lock);
        if (n == 0 || left == 0) {
            return true;
        }
        if (wait_for_signal(server, MOMENT_MS)) {
            return false;
        }
    }
}

static int serve(struct service *service, struct omma_error *error)
{
    struct server *server = &service->server;
    uint64_t count;
    bool is_calm;

    while (!wait_for_signal(server, -1)) {
        continue;
    }
    http_drain(server);
    signals_forget_interrupt();
    if (read(server->call, &count, sizeof count) < 0) {
        message_note(service->messages, "draining");
    }
    is_calm = server->fatal != OMMA_OK || drain(server, service->settings.drain_s);
    pthread_mutex_lock(&server->lock);
    dispatch_abort(server);
    pthread_mutex_unlock(&server->lock);
    is_calm = is_calm && drain(server, END_SECONDS);
    if (server->fatal != OMMA_OK) {
        return fail(error, server->fatal, "the server ends: see the message before");
    }
    return is_calm || signals_noted() == 0 ? OMMA_OK : 128 + signals_noted();
}

/* Of a request with one picture of the most tiles, and as many tokens of an answer as usual. */
static enum omma_status tell_dry_run(const struct service *service, struct omma_error *error)
{
    const struct serve_settings *settings = &service->settings;
    const struct omma_model_info *info = omma_model_info(service->server.model);
    size_t n_tiles = settings->image.max_tiles;
    struct dry_run dry_run = {
        .model = info,
        .engine = service->server.engine,
        .n_pictures = 1,
        .answer_tokens =
            settings->max_tokens < OMMA_NEW_TOKENS ? settings->max_tokens : OMMA_NEW_TOKENS,
        .n_context = settings->n_context,
        .n_parallel = settings->n_parallel,
    };

    dry_run.n_tiles = n_tiles + (n_tiles > 1 && info->use_thumbnail);
    dry_run.prompt_tokens = dry_run.n_tiles * info->tokens_per_tile;
    return dry_run_tell(&dry_run, false, service->messages, error);
}

static void close_all(struct service *service)
{
    struct server *server = &service->server;

    message_progress_end(service->messages);
    http_stop(server);
    intake_stop(server);
    dispatch_stop(server);
    omma_engine_destroy(&server->engine);
    signals_watch_model(NULL);
    omma_model_close(&server->model);
    listen_end(&service->place, service->listener);
    media_folder_close(&server->media);
    guard_close(&server->guard);
    free(service->path);
    free(service->name);
    if (server->wake > 0) {
        close(server->wake);
    }
    if (server->call > 0) {
        close(server->call);
    }
    pthread_cond_destroy(&server->came);
    pthread_mutex_destroy(&server->lock);
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    struct service service = {
        .values = invocation->values, .messages = invocation->messages, .listener = -1};
    struct server *server = &service.server;
    int code;

    TRY(check_options(invocation, error));
    TRY(engine_values_options(&service.values->engine, invocation->messages,
                              &service.engine_options, error));
    service.engine_options.max_batch = service.values->n_parallel;
    invocation->messages->verbose = service.values->verbose;
    server->settings = &service.settings;
    server->messages = invocation->messages;
    server->media.descriptor = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->came, NULL);
    if (service.values->dry_run) {
        service.engine_options.numa = OMMA_NUMA_OFF; /* no weight is read, so none is copied */
        TRY_OR(code, closing, open_model(&service, error));
        code = tell_dry_run(&service, error);
        goto closing;
    }
    TRY_OR(code, closing, open_place(&service, error));
    TRY_OR(code, closing, open_model(&service, error));
    TRY_OR(code, closing, start(&service, error));
    signals_note(true);
    TRY_OR(code, closing, announce(&service, error));
    code = serve(&service, error);

closing:
    close_all(&service);
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .operands = "",
    .summary = "Answer requests of the OpenAI API over HTTP",
    .description = NULL,
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
