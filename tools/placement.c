/* Pages counted by the library, as shares of what has been read. */
#include "tools/placement.h"

#include <stdio.h>

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

void placement_line(const struct omma_node_placement *placement, char line[PLACEMENT_LINE_BYTES])
{
    uint64_t n_present = placement->n_pages - placement->n_absent;
    int n = snprintf(line, PLACEMENT_LINE_BYTES, "node %zu: %zu threads read %.1f MB of weights, ",
                     placement->node, placement->n_threads, (double)placement->weight_bytes / 1e6);

    if (n_present == 0) {
        n += snprintf(line + n, PLACEMENT_LINE_BYTES - (size_t)n, "none of it mapped yet");
    } else {
        n += snprintf(line + n, PLACEMENT_LINE_BYTES - (size_t)n, "%.1f %% of it local",
                      percent(placement->n_local, n_present));
        if (placement->n_absent > 0) {
            n += snprintf(line + n, PLACEMENT_LINE_BYTES - (size_t)n,
                          " as far as it is mapped (%.1f %%)",
                          percent(n_present, placement->n_pages));
        }
    }
    if (placement->copied_bytes > 0) {
        snprintf(line + n, PLACEMENT_LINE_BYTES - (size_t)n, "; copies, %.0f %% in huge pages",
                 percent(placement->huge_bytes, placement->copied_bytes));
    }
}

void placement_note(struct messages *messages, const struct omma_engine *engine)
{
    const struct omma_engine_info *info = omma_engine_info(engine);

    if (!messages->verbose) {
        return;
    }
    message_note(messages, "weights: numa %s, %zu memory node%s, %s", info->numa, info->n_nodes,
                 info->n_nodes == 1 ? "" : "s", info->is_copied ? "copied" : "mapped");
    for (size_t i = 0; i < info->n_nodes; i++) {
        struct omma_node_placement placement;
        struct omma_error error;
        char line[PLACEMENT_LINE_BYTES];

        if (omma_engine_node(engine, i, &placement, &error) != OMMA_OK) {
            message_note(messages, "%s", error.message);
            return;
        }
        placement_line(&placement, line);
        message_note(messages, "%s", line);
    }
}
