/*
 * observe.h - show a stage's rows to whoever compares them, from inside a forward pass.
 */
#ifndef OMMA_MODEL_OBSERVE_H
#define OMMA_MODEL_OBSERVE_H

#include "api/omma.h"
#include "platform/team.h"

enum { OMMA_OBSERVE_NO_LAYER = -1 };

/* Called by all threads at the same place, with values [n_rows][width] that the team computed.
 * Meets at two barriers if there is an observer, else returns at once. */
void omma_observe(struct omma_thread *self, const struct omma_observer *observer, const char *stage,
                  int layer, size_t first_row, size_t n_rows, size_t width, const float *values);

#endif
