/* Every field is checked, and none that is unknown is taken: a word misspelt would be a figure
 * wrong. */
#include "tools/bench/machine.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double usual_barrier_s = 2e-6; /* two sockets; flat barriers are slower */

/* A number of the file. */
struct field {
    const char *name;
    double minimum, maximum;
    double unit; /* what one of it is */
    bool is_whole, is_required;
    double *value;
};

static enum omma_status read_number(const char *path, const json_t *file, const struct field *field,
                                    struct omma_error *error)
{
    const json_t *found = json_object_get(file, field->name);
    double value = json_number_value(found);

    if (found == NULL && !field->is_required) {
        return OMMA_OK;
    }
    if (found == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s: expected a number, found nothing", path,
                    field->name);
    }
    if (!json_is_number(found) || !(value >= field->minimum && value <= field->maximum) ||
        (field->is_whole && value != floor(value))) {
        char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);

        fail(error, OMMA_STATUS_USAGE, "%s: %s: expected a %snumber from %g to %g, found %.60s",
             path, field->name, field->is_whole ? "whole " : "", field->minimum, field->maximum,
             text != NULL ? text : "?");
        free(text);
        return OMMA_STATUS_USAGE;
    }
    *field->value = value * field->unit;
    return OMMA_OK;
}

static enum omma_status read_text(const char *path, const json_t *file, const char *name,
                                  char *text, size_t capacity, struct omma_error *error)
{
    const json_t *found = json_object_get(file, name);

    if (!json_is_string(found) || json_string_length(found) >= capacity) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s: expected a text of less than %zu bytes",
                    path, name, capacity);
    }
    snprintf(text, capacity, "%s", json_string_value(found));
    return OMMA_OK;
}

static enum omma_status check_names(const char *path, json_t *file, const struct field *fields,
                                    size_t n_fields, struct omma_error *error)
{
    const char *name;
    json_t *value;

    json_object_foreach(file, name, value)
    {
        bool is_known = strcmp(name, "name") == 0 || strcmp(name, "tier") == 0;

        for (size_t i = 0; i < n_fields; i++) {
            is_known = is_known || strcmp(name, fields[i].name) == 0;
        }
        if (!is_known) {
            return fail(error, OMMA_STATUS_USAGE, "%s: %.60s: no field of a machine", path, name);
        }
    }
    return OMMA_OK;
}

static enum omma_status read_fields(const char *path, json_t *file, struct bench_machine *machine,
                                    struct omma_error *error)
{
    double n_nodes = 0, cores = 0;
    const struct field fields[] = {
        {"nodes", 1, 64, 1, true, true, &n_nodes},
        {"cores_per_node", 1, 4096, 1, true, true, &cores},
        {"clock_ghz", 0.1, 10, 1e9, false, true, &machine->clock_hz},
        {"f32_per_cycle", 1, 65536, 1, false, false, &machine->f32_per_cycle},
        {"bf16_per_cycle", 1, 65536, 1, false, false, &machine->bf16_per_cycle},
        {"int8_per_cycle", 1, 65536, 1, false, false, &machine->i8_per_cycle},
        {"read_gb_per_s", 1, 100000, 1e9, false, true, &machine->read_bytes_per_s},
        {"between_gb_per_s", 1, 100000, 1e9, false, false, &machine->between_bytes_per_s},
        {"barrier_us", 0, 1000, 1e-6, false, false, &machine->barrier_s},
    };
    size_t n_fields = sizeof fields / sizeof *fields;

    TRY(check_names(path, file, fields, n_fields, error));
    TRY(read_text(path, file, "name", machine->name, sizeof machine->name, error));
    TRY(read_text(path, file, "tier", machine->tier, sizeof machine->tier, error));
    for (size_t i = 0; i < n_fields; i++) {
        TRY(read_number(path, file, &fields[i], error));
    }
    machine->n_nodes = (size_t)n_nodes;
    machine->cores_per_node = (size_t)cores;
    if (machine->n_nodes > 1 && machine->between_bytes_per_s == 0) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: between_gb_per_s: expected a number, as there are %zu nodes", path,
                    machine->n_nodes);
    }
    return OMMA_OK;
}

enum omma_status bench_machine_read(const char *path, struct bench_machine *machine,
                                    struct omma_error *error)
{
    struct bench_machine found = {.barrier_s = usual_barrier_s};
    enum omma_status status;
    json_error_t where;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &where);

    if (!json_is_object(file)) {
        json_decref(file);
        return fail(error, OMMA_STATUS_USAGE, "%s: expected a JSON object: %s", path,
                    file != NULL ? "found another value" : where.text);
    }
    status = read_fields(path, file, &found, error);
    json_decref(file);
    if (status == OMMA_OK) {
        *machine = found;
    }
    return status;
}

void bench_machine_here(const struct omma_limits *limits, struct bench_machine *machine)
{
    double cycles = limits->clock_hz * (double)limits->n_threads;

    *machine = (struct bench_machine){
        .n_nodes = 1,
        .cores_per_node = limits->n_threads,
        .clock_hz = limits->clock_hz,
        .f32_per_cycle = limits->f32.per_s / cycles,
        .bf16_per_cycle = limits->bf16.per_s / cycles,
        .i8_per_cycle = limits->i8.per_s / cycles,
        .read_bytes_per_s = limits->read_bytes_per_s,
    };
    snprintf(machine->name, sizeof machine->name, "%s", limits->cpu);
    snprintf(machine->tier, sizeof machine->tier, "%s", limits->isa);
}
