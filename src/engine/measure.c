/*
 * omma_limits_*(): the machine measured by an engine's own threads, as a job among others, or by a
 * team made for it.
 */
#include "engine/engine.h"
#include "model/checkpoint.h"
#include "platform/limits.h"

/* A job of the caller, who waits for its end. */
struct measurement {
    enum omma_status (*measure)(struct omma_team *team, const struct omma_limits_probes *probes,
                                const struct omma_limits_options *options,
                                struct omma_limits *limits, struct omma_error *error);
    struct omma_limits *limits;
    struct omma_error *error;
    enum omma_status status;
};

static struct omma_limits_probes probes_of(const struct omma_kernels *kernels)
{
    return (struct omma_limits_probes){
        .f32_fma = kernels->probe_f32_fma,
        .bf16_dot = kernels->probe_bf16_dot,
        .i8_dot = kernels->probe_i8_dot,
        .steps_per_round = OMMA_PROBE_STEPS,
        .read = kernels->probe_read,
    };
}

/* The largest file of weights: what is read while decoding lies in pages like its own. */
static void find_weights(const struct omma_checkpoint *checkpoint,
                         struct omma_limits_options *options)
{
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *file = &checkpoint->files[i];

        if (file->is_weights && file->mapping.n_bytes > options->weights_bytes) {
            options->weights = file->mapping.bytes;
            options->weights_bytes = file->mapping.n_bytes;
        }
    }
}

static void measure(struct omma_engine *engine, void *argument)
{
    struct measurement *measurement = argument;
    struct omma_limits_probes probes = probes_of(&engine->compute.kernels);
    struct omma_limits_options options = {.isa = engine->info.isa};

    find_weights(engine->model->checkpoint, &options);
    measurement->status = measurement->measure(engine->team, &probes, &options, measurement->limits,
                                               measurement->error);
}

enum omma_status omma_limits_measure(struct omma_engine *engine, struct omma_limits *limits,
                                     struct omma_error *error)
{
    struct measurement measurement = {omma_limits_of_team, limits, error, OMMA_OK};

    omma_engine_call(engine, measure, &measurement);
    return measurement.status;
}

enum omma_status omma_limits_read_again(struct omma_engine *engine, struct omma_limits *limits,
                                        struct omma_error *error)
{
    struct measurement measurement = {omma_limits_read_of_team, limits, error, OMMA_OK};

    omma_engine_call(engine, measure, &measurement);
    return measurement.status;
}

enum omma_status omma_limits_of_machine(const struct omma_engine_options *options,
                                        struct omma_limits *limits, struct omma_error *error)
{
    static const struct omma_engine_options defaults = {0};
    struct omma_limits_options memory = {.memory = OMMA_LIMITS_FILE};
    struct omma_team_options team_options;
    struct omma_limits_probes probes;
    struct omma_kernels kernels;
    struct omma_team *team;
    enum omma_status status;
    enum omma_isa isa;

    options = options != NULL ? options : &defaults;
    OMMA_TRY(omma_engine_choose_isa(options, &isa, error));
    kernels = omma_kernels_select(isa);
    probes = probes_of(&kernels);
    memory.isa = omma_isa_name(isa);
    team_options =
        (struct omma_team_options){.n_threads = options->n_threads, .log = &options->log};
    OMMA_TRY(omma_team_create(&team_options, &team, error));
    status = omma_limits_of_team(team, &probes, &memory, limits, error);
    omma_team_destroy(&team);
    return status;
}
