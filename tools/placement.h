/*
 * placement.h - telling where the weights lie.
 */
#ifndef OMMA_TOOLS_PLACEMENT_H
#define OMMA_TOOLS_PLACEMENT_H

#include "tools/message.h"

enum { PLACEMENT_LINE_BYTES = 256 };

/* "node 0: 32 threads read 8012.3 MB, 100.0 % of it local; copies, 99 % in huge pages" */
void placement_line(const struct omma_node_placement *placement, char line[PLACEMENT_LINE_BYTES]);

/* How the weights are placed and a line for each node; with -v only, as asking takes a while. */
void placement_note(struct messages *messages, const struct omma_engine *engine);

#endif
