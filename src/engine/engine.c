/* Choosing kernels and precision; starting and stopping the engine's thread; its jobs and steps. */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "format/sha256.h"
#include "model/checkpoint.h"
#include "platform/cgroup.h"
#include "platform/clock.h"
#include "platform/node_memory.h"
#include "tensor/matmul_blas.h"

enum {
    MAX_PREFILL_CHUNK = 512,
    DEFAULT_BATCH = 8,
    MAX_BATCH = 256,
    DEFAULT_QUEUE = 64,
    LOOK_AROUND_MS = 20, /* while requests wait for the vision pool: for cancelled and late ones */
};

enum omma_status omma_engine_choose_isa(const struct omma_engine_options *options,
                                        enum omma_isa *isa, struct omma_error *error)
{
    *isa = omma_isa_best();
    if (options->isa == NULL) {
        return OMMA_OK;
    }
    *isa = omma_isa_of_name(options->isa);
    if (*isa == OMMA_ISA_COUNT || !omma_isa_is_built(*isa)) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "isa: expected a tier that was built, found \"%s\"", options->isa);
    }
    if (!omma_isa_is_usable(*isa)) {
        return omma_fail(
            error, OMMA_STATUS_RESOURCES,
            "isa: this CPU or operating system cannot run the tier %s; the best it can "
            "run is %s",
            options->isa, omma_isa_name(omma_isa_best()));
    }
    return OMMA_OK;
}

/*
 * Precision of the products.  bf16 operands need the tier's dot product and bf16 weights; without
 * them, bf16 is computed in f32 on rounded values.
 */
static void choose_precision(struct omma_engine *engine, const struct omma_engine_options *options)
{
    struct omma_compute *compute = &engine->compute;
    bool has_dot = compute->kernels.probe_bf16_dot != NULL && engine->model->weights.all_bf16 &&
                   !compute->use_blas;

    compute->operand = OMMA_DTYPE_F32;
    engine->kv_dtype = options->precision == OMMA_PRECISION_F32 ? OMMA_DTYPE_F32 : OMMA_DTYPE_BF16;
    if (options->precision != OMMA_PRECISION_F32 && has_dot) {
        compute->operand = OMMA_DTYPE_BF16;
    }
    compute->round =
        options->precision == OMMA_PRECISION_BF16 && compute->operand == OMMA_DTYPE_F32;
    compute->int8_activations = engine->model->info.n_int8_linears > 0 &&
                                engine->model->config.quantization.int8_activations &&
                                !options->no_int8_activations;
}

static enum omma_status configure(struct omma_engine *engine,
                                  const struct omma_engine_options *options,
                                  struct omma_error *error)
{
    enum omma_isa isa;

    if (options->prefill_chunk > MAX_PREFILL_CHUNK) {
        return omma_fail(error, OMMA_STATUS_USAGE, "prefill chunk: expected at most %d, found %zu",
                         MAX_PREFILL_CHUNK, options->prefill_chunk);
    }
    if (options->max_batch > MAX_BATCH) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "requests at a time: expected at most %d, found %zu", MAX_BATCH,
                         options->max_batch);
    }
    engine->info.max_batch = options->max_batch != 0 ? options->max_batch : DEFAULT_BATCH;
    engine->info.max_queue = options->max_queue != 0 ? options->max_queue : DEFAULT_QUEUE;
    engine->prefill_chunk =
        options->prefill_chunk != 0 ? options->prefill_chunk : MAX_PREFILL_CHUNK;
    OMMA_TRY(omma_engine_choose_isa(options, &isa, error));
    engine->compute.kernels = omma_kernels_select(isa);
    if (options->deterministic && options->gemm == OMMA_GEMM_OPENBLAS) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "deterministic: OpenBLAS does not promise the same bits for any number of "
                         "rows");
    }
    engine->info.deterministic = options->deterministic;
    engine->compute.use_blas = options->gemm == OMMA_GEMM_OPENBLAS ||
                               (options->gemm == OMMA_GEMM_AUTO && options->isa == NULL &&
                                isa == OMMA_ISA_SCALAR && !options->deterministic);
    if (engine->compute.use_blas) {
        omma_matmul_blas_init();
    }
    choose_precision(engine, options);
    engine->info.isa = omma_isa_name(isa);
    engine->info.precision =
        engine->compute.operand == OMMA_DTYPE_BF16 || engine->compute.round ? "bf16" : "f32";
    engine->info.kv_dtype = omma_dtype_name(engine->kv_dtype);
    engine->info.int8_activations = engine->compute.int8_activations;
    engine->info.gemm = engine->compute.use_blas ? "openblas" : "native";
    return OMMA_OK;
}

