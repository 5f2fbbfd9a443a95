/*
 * The plan is one list of matrices; every step walks over it: the sizes of a node, the addresses in
 * its memory, a thread's share of the copying, the pages to ask for.
 *
 * Each thread copies what it will read, so that pages come from its node also where binding is not
 * permitted.
 */
#include "engine/weight_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "model/checkpoint.h"
#include "platform/cgroup.h"
#include "simd/kernels.h"

enum {
    CACHE_LINE = 64,
    MOST_PAGES_ASKED = 1 << 20, /* about a tenth of a second; of more, some at equal distances */
};

static size_t count_panels(const struct omma_matrix *matrix)
{
    return (matrix->n_rows + OMMA_PANEL_COLUMNS - 1) / OMMA_PANEL_COLUMNS;
}

static size_t row_bytes(const struct omma_matrix *matrix)
{
    return matrix->n_columns * omma_dtype_bytes(matrix->dtype);
}

/* The rows of a matrix in a range of the panels of its group. */
static struct omma_range rows_of(const struct omma_placed_matrix *matrix, struct omma_range panels)
{
    struct omma_range own =
        omma_range_within(panels, matrix->first_panel, count_panels(matrix->source));

    return (struct omma_range){omma_min(own.begin * OMMA_PANEL_COLUMNS, matrix->source->n_rows),
                               omma_min(own.end * OMMA_PANEL_COLUMNS, matrix->source->n_rows)};
}

static struct omma_range node_rows(const struct omma_placed_matrix *matrix,
                                   const struct omma_team *team, size_t node)
{
    return rows_of(matrix, omma_team_node_range(team, node, matrix->n_group_panels));
}

/* ------------------------------------------------------------------------------------------------
 * The list
 * --------------------------------------------------------------------------------------------- */

/* Where a walk over the weights stands; what is NULL is not filled. */
struct walk {
    size_t n;
    struct omma_placed_matrix *matrices;
    struct omma_matrix **placed;
};

static void note(void *user, struct omma_linear *const *linears, size_t n)
{
    struct walk *walk = user;
    size_t n_panels = 0, first = 0;

    for (size_t i = 0; i < n; i++) {
        n_panels += count_panels(&linears[i]->weight);
    }
    for (size_t i = 0; i < n; i++) {
        struct omma_matrix *matrix = &linears[i]->weight;

        if (walk->matrices != NULL) {
            walk->matrices[walk->n] = (struct omma_placed_matrix){matrix, first, n_panels};
        }
        if (walk->placed != NULL) {
            walk->placed[walk->n] = matrix;
        }
        walk->n++;
        first += count_panels(matrix);
    }
}

