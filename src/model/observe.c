/* The first thread calls the observer while the others wait. */
#include "model/observe.h"

#include <stdio.h>

void omma_observe(struct omma_thread *self, const struct omma_observer *observer, const char *stage,
                  int layer, size_t first_row, size_t n_rows, size_t width, const float *values)
{
    if (observer == NULL || observer->rows == NULL) {
        return;
    }
    omma_team_barrier(self);
    if (self->index == 0) {
        char name[64];

        if (layer == OMMA_OBSERVE_NO_LAYER) {
            snprintf(name, sizeof name, "%s", stage);
        } else {
            snprintf(name, sizeof name, "%s.%d", stage, layer);
        }
        observer->rows(observer->user, name, first_row, n_rows, width, values);
    }
    omma_team_barrier(self);
}