/* What the engine's thread needs to set up. */
struct start {
    struct omma_engine *engine;
    const struct omma_engine_options *options;
    struct omma_topology_options machine;
};

static enum omma_status place_weights(const struct start *start, struct omma_error *error)
{
    struct omma_engine *engine = start->engine;
    bool is_this_machine = omma_topology_is_this_machine(omma_team_topology(engine->team));
    struct omma_weight_memory_options options = {
        .numa = start->options->numa,
        .keep_mapped = start->options->keep_mapped,
        .drop_cache = start->options->drop_cache,
        .root = start->machine.root != NULL || !is_this_machine ? start->machine.root : "",
        .log = &engine->log,
    };

    OMMA_TRY(omma_weight_memory_create(engine->model, engine->team, &options,
                                       &engine->weight_memory, error));
    engine->info.n_nodes = omma_team_n_nodes(engine->team);
    engine->info.numa = omma_numa_name(engine->weight_memory->numa);
    engine->info.is_copied = engine->weight_memory->is_copied;
    return OMMA_OK;
}

/* The memory that KV caches may take if nobody says: what the machine or the control group has,
 * less the files that weights are read from and a tenth for all else. */
static size_t default_kv_bytes(const struct omma_engine *engine, const char *root)
{
    const struct omma_topology *topology = omma_team_topology(engine->team);
    uint64_t available = 0, limit = omma_cgroup_memory_bytes(root);
    uint64_t mapped = engine->info.is_copied ? 0 : engine->model->info.file_bytes;

    for (size_t i = 0; i < omma_topology_n_nodes(topology); i++) {
        uint64_t of_node = omma_node_memory_available(root, omma_topology_node_number(topology, i));

        available = of_node > UINT64_MAX - available ? UINT64_MAX : available + of_node;
    }
    available = omma_min(available, limit);
    available -= available / 10;
    return available > mapped ? available - mapped : 0;
}

static enum omma_status create_kv_store(const struct start *start, struct omma_error *error)
{
    struct omma_engine *engine = start->engine;
    const char *root = start->machine.root != NULL ? start->machine.root : "";
    size_t n_bytes = start->options->kv_bytes;

    return omma_kv_store_create(&engine->model->config.language, engine->kv_dtype,
                                n_bytes != 0 ? n_bytes : default_kv_bytes(engine, root),
                                start->options->share_prefixes, &engine->kv_store, error);
}

/* What a tile's bits depend on beside its pixels.  The model's identity is not over its weights, so
 * the times of its files stand for them. */
static enum omma_status identify_tiles(const struct omma_engine *engine, uint8_t digest[32],
                                       struct omma_error *error)
{
    const struct omma_checkpoint *checkpoint = engine->model->checkpoint;
    const struct omma_engine_info *info = &engine->info;
    struct omma_sha256 *hash = NULL;
    char text[256];

    OMMA_TRY(omma_sha256_begin(&hash, error));
    snprintf(text, sizeof text, "omma %s, model %s, tier %s, %s, %s, int8 %d", omma_version(),
             engine->model->info.identity, info->isa, info->precision, info->gemm,
             info->int8_activations);
    omma_sha256_add(hash, text, strlen(text) + 1);
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct timespec *modified = &checkpoint->files[i].mapping.identity.modified;

        omma_sha256_add(hash, &modified->tv_sec, sizeof modified->tv_sec);
        omma_sha256_add(hash, &modified->tv_nsec, sizeof modified->tv_nsec);
    }
    omma_sha256_end(&hash, digest);
    return OMMA_OK;
}

static enum omma_status create_image_cache(const struct start *start, struct omma_error *error)
{
    struct omma_engine *engine = start->engine;
    const struct omma_config *config = &engine->model->config;
    struct omma_image_cache_options options = {
        .n_bytes = start->options->image_cache_bytes,
        .dir = start->options->image_cache_dir,
        .n_floats = config->tokens_per_tile * config->language.hidden,
        .log = engine->log,
    };

