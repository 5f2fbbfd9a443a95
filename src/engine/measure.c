/* omma_limits_measure(): the machine measured by the engine's own threads, as a job among others.
 */
#include "engine/engine.h"
#include "platform/limits.h"

struct measurement {
    struct omma_limits *limits;
    struct omma_error *error;
    enum omma_status status;
    bool is_done;
};

static void measure(struct omma_engine *engine, void *argument)
{
    struct measurement *measurement = argument;
    const struct omma_kernels *kernels = &engine->compute.kernels;
    struct omma_limits_probes probes = {
        .f32_fma = kernels->probe_f32_fma,
        .bf16_dot = kernels->probe_bf16_dot,
        .read = kernels->probe_read,
    };

    measurement->status =
        omma_limits_of_team(engine->team, &probes, 0, measurement->limits, measurement->error);
    pthread_mutex_lock(&engine->lock);
    measurement->is_done = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

enum omma_status omma_limits_measure(struct omma_engine *engine, struct omma_limits *limits,
                                     struct omma_error *error)
{
    struct measurement measurement = {.limits = limits, .error = error};
    struct omma_job job = {.run = measure, .argument = &measurement};

    omma_engine_enqueue(engine, &job);
    pthread_mutex_lock(&engine->lock);
    while (!measurement.is_done) {
        pthread_cond_wait(&engine->changed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    return measurement.status;
}
