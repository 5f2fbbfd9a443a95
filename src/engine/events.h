/*
 * events.h - what a running request reports, from the engine's thread to whoever polls.
 */
#ifndef OMMA_ENGINE_EVENTS_H
#define OMMA_ENGINE_EVENTS_H

#include <pthread.h>

#include "api/omma.h"
#include "base/status.h"

/* A queue with one writer and one reader.  All members but notify are guarded by the lock. */
struct omma_events {
    omma_notify_fn notify; /* called after an event was added; NULL: none */
    void *user;
    bool is_notifying;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct omma_event *items; /* ring; an item's text is an offset into texts until it is taken */
    size_t capacity, first, n_items;
    char *texts; /* of the items queued */
    size_t texts_capacity, texts_used;
    char *taken_text; /* of the event taken last */
    size_t taken_capacity;
};

enum omma_status omma_events_init(omma_notify_fn notify, void *user, struct omma_events *events,
                                  struct omma_error *error);

/* Waits for the end of a call of notify.  No writer may be left but the one that called it. */
void omma_events_fini(struct omma_events *events);

/* Append and notify; event->text is copied.  OMMA_STATUS_RESOURCES if memory is short. */
enum omma_status omma_events_add(struct omma_events *events, const struct omma_event *event,
                                 struct omma_error *error);

/* Take the oldest, waiting up to timeout_ms (-1: for ever); OMMA_EVENT_NONE if there is none by
 * then. Its text stays until the next call. */
void omma_events_take(struct omma_events *events, int timeout_ms, struct omma_event *event);

#endif