    if (options.n_bytes == 0 && options.dir == NULL) {
        return OMMA_OK;
    }
    if (options.dir != NULL && engine->model->tokenizer == NULL) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "image cache: a generated model has no files that a folder's tiles could "
                         "be told by");
    }
    OMMA_TRY(identify_tiles(engine, options.identity, error));
    return omma_image_cache_create(&options, &engine->image_cache, error);
}

/* Which threads the vision pool has; auto: half of them. */
static enum omma_status split_threads(const struct start *start, struct omma_error *error)
{
    struct omma_engine *engine = start->engine;
    size_t n = engine->info.n_threads, n_vision = start->options->n_vision_threads;
    size_t most = omma_max(n - 1, 1);

    if (start->options->no_vision_threads) {
        return OMMA_OK;
    }
    if (n_vision > most) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "vision threads: expected at most %zu of the %zu threads, found %zu", most,
                         n, n_vision);
    }
    engine->info.n_vision_threads = n_vision != 0 ? n_vision : omma_max(n / 2, 1);
    return omma_thread_split_init(n, engine->info.n_vision_threads, &engine->split, error);
}

/* On the engine's thread: what only it uses. */
static enum omma_status set_up(const struct start *start, struct omma_error *error)
{
    struct omma_engine *engine = start->engine;
    const struct omma_config *config = &engine->model->config;
    struct omma_team_options options = {
        .n_threads = start->options->n_threads,
        .scratch_bytes =
            omma_max(omma_encoder_scratch_bytes(config), omma_decoder_scratch_bytes(config)),
        .log = &engine->log,
        .machine = &start->machine,
    };

    OMMA_TRY(omma_team_create(&options, &engine->team, error));
    engine->last_team = engine->team;
    engine->info.n_threads = omma_team_n_threads(engine->team);
    OMMA_TRY(split_threads(start, error));
    OMMA_TRY(place_weights(start, error));
    OMMA_TRY(create_kv_store(start, error));
    OMMA_TRY(create_image_cache(start, error));
    OMMA_TRY(omma_decoder_create(config, engine->weight_memory->weights, &engine->compute,
                                 omma_max(engine->prefill_chunk, engine->info.max_batch),
                                 &engine->decoder, error));
    return omma_scheduler_create(engine, &engine->scheduler, error);
}

static void tear_down(struct omma_engine *engine)
{
    omma_vision_pool_destroy(&engine->pool);
    omma_scheduler_destroy(&engine->scheduler);
    omma_kv_store_destroy(&engine->kv_store);
    omma_image_cache_destroy(&engine->image_cache);
    omma_encoder_destroy(&engine->encoder);
    omma_decoder_destroy(&engine->decoder);
    omma_weight_memory_destroy(&engine->weight_memory);
    omma_team_destroy(&engine->language_team);
    omma_team_destroy(&engine->team);
    omma_thread_split_fini(&engine->split);
}

/* With the lock held: sleep until something changed, or, while there are requests, a moment; false
 * if the moment is over. */
static bool wait_for_change(struct omma_engine *engine)
{
    struct timespec moment = omma_clock_after(LOOK_AROUND_MS);

    if (!omma_scheduler_has_requests(engine->scheduler)) {
        pthread_cond_wait(&engine->changed, &engine->lock);
        return true;
    }
    return pthread_cond_timedwait(&engine->changed, &engine->lock, &moment) != ETIMEDOUT;
}

/* Wait for work; false once the engine stops and there is none.  *job: one, or NULL. */
static bool wait_for_work(struct omma_engine *engine, struct omma_job **found)
{
    struct omma_job *job;
    bool goes_on;

    pthread_mutex_lock(&engine->lock);
    while (engine->first_job == NULL && !omma_scheduler_has_work(engine->scheduler) &&
           !engine->stopping && wait_for_change(engine)) {
    }
    job = engine->first_job;
    if (job != NULL) {
        engine->first_job = job->next;
        if (engine->first_job == NULL) {
            engine->last_job = NULL;
        }
    }
    goes_on = job != NULL || !engine->stopping;
    pthread_mutex_unlock(&engine->lock);
    *found = job;
    return goes_on;
}

