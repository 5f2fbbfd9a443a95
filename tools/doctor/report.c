/* An examination as text and as JSON. */
#include "tools/doctor/examination.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/json_out.h"
#include "tools/placement.h"

static double giga(double number)
{
    return number / 1e9;
}

/* "32 MB", "48 KB". */
static const char *cache_size(size_t n_bytes, char text[32])
{
    if (n_bytes == 0) {
        snprintf(text, 32, "unknown");
    } else if (n_bytes % (1 << 20) == 0) {
        snprintf(text, 32, "%zu MB", n_bytes >> 20);
    } else {
        snprintf(text, 32, "%zu KB", n_bytes >> 10);
    }
    return text;
}

static void print_machine(const struct omma_machine *machine)
{
    char l1[32], l2[32], l3[32];

    printf("cpu             %s\n", machine->cpu);
    printf("cores           %zu in %zu package%s, %zu hardware threads; %zu allowed, %zu usable at "
           "a time\n",
           machine->n_cores, machine->n_packages, machine->n_packages == 1 ? "" : "s",
           machine->n_cpus, machine->n_allowed_cores, machine->n_usable_cores);
    printf("caches          L1 %s and L2 %s a core, L3 %s\n", cache_size(machine->l1_bytes, l1),
           cache_size(machine->l2_bytes, l2), cache_size(machine->l3_bytes, l3));
    printf("memory          %.1f GB, %.1f available", giga((double)machine->memory_bytes),
           giga((double)machine->available_bytes));
    if (machine->memory_limit_bytes != UINT64_MAX) {
        printf("; the cgroup's limit is %.1f", giga((double)machine->memory_limit_bytes));
    }
    printf("\n");
    for (size_t i = 0; i < machine->n_nodes; i++) {
        const struct omma_machine_node *node = &machine->nodes[i];

        printf("node %-10zu %zu core%s (CPUs %s), %.1f GB, %.1f free\n", node->number,
               node->n_cores, node->n_cores == 1 ? "" : "s", node->cpus,
               giga((double)node->memory_bytes), giga((double)node->free_bytes));
    }
    printf("system          transparent huge pages %s, NUMA balancing %s, clock governor %s\n",
           machine->huge_pages[0] != '\0' ? machine->huge_pages : "unknown",
           machine->numa_balancing ? "on" : "off",
           machine->governor[0] != '\0' ? machine->governor : "unknown");
}

/* The families by the tier that their kernels come from, best tier first. */
static void print_tiers(const char *isa)
{
    const char *tier, *origin, *family;

    printf("tier            %s\n", isa);
    for (size_t i = 0; (tier = omma_isa_tier(i, NULL)) != NULL; i++) {
        int column = 0;

        for (size_t f = 0; (family = omma_kernel_family(f, isa, &origin)) != NULL; f++) {
            if (origin == NULL || strcmp(origin, tier) != 0) {
                continue;
            }
            if (column == 0 || column + strlen(family) > 84) {
                printf("%s  %-14s", column == 0 ? "" : "\n", column == 0 ? tier : "");
                column = 1;
            }
            column += printf(" %s", family);
        }
        if (column > 0) {
            printf("\n");
        }
    }
}

static const char *why_not(const struct omma_peak *peak)
{
    if (peak->counts) {
        return "";
    }
    return peak->known_per_cycle > 0 ? " (not what this CPU is known to do: other load?)"
                                     : " (nothing to hold it against is known of this CPU)";
}

static void print_peak(const char *name, const struct omma_peak *peak)
{
    if (peak->per_s > 0) {
        printf("%-15s %.0f G multiply-adds/s, %.3g a cycle and thread%s\n", name, giga(peak->per_s),
               peak->per_cycle, why_not(peak));
    }
}

/* What a node's cores read of the others' memory. */
static void print_reads(const struct examination *examination, size_t node)
{
    const struct omma_machine *machine = examination->machine;

    for (size_t j = 0; j < machine->n_nodes; j++) {
        if (j != node) {
            printf("    from node %-5zu %.1f GB/s\n", machine->nodes[j].number,
                   giga(examination->node_reads[node * machine->n_nodes + j]));
        }
    }
}