static enum omma_status list_matrices(struct omma_weight_memory *memory,
                                      const struct omma_model *model, struct omma_error *error)
{
    struct omma_weights *weights = (struct omma_weights *)&model->weights; /* only read by note() */
    struct walk walk = {0};

    omma_weights_each_product(weights, &model->config, note, &walk);
    memory->n_matrices = walk.n;
    memory->matrices = omma_arena_take(&memory->arena, walk.n, sizeof *memory->matrices);
    if (memory->matrices == NULL) {
        return omma_fail_memory(error, walk.n * sizeof *memory->matrices, "the weights' places");
    }
    walk = (struct walk){.matrices = memory->matrices};
    omma_weights_each_product(weights, &model->config, note, &walk);
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * What fits
 * --------------------------------------------------------------------------------------------- */

static size_t node_bytes(const struct omma_weight_memory *memory, const struct omma_team *team,
                         size_t node)
{
    size_t n_bytes = 0;

    for (size_t i = 0; i < memory->n_matrices; i++) {
        const struct omma_placed_matrix *matrix = &memory->matrices[i];
        struct omma_range rows = {0, matrix->source->n_rows};

        if (memory->numa == OMMA_NUMA_SHARD) {
            rows = node_rows(matrix, team, node);
        }
        n_bytes += omma_round_up((rows.end - rows.begin) * row_bytes(matrix->source), CACHE_LINE);
    }
    return n_bytes;
}

static double megabytes(uint64_t n_bytes)
{
    return (double)n_bytes / 1e6;
}

const char *omma_numa_name(enum omma_numa numa)
{
    switch (numa) {
    case OMMA_NUMA_SHARD:
        return "shard";
    case OMMA_NUMA_MIRROR:
        return "mirror";
    case OMMA_NUMA_AUTO:
    case OMMA_NUMA_OFF:
        break;
    }
    return "off";
}

static enum omma_status check_fit(const struct omma_weight_memory *memory,
                                  const struct omma_team *team, const char *root,
                                  struct omma_error *error)
{
    const char *name = omma_numa_name(memory->numa);
    uint64_t total = 0, limit = omma_cgroup_memory_bytes(root);

    for (size_t i = 0; i < memory->n_nodes; i++) {
        size_t number = omma_topology_node_number(omma_team_topology(team),
                                                  omma_team_node(team, i)->topology_node);
        uint64_t n_bytes = node_bytes(memory, team, i);
        uint64_t available = omma_node_memory_available(root, number);

        if (n_bytes > available) {
            return omma_fail(error, OMMA_STATUS_RESOURCES,
                             "numa %s: the weights take %.1f MB on node %zu (of %zu), which has "
                             "%.1f MB available",
                             name, megabytes(n_bytes), number, memory->n_nodes,
                             megabytes(available));
        }
        total += n_bytes;
    }
    if (total > limit) {
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "numa %s: the weights take %.1f MB on %zu nodes together, and the control "
                         "group allows %.1f MB (memory.max)",
                         name, megabytes(total), memory->n_nodes, megabytes(limit));
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Copies
 * --------------------------------------------------------------------------------------------- */

static enum omma_status take_nodes(struct omma_weight_memory *memory, const struct omma_team *team,
                                   struct omma_error *error)
{
    memory->nodes = omma_arena_take(&memory->arena, memory->n_nodes, sizeof *memory->nodes);
    if (memory->nodes == NULL) {
        return omma_fail_memory(error, memory->n_nodes * sizeof *memory->nodes, "the nodes");
    }
    for (size_t i = 0; i < memory->n_nodes; i++) {
        OMMA_TRY(omma_node_memory_init(
            omma_team_topology(team), omma_team_node(team, i)->topology_node,
            node_bytes(memory, team, i), "a node's weights", &memory->nodes[i], error));
    }
    return OMMA_OK;
}

/* Views of the weights for each copy: one whose matrices are in parts, or one a node. */
static bool make_views(struct omma_weight_memory *memory, const struct omma_model *model)
{
    size_t n_views = memory->numa == OMMA_NUMA_MIRROR ? memory->n_nodes : 1;
    struct omma_weights *views = omma_arena_take(&memory->arena, n_views, sizeof *views);
    struct omma_weights *all = omma_arena_take(&memory->arena, 1, sizeof *all);

    memory->placed =
        omma_arena_take(&memory->arena, n_views * memory->n_matrices, sizeof *memory->placed);
    if (views == NULL || all == NULL || memory->placed == NULL) {
        return false;
    }
    for (size_t i = 0; i < n_views; i++) {
        struct walk walk = {.placed = memory->placed + i * memory->n_matrices};

        if (!omma_weights_copy(&model->weights, &model->config, &memory->arena, &views[i])) {
            return false;
        }
        omma_weights_each_product(&views[i], &model->config, note, &walk);
    }
    memory->weights = views;
    if (memory->numa == OMMA_NUMA_MIRROR) {
        *all = model->weights;
        all->mirrors = views;
        memory->weights = all;
    }
    return true;
}

/* The addresses of all rows in the nodes' memory. */
static bool assign(struct omma_weight_memory *memory, const struct omma_team *team)
{
    size_t *used = omma_arena_take(&memory->arena, memory->n_nodes, sizeof *used);

    if (used == NULL) {
        return false;
    }
    for (size_t i = 0; i < memory->n_matrices; i++) {
        const struct omma_placed_matrix *matrix = &memory->matrices[i];
        struct omma_matrix_part *parts = NULL;

        if (memory->numa == OMMA_NUMA_SHARD) {
            parts = omma_arena_take(&memory->arena, memory->n_nodes + 1, sizeof *parts);
            if (parts == NULL) {
                return false;
            }
            parts[memory->n_nodes].first_row = matrix->source->n_rows;
            memory->placed[i]->parts = parts;
        }
        for (size_t node = 0; node < memory->n_nodes; node++) {
            struct omma_range rows = {0, matrix->source->n_rows};
            char *at = memory->nodes[node].bytes + used[node];

            if (parts != NULL) {
                rows = node_rows(matrix, team, node);
                parts[node] = (struct omma_matrix_part){rows.begin, at};
            } else {
                memory->placed[node * memory->n_matrices + i]->data = at;
            }
            used[node] +=
                omma_round_up((rows.end - rows.begin) * row_bytes(matrix->source), CACHE_LINE);
        }
    }
    return true;
}

/* Of n_panels of a mirror, those that one of the node's threads copies. */
static struct omma_range mirror_share(const struct omma_thread *self, size_t n_panels)
{
    const struct omma_team_node *node = omma_team_node(self->team, self->node);
    size_t i = self->index - node->first_thread;

    return (struct omma_range){n_panels * i / node->n_threads,
                               n_panels * (i + 1) / node->n_threads};
}

static void copy_rows(struct omma_thread *self, void *argument)
{
    const struct omma_weight_memory *memory = argument;
    bool is_mirror = memory->numa == OMMA_NUMA_MIRROR;
    struct omma_matrix **placed =
        memory->placed + (is_mirror ? self->node * memory->n_matrices : 0);

    for (size_t i = 0; i < memory->n_matrices; i++) {
        const struct omma_placed_matrix *matrix = &memory->matrices[i];
        struct omma_range rows =
            rows_of(matrix, is_mirror ? mirror_share(self, matrix->n_group_panels)
                                      : omma_team_range(self, matrix->n_group_panels));

        if (rows.begin < rows.end) {
            memcpy((void *)omma_matrix_row(placed[i], rows.begin),
                   omma_matrix_row(matrix->source, rows.begin),
                   (rows.end - rows.begin) * row_bytes(matrix->source));
        }
    }
}

static enum omma_status copy_weights(struct omma_weight_memory *memory,
                                     const struct omma_model *model, struct omma_team *team,
                                     const struct omma_weight_memory_options *options,
                                     struct omma_error *error)
{
    if (options->root != NULL) {
        OMMA_TRY(check_fit(memory, team, options->root, error));
    }
    OMMA_TRY(take_nodes(memory, team, error));
    if (!make_views(memory, model) || !assign(memory, team)) {
        return omma_fail_memory(error, memory->n_matrices * sizeof **memory->placed,
                                "the weights' places");
    }
    omma_team_run(team, copy_rows, memory);
    memory->is_copied = true;
    for (size_t i = 0; options->drop_cache && i < model->checkpoint->n_files; i++) {
        omma_mapping_drop_pages(&model->checkpoint->files[i].mapping);
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Pages that stay mapped
 * --------------------------------------------------------------------------------------------- */

struct migration {
    const struct omma_weight_memory *memory;
    bool *has_failed; /* [n_nodes] */
};

/* Read what is not in memory, each thread its rows; then one thread of a node moves its pages. */
static void move_pages(struct omma_thread *self, void *argument)
{
    const struct migration *migration = argument;
    const struct omma_weight_memory *memory = migration->memory;
    const struct omma_team_node *node = omma_team_node(self->team, self->node);
    size_t page = omma_topology_page_bytes();

    for (size_t i = 0; i < memory->n_matrices; i++) {
        const struct omma_placed_matrix *matrix = &memory->matrices[i];
        struct omma_range rows = rows_of(matrix, omma_team_range(self, matrix->n_group_panels));

        if (rows.begin < rows.end) {
            omma_node_memory_populate(omma_matrix_row(matrix->source, rows.begin),
                                      (rows.end - rows.begin) * row_bytes(matrix->source));
        }
    }
    omma_team_barrier(self);
    for (size_t i = 0; self->index == node->first_thread && i < memory->n_matrices; i++) {
        const struct omma_placed_matrix *matrix = &memory->matrices[i];
        struct omma_range rows = node_rows(matrix, self->team, self->node);
        uintptr_t begin = (uintptr_t)omma_matrix_row(matrix->source, rows.begin);
        uintptr_t end = begin + (rows.end - rows.begin) * row_bytes(matrix->source);

        begin = begin / page * page;
        if (rows.begin < rows.end &&
            !omma_topology_bind_memory(omma_team_topology(self->team), node->topology_node,
                                       (void *)begin, end - begin, true)) {
            migration->has_failed[self->node] = true;
        }
    }
}

static enum omma_status migrate(struct omma_weight_memory *memory, struct omma_team *team,
                                const struct omma_log *log, struct omma_error *error)
{
    struct migration migration = {.memory = memory};

    migration.has_failed =
        omma_arena_take(&memory->arena, memory->n_nodes, sizeof *migration.has_failed);
    if (migration.has_failed == NULL) {
        return omma_fail_memory(error, memory->n_nodes, "the weights' places");
    }
    omma_team_run(team, move_pages, &migration);
    for (size_t i = 0; i < memory->n_nodes; i++) {
        if (migration.has_failed[i]) {
            omma_log_warning(log, "numa shard: not all pages could be bound to node %zu",
                             omma_topology_node_number(omma_team_topology(team),
                                                       omma_team_node(team, i)->topology_node));
        }
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The whole
 * --------------------------------------------------------------------------------------------- */

static enum omma_status place(struct omma_weight_memory *memory, const struct omma_model *model,
                              struct omma_team *team,
                              const struct omma_weight_memory_options *options,
                              struct omma_error *error)
{
    OMMA_TRY(list_matrices(memory, model, error));
    if (memory->numa == OMMA_NUMA_OFF) {
        return OMMA_OK;
    }
    if (memory->numa == OMMA_NUMA_SHARD && options->keep_mapped) {
        return migrate(memory, team, options->log, error);
    }
    return copy_weights(memory, model, team, options, error);
}

enum omma_status omma_weight_memory_create(const struct omma_model *model, struct omma_team *team,
                                           const struct omma_weight_memory_options *options,
                                           struct omma_weight_memory **memory,
                                           struct omma_error *error)
{
    struct omma_weight_memory_options chosen = *options;
    struct omma_weight_memory *made = calloc(1, sizeof *made);
    struct omma_error reason = {0};
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "the weights' places");
    }
    made->n_nodes = omma_team_n_nodes(team);
    made->numa = options->numa;
    if (options->numa == OMMA_NUMA_AUTO) {
        made->numa = made->n_nodes > 1 ? OMMA_NUMA_SHARD : OMMA_NUMA_OFF;
    }
    made->weights = &model->weights;
    status = place(made, model, team, options, &reason);
    if (status == OMMA_OK) {
        *memory = made;
        return OMMA_OK;
    }
    omma_weight_memory_destroy(&made);
    if (status != OMMA_STATUS_RESOURCES || options->numa != OMMA_NUMA_AUTO) {
        return omma_fail(error, status, "%s", reason.message);
    }
    omma_log_warning(options->log, "%s; they are read from the files' pages instead",
                     reason.message);
    chosen.numa = OMMA_NUMA_OFF;
    return omma_weight_memory_create(model, team, &chosen, memory, error);
}

void omma_weight_memory_destroy(struct omma_weight_memory **memory)
{
    struct omma_weight_memory *gone = *memory;

    if (gone == NULL) {
        return;
    }
    for (size_t i = 0; gone->nodes != NULL && i < gone->n_nodes; i++) {
        omma_node_memory_fini(&gone->nodes[i]);
    }
    omma_arena_free(&gone->arena);
    free(gone);
    *memory = NULL;
}

/* The distance of pages to ask for, so that all nodes' together are not too many. */
static size_t page_step(const struct omma_weight_memory *memory, const struct omma_team *team)
{
    size_t n_pages = 0;

    for (size_t i = 0; i < memory->n_nodes; i++) {
        n_pages += node_bytes(memory, team, i) / omma_topology_page_bytes();
    }
    return n_pages / MOST_PAGES_ASKED + 1;
}

enum omma_status omma_weight_memory_audit(const struct omma_weight_memory *memory,
                                          const struct omma_team *team, size_t node,
                                          struct omma_node_placement *placement,
                                          struct omma_error *error)
{
    const struct omma_team_node *threads = omma_team_node(team, node);
    size_t view = memory->numa == OMMA_NUMA_MIRROR ? node : 0, step = page_step(memory, team);
    struct omma_page_count count = {0};
    struct omma_node_placement made = {
        .node = omma_topology_node_number(omma_team_topology(team), threads->topology_node),
        .n_threads = threads->n_threads,
    };

    for (size_t i = 0; i < memory->n_matrices; i++) {
        const struct omma_placed_matrix *matrix = &memory->matrices[i];
        const struct omma_matrix *placed =
            memory->is_copied ? memory->placed[view * memory->n_matrices + i] : matrix->source;
        struct omma_range rows = node_rows(matrix, team, node);
        size_t n_bytes = (rows.end - rows.begin) * row_bytes(placed);

        if (n_bytes > 0) {
            made.weight_bytes += n_bytes;
            OMMA_TRY(omma_node_memory_count(omma_matrix_row(placed, rows.begin), n_bytes, step,
                                            made.node, &count, error));
        }
    }
    made.n_pages = count.n_asked;
    made.n_local = count.n_local;
    made.n_remote = count.n_remote;
    made.n_absent = count.n_absent;
    if (memory->is_copied) {
        made.copied_bytes = memory->nodes[node].n_bytes;
        made.huge_bytes =
            omma_node_memory_huge_bytes(memory->nodes[node].bytes, memory->nodes[node].n_bytes);
    }
    *placement = made;
    return OMMA_OK;
}
