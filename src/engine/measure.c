/*
 * omma_limits_*(): the machine measured by an engine's own threads, as a job among others, or by a
 * team made for it.
 */
#include "engine/engine.h"
#include "model/checkpoint.h"
#include "platform/limits.h"
#include "platform/topology.h"

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

/* A team and kernels such as an engine with these options would have. */
struct bare {
    struct omma_team *team;
    struct omma_kernels kernels;
    struct omma_limits_probes probes;
    struct omma_limits_options memory;
};

static enum omma_status open_bare(const struct omma_engine_options *options, struct bare *bare,
                                  struct omma_error *error)
{
    const struct omma_topology_options cores = {.cpus = options->cpus};
    struct omma_team_options team_options = {
        .n_threads = options->n_threads, .log = &options->log, .machine = &cores};
    enum omma_isa isa;

    OMMA_TRY(omma_engine_choose_isa(options, &isa, error));
    bare->kernels = omma_kernels_select(isa);
    bare->probes = probes_of(&bare->kernels);
    bare->memory = (struct omma_limits_options){.isa = omma_isa_name(isa)};
    return omma_team_create(&team_options, &bare->team, error);
}

/* The number of a node in a topology; n_nodes if it has none of this number. */
static size_t find_node(const struct omma_topology *topology, size_t number)
{
    size_t node = 0;

    while (node < omma_topology_n_nodes(topology) &&
           omma_topology_node_number(topology, node) != number) {
        node++;
    }
    return node;
}

enum omma_status omma_limits_of_machine(const struct omma_engine_options *options,
                                        struct omma_limits *limits, struct omma_error *error)
{
    static const struct omma_engine_options defaults = {0};
    struct omma_topology *machine;
    struct bare bare;
    enum omma_status status;

    OMMA_TRY(omma_topology_open(NULL, &machine, error));
    status = open_bare(options != NULL ? options : &defaults, &bare, error);
    if (status == OMMA_OK) {
        /* where there are several nodes, weights are copied to the nodes that read them, and a file
           would lie where this thread runs */
        bare.memory.memory =
            omma_topology_n_nodes(machine) > 1 ? OMMA_LIMITS_HUGE : OMMA_LIMITS_FILE;
        status = omma_limits_of_team(bare.team, &bare.probes, &bare.memory, limits, error);
        omma_team_destroy(&bare.team);
    }
    omma_topology_close(&machine);
    return status;
}

enum omma_status omma_limits_from_node(const struct omma_engine_options *options, size_t number,
                                       struct omma_limits *limits, struct omma_error *error)
{
    struct omma_topology *machine;
    enum omma_status status;
    struct bare bare;
    size_t node;

    OMMA_TRY(omma_topology_open(NULL, &machine, error));
    node = find_node(machine, number);
    if (node == omma_topology_n_nodes(machine)) {
        status =
            omma_fail(error, OMMA_STATUS_USAGE, "node %zu: this process may not use it", number);
        goto close_machine;
    }
    OMMA_TRY_OR(status, close_machine, open_bare(options, &bare, error));
    bare.memory.memory = OMMA_LIMITS_HUGE;
    bare.memory.topology = machine;
    bare.memory.node = node;
    status = omma_limits_read_of_team(bare.team, &bare.probes, &bare.memory, limits, error);
    omma_team_destroy(&bare.team);
close_machine:
    omma_topology_close(&machine);
    return status;
}
