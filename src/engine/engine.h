/*
 * engine.h - a model made to run: kernels, threads, the memory of a pass, and the thread that
 * steps.
 *
 * The engine's thread is the first of the team: OpenMP keeps its workers by caller, so every pass
 * starts from it.  Requests come to it by the scheduler, which computes them step by step; between
 * two steps it runs jobs, first in, first out.
 */
#ifndef OMMA_ENGINE_ENGINE_H
#define OMMA_ENGINE_ENGINE_H

#include <pthread.h>

#include "api/omma.h"
#include "base/status.h"
#include "engine/cores.h"
#include "engine/counters.h"
#include "engine/kv_store.h"
#include "engine/image_cache.h"
#include "engine/scheduler.h"
#include "engine/vision_pool.h"
#include "engine/weight_memory.h"
#include "model/language/decoder.h"
#include "model/model.h"
#include "model/vision/encoder.h"
#include "platform/team.h"
#include "tensor/compute.h"

/* Something for the engine's thread to do; lives until it was run. */
struct omma_job {
    void (*run)(struct omma_engine *engine, void *argument);
    void *argument;
    struct omma_job *next;
};

struct omma_engine {
    /* written once before the thread takes jobs */
    struct omma_model *model;
    struct omma_compute compute;
    enum omma_dtype kv_dtype;
    size_t prefill_chunk;
    struct omma_log log;
    struct omma_engine_info info;

    /* the engine's thread alone */
    struct omma_team *team; /* on all cores */
    struct omma_team
        *language_team;          /* on those beside the vision pool's; NULL until there is one */
    struct omma_team *last_team; /* that ran */
    bool runs_job;
    struct omma_weight_memory *weight_memory;
    struct omma_image_cache *image_cache; /* NULL: none; its folder is the pool's thread's */
    struct omma_decoder *decoder;
    struct omma_encoder *encoder;   /* without a vision pool; NULL until the first picture */
    struct omma_vision_pool *pool;  /* NULL until the first picture */
    struct omma_thread_split split; /* written once, with an engine that has a pool */

    /* which guard themselves */
    struct omma_scheduler *scheduler;
    struct omma_kv_store *kv_store;
    struct omma_cores cores;
    struct omma_counters counters;

    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct omma_job *first_job, *last_job;
    bool started, stopping;
    enum omma_status start_status;
    struct omma_error start_error;
};

/* omma_engine_create() on a machine that is described (platform/topology.h); its cpus are those of
 * options. */
enum omma_status omma_engine_create_on(struct omma_model *model,
                                       const struct omma_engine_options *options,
                                       const struct omma_topology_options *machine,
                                       struct omma_engine **engine, struct omma_error *error);

/* Append a job. */
void omma_engine_enqueue(struct omma_engine *engine, struct omma_job *job);

/* Run something on the engine's thread, after the jobs before it, and wait for its end. */
void omma_engine_call(struct omma_engine *engine,
                      void (*run)(struct omma_engine *engine, void *argument), void *argument);

/* On the engine's thread: one pass on the cores that the vision pool leaves, all of them in a job.
 * omma_decoder_bad_layer(). */
int omma_engine_forward(struct omma_engine *engine, const struct omma_decoder_pass *pass);

/* On the engine's thread: the vision pool, made when first asked for. */
enum omma_status omma_engine_pool(struct omma_engine *engine, struct omma_vision_pool **pool,
                                  struct omma_error *error);

/* The tier that options ask for, or the best.  OMMA_STATUS_USAGE if it was not built,
 * OMMA_STATUS_RESOURCES if this machine cannot run it. */
enum omma_status omma_engine_choose_isa(const struct omma_engine_options *options,
                                        enum omma_isa *isa, struct omma_error *error);

/* On the engine's thread: run a job, on all cores. */
void omma_engine_run_job(struct omma_engine *engine, const struct omma_job *job);

/* On the engine's thread: the encoder, made when first asked for. */
enum omma_status omma_engine_encoder(struct omma_engine *engine, struct omma_encoder **encoder,
                                     struct omma_error *error);

#endif