static void *run_engine(void *argument)
{
    const struct start *start = argument; /* lives until started is set */
    struct omma_engine *engine = start->engine;
    struct omma_error error = {0};
    enum omma_status status = set_up(start, &error);
    struct omma_job *job;

    pthread_mutex_lock(&engine->lock);
    engine->start_status = status;
    engine->start_error = error;
    engine->started = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    while (status == OMMA_OK && wait_for_work(engine, &job)) {
        if (job != NULL) {
            omma_engine_run_job(engine, job);
        }
        omma_scheduler_step(engine->scheduler);
    }
    tear_down(engine);
    return NULL;
}

static enum omma_status start_thread(struct start *start, struct omma_error *error)
{
    struct omma_engine *engine = start->engine;
    int failure = pthread_create(&engine->thread, NULL, run_engine, start);

    if (failure != 0) {
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "cannot start the engine's thread: %s (limits: ulimit -u, ulimit -v)",
                         strerror(failure));
    }
    pthread_mutex_lock(&engine->lock);
    while (!engine->started) {
        pthread_cond_wait(&engine->changed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    if (engine->start_status != OMMA_OK) {
        pthread_join(engine->thread, NULL);
        return omma_fail(error, engine->start_status, "%s", engine->start_error.message);
    }
    return OMMA_OK;
}

enum omma_status omma_engine_create_on(struct omma_model *model,
                                       const struct omma_engine_options *options,
                                       const struct omma_topology_options *machine,
                                       struct omma_engine **engine, struct omma_error *error)
{
    static const struct omma_engine_options defaults = {0};
    enum omma_status status;
    struct omma_engine *made = calloc(1, sizeof *made);
    struct start start = {.engine = made, .machine = *machine};
    pthread_condattr_t attributes;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "an engine");
    }
    start.options = options != NULL ? options : &defaults;
    start.machine.cpus = start.options->cpus;
    made->model = model;
    made->log = start.options->log;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    omma_cores_init(&made->cores, &made->lock, &made->changed);
    OMMA_TRY_OR(status, fail, configure(made, start.options, error));
    OMMA_TRY_OR(status, fail, start_thread(&start, error));
    *engine = made;
    return OMMA_OK;

fail:
    pthread_cond_destroy(&made->changed);
    pthread_mutex_destroy(&made->lock);
    free(made);
    return status;
}

enum omma_status omma_engine_create(struct omma_model *model,
                                    const struct omma_engine_options *options,
                                    struct omma_engine **engine, struct omma_error *error)
{
    static const struct omma_topology_options this_machine = {0};

    return omma_engine_create_on(model, options, &this_machine, engine, error);
}

void omma_engine_destroy(struct omma_engine **engine)
{
    struct omma_engine *gone = *engine;

    if (gone == NULL) {
        return;
    }
    pthread_mutex_lock(&gone->lock);
    gone->stopping = true;
    pthread_cond_broadcast(&gone->changed);
    pthread_mutex_unlock(&gone->lock);
    pthread_join(gone->thread, NULL);
    pthread_cond_destroy(&gone->changed);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
    *engine = NULL;
}

const struct omma_engine_info *omma_engine_info(const struct omma_engine *engine)
{
    return &engine->info;
}

enum omma_status omma_engine_node(const struct omma_engine *engine, size_t node,
                                  struct omma_node_placement *placement, struct omma_error *error)
{
    if (node >= engine->info.n_nodes) {
        return omma_fail(error, OMMA_STATUS_USAGE, "node: expected less than %zu, found %zu",
                         engine->info.n_nodes, node);
    }
    return omma_weight_memory_audit(engine->weight_memory, engine->team, node, placement, error);
}

void omma_engine_enqueue(struct omma_engine *engine, struct omma_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&engine->lock);
    if (engine->last_job != NULL) {
        engine->last_job->next = job;
    } else {
        engine->first_job = job;
    }
    engine->last_job = job;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

struct call {
    void (*run)(struct omma_engine *engine, void *argument);
    void *argument;
    bool is_done;
};

static void run_call(struct omma_engine *engine, void *argument)
{
    struct call *call = argument;

    call->run(engine, call->argument);
    pthread_mutex_lock(&engine->lock);
    call->is_done = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

void omma_engine_call(struct omma_engine *engine,
                      void (*run)(struct omma_engine *engine, void *argument), void *argument)
{
    struct call call = {run, argument, false};
    struct omma_job job = {.run = run_call, .argument = &call};

    omma_engine_enqueue(engine, &job);
    pthread_mutex_lock(&engine->lock);
    while (!call.is_done) {
        pthread_cond_wait(&engine->changed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
}
