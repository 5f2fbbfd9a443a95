/*
 * omma doctor: what this machine is, which kernels run on it and how fast it can be, where a
 * model's weights lie, and what to change.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/doctor/examination.h"
#include "tools/engine_options.h"
#include "tools/model_path.h"
#include "tools/signals.h"

struct doctor_values {
    const char *model;
    struct engine_values engine;
    bool quick, json, verbose;
};

static const struct doctor_values defaults = {0};

static const struct option_row rows[] = {
    MODEL_OPTION(struct doctor_values, model),
    ENGINE_OPTIONS(struct doctor_values, engine),
    {.name = "quick",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct doctor_values, quick),
     .help = "measure nothing: tell what the system says"},
    JSON_OPTION(struct doctor_values, json),
    VERBOSE_OPTION(struct doctor_values, verbose),
    {0},
};

/* The tier that --isa bounds, or the best; whether there is none better. */
static void find_tier(const char *isa, struct examination *examination)
{
    const char *tier, *best = NULL;
    bool is_usable;

    for (size_t i = 0; best == NULL && (tier = omma_isa_tier(i, &is_usable)) != NULL; i++) {
        best = is_usable ? tier : NULL;
    }
    examination->isa = isa != NULL ? isa : best;
    examination->is_best = strcmp(examination->isa, best) == 0;
}

/* Each node's cores alone, where there are several nodes, and what they read of each. */
static enum omma_status measure_nodes(const struct omma_engine_options *options,
                                      const struct omma_machine *machine,
                                      struct omma_limits *limits, double *reads,
                                      struct omma_error *error)
{
    for (size_t i = 0; i < machine->n_nodes; i++) {
        struct omma_engine_options of_node = *options;

        of_node.cpus = machine->nodes[i].cpus;
        of_node.n_threads = 0;
        TRY(omma_limits_of_machine(&of_node, &limits[i], error));
        for (size_t j = 0; j < machine->n_nodes; j++) {
            struct omma_limits from = limits[i];

            TRY(omma_limits_from_node(&of_node, machine->nodes[j].number, &from, error));
            reads[i * machine->n_nodes + j] = from.read_bytes_per_s;
        }
    }
    return OMMA_OK;
}

static enum omma_status measure(const struct omma_engine_options *options,
                                struct messages *messages, struct omma_limits **node_limits,
                                double **node_reads, struct examination *examination,
                                struct omma_error *error)
{
    const struct omma_machine *machine = examination->machine;

    message_progress(messages, "measuring");
    TRY(omma_limits_of_machine(options, &examination->limits, error));
    examination->is_measured = true;
    if (machine->n_nodes > 1) {
        *node_limits = calloc(machine->n_nodes, sizeof **node_limits);
        *node_reads = calloc(machine->n_nodes * machine->n_nodes, sizeof **node_reads);
        if (*node_limits == NULL || *node_reads == NULL) {
            return fail_memory(error);
        }
        TRY(measure_nodes(options, machine, *node_limits, *node_reads, error));
        examination->node_limits = *node_limits;
        examination->node_reads = *node_reads;
    }
    return OMMA_OK;
}

static enum omma_status tell(const struct examination *examination, bool json,
                             struct messages *messages, struct omma_error *error)
{
    message_progress_end(messages);
    if (json) {
        return write_examination(examination, error);
    }
    print_examination(examination);
    return OMMA_OK;
}

/* Open the model as omma run would, and see where its weights lie; then tell all. */
static enum omma_status look_at_model(const char *path, const struct omma_engine_options *options,
                                      bool json, struct messages *messages,
                                      struct examination *examination, struct omma_error *error)
{
    const struct omma_model_options model_options = {.log = messages_log(messages)};
    struct omma_node_placement *placements = NULL;
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    enum omma_status status;
    size_t n_nodes;

    TRY(omma_model_open(path, &model_options, &model, error));
    signals_watch_model(model);
    TRY_OR(status, done, omma_engine_create(model, options, &engine, error));
    n_nodes = omma_engine_info(engine)->n_nodes;
    placements = calloc(n_nodes, sizeof *placements);
    if (placements == NULL) {
        status = fail_memory(error);
        goto done;
    }
    for (size_t i = 0; i < n_nodes; i++) {
        TRY_OR(status, done, omma_engine_node(engine, i, &placements[i], error));
    }
    examination->model = omma_model_info(model);
    examination->engine = omma_engine_info(engine);
    examination->placements = placements;
    examination->n_placements = n_nodes;
    status = tell(examination, json, messages, error);

done:
    omma_engine_destroy(&engine);
    signals_watch_model(NULL);
    omma_model_close(&model);
    free(placements);
    return status;
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct doctor_values *values = invocation->values;
    struct messages *messages = invocation->messages;
    struct examination examination = {0};
    struct omma_limits *node_limits = NULL;
    double *node_reads = NULL;
    struct omma_machine *machine = NULL;
    struct omma_engine_options options;
    enum omma_status status;
    char *path = NULL;

    TRY(command_check_operands(invocation, 0, 0, error));
    messages->verbose = values->verbose;
    TRY(engine_values_options(&values->engine, messages, &options, error));
    if (values->model != NULL) {
        TRY(model_path_find(values->model, &path, error));
    }
    find_tier(options.isa, &examination);
    TRY_OR(status, done, omma_machine_open(options.cpus, &machine, error));
    examination.machine = machine;
    if (!values->quick) {
        TRY_OR(status, done,
               measure(&options, messages, &node_limits, &node_reads, &examination, error));
    }
    if (path != NULL) {
        status = look_at_model(path, &options, values->json, messages, &examination, error);
    } else {
        status = tell(&examination, values->json, messages, error);
    }

done:
    message_progress_end(messages);
    omma_machine_close(&machine);
    free(node_limits);
    free(node_reads);
    free(path);
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .operands = "",
    .summary = "Tell what this machine can do, and what keeps it from doing better",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