static void print_limits(const struct examination *examination)
{
    const struct omma_limits *limits = &examination->limits;

    printf("read            %.1f GB/s, %zu thread%s", giga(limits->read_bytes_per_s),
           limits->n_threads, limits->n_threads == 1 ? "" : "s");
    if (limits->known_low > 0) {
        printf("; this CPU is known to do %.1f to %.1f", giga(limits->known_low),
               giga(limits->known_high));
    }
    printf("\n");
    for (size_t i = 0; examination->node_limits != NULL && i < examination->machine->n_nodes; i++) {
        printf("  node %-9zu %.1f GB/s, %zu threads at their own memory\n",
               examination->machine->nodes[i].number,
               giga(examination->node_limits[i].read_bytes_per_s),
               examination->node_limits[i].n_threads);
        print_reads(examination, i);
    }
    printf("clock           %.2f GHz\n", giga(limits->clock_hz));
    print_peak("f32", &limits->f32);
    print_peak("bf16", &limits->bf16);
    print_peak("int8", &limits->i8);
}

static void print_placements(const struct examination *examination)
{
    printf("model           %s: numa %s, %s\n", examination->model->path, examination->engine->numa,
           examination->engine->is_copied ? "copied" : "mapped");
    for (size_t i = 0; i < examination->n_placements; i++) {
        char line[PLACEMENT_LINE_BYTES];

        placement_line(&examination->placements[i], line);
        printf("  %s\n", line);
    }
}

static void print_advice(void *user, const char *finding, const char *remedy)
{
    (void)user;
    printf("advice          %s\n                -> %s\n", finding, remedy);
}

void print_examination(const struct examination *examination)
{
    print_machine(examination->machine);
    print_tiers(examination->isa);
    if (examination->is_measured) {
        print_limits(examination);
    }
    if (examination->model != NULL) {
        print_placements(examination);
    }
    if (give_advice(examination, print_advice, NULL) == 0) {
        printf("advice          none: nothing that could be told from here stands in the way\n");
    }
}

/* ------------------------------------------------------------------------------------------------
 * JSON
 * --------------------------------------------------------------------------------------------- */

static json_t *count(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static json_t *known_text(const char *text)
{
    return text[0] != '\0' ? json_out_string(text) : json_null();
}

static json_t *known_count(uint64_t number, uint64_t unknown)
{
    return number != unknown ? count(number) : json_null();
}

static json_t *json_of_node(const struct omma_machine_node *node)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "number", count(node->number));
    json_out_set(&out, "cores", count(node->n_cores));
    json_out_set(&out, "cpus", json_out_string(node->cpus));
    json_out_set(&out, "memory_bytes", known_count(node->memory_bytes, 0));
    json_out_set(&out, "free_bytes", known_count(node->free_bytes, 0));
    json_out_set(&out, "free_huge_pages", count(node->free_huge_pages));
    return out.value;
}

static json_t *json_of_machine(const struct omma_machine *machine)
{
    struct json_out out = json_out_object();
    json_t *nodes = json_array();

    for (size_t i = 0; i < machine->n_nodes; i++) {
        json_array_append_new(nodes, json_of_node(&machine->nodes[i]));
    }
    json_out_set(&out, "cpu", json_out_string(machine->cpu));
    json_out_set(&out, "packages", count(machine->n_packages));
    json_out_set(&out, "cores", count(machine->n_cores));
    json_out_set(&out, "cpus", count(machine->n_cpus));
    json_out_set(&out, "allowed_cores", count(machine->n_allowed_cores));
    json_out_set(&out, "usable_cores", count(machine->n_usable_cores));
    json_out_set(&out, "l1_bytes", known_count(machine->l1_bytes, 0));
    json_out_set(&out, "l2_bytes", known_count(machine->l2_bytes, 0));
    json_out_set(&out, "l3_bytes", known_count(machine->l3_bytes, 0));
    json_out_set(&out, "memory_bytes", known_count(machine->memory_bytes, 0));
    json_out_set(&out, "available_bytes", known_count(machine->available_bytes, 0));
    json_out_set(&out, "memory_limit_bytes", known_count(machine->memory_limit_bytes, UINT64_MAX));
    json_out_set(&out, "nodes", nodes);
    json_out_set(&out, "transparent_huge_pages", known_text(machine->huge_pages));
    json_out_set(&out, "governor", known_text(machine->governor));
    json_out_set(&out, "offline_cpus", json_out_string(machine->offline_cpus));
    json_out_set(&out, "numa_balancing", json_boolean(machine->numa_balancing));
    json_out_set(&out, "zone_reclaim", json_boolean(machine->zone_reclaim));
    return out.value;
}

static json_t *json_of_kernels(const char *isa)
{
    struct json_out out = json_out_object();
    const char *family, *tier;

    for (size_t i = 0; (family = omma_kernel_family(i, isa, &tier)) != NULL; i++) {
        json_out_set(&out, family, tier != NULL ? json_out_string(tier) : json_null());
    }
    return out.value;
}

static json_t *json_of_peak(const struct omma_peak *peak)
{
    struct json_out out = json_out_object();

    if (peak->per_s <= 0) {
        json_decref(out.value);
        return json_null();
    }
    json_out_set(&out, "per_s", json_real(peak->per_s));
    json_out_set(&out, "per_cycle", json_real(peak->per_cycle));
    json_out_set(&out, "counts", json_boolean(peak->counts));
    return out.value;
}

static json_t *json_of_limits(const struct omma_limits *limits)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "threads", count(limits->n_threads));
    json_out_set(&out, "read_bytes_per_s", json_real(limits->read_bytes_per_s));
    json_out_set(&out, "read_counts", json_boolean(limits->read_counts));
    json_out_set(&out, "clock_hz", json_real(limits->clock_hz));
    json_out_set(&out, "f32", json_of_peak(&limits->f32));
    json_out_set(&out, "bf16", json_of_peak(&limits->bf16));
    json_out_set(&out, "int8", json_of_peak(&limits->i8));
    return out.value;
}

static json_t *json_of_placement(const struct omma_node_placement *node)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "node", count(node->node));
    json_out_set(&out, "threads", count(node->n_threads));
    json_out_set(&out, "weight_bytes", count(node->weight_bytes));
    json_out_set(&out, "copied_bytes", count(node->copied_bytes));
    json_out_set(&out, "huge_bytes", count(node->huge_bytes));
    json_out_set(&out, "pages", count(node->n_pages));
    json_out_set(&out, "local", count(node->n_local));
    json_out_set(&out, "remote", count(node->n_remote));
    json_out_set(&out, "absent", count(node->n_absent));
    return out.value;
}

static json_t *json_of_model(const struct examination *examination)
{
    struct json_out out = json_out_object();
    json_t *placements = json_array();

    for (size_t i = 0; i < examination->n_placements; i++) {
        json_array_append_new(placements, json_of_placement(&examination->placements[i]));
    }
    json_out_set(&out, "path", json_out_string(examination->model->path));
    json_out_set(&out, "numa", json_out_string(examination->engine->numa));
    json_out_set(&out, "copied", json_boolean(examination->engine->is_copied));
    json_out_set(&out, "nodes", placements);
    return out.value;
}

static void append_advice(void *user, const char *finding, const char *remedy)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "finding", json_out_string(finding));
    json_out_set(&out, "remedy", json_out_string(remedy));
    json_array_append_new(user, out.value);
}

enum omma_status write_examination(const struct examination *examination, struct omma_error *error)
{
    struct json_out out = json_out_object();
    json_t *advice = json_array(), *nodes = json_array();

    for (size_t i = 0; examination->node_limits != NULL && i < examination->machine->n_nodes; i++) {
        json_t *node = json_of_limits(&examination->node_limits[i]), *reads = json_array();

        for (size_t j = 0; j < examination->machine->n_nodes; j++) {
            json_array_append_new(
                reads, json_real(examination->node_reads[i * examination->machine->n_nodes + j]));
        }
        json_object_set_new(node, "read_of_each_node", reads);
        json_array_append_new(nodes, node);
    }
    give_advice(examination, append_advice, advice);
    json_out_set(&out, "machine", json_of_machine(examination->machine));
    json_out_set(&out, "isa", json_out_string(examination->isa));
    json_out_set(&out, "kernels", json_of_kernels(examination->isa));
    json_out_set(&out, "limits",
                 examination->is_measured ? json_of_limits(&examination->limits) : json_null());
    json_out_set(&out, "node_limits", nodes);
    json_out_set(&out, "model",
                 examination->model != NULL ? json_of_model(examination) : json_null());
    json_out_set(&out, "advice", advice);
    return json_out_write(&out, stdout, false, error);
}
