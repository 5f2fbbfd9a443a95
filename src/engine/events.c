/* A growing ring of events and a buffer of their texts, emptied when the last one is taken. */
#include "engine/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "platform/clock.h"

enum { FIRST_CAPACITY = 256, FIRST_TEXTS = 4096 };

enum omma_status omma_events_init(omma_notify_fn notify, void *user, struct omma_events *events,
                                  struct omma_error *error)
{
    pthread_condattr_t attributes;

    memset(events, 0, sizeof *events);
    events->notify = notify;
    events->user = user;
    events->items = calloc(FIRST_CAPACITY, sizeof *events->items);
    events->texts = malloc(FIRST_TEXTS);
    events->taken_text = malloc(FIRST_TEXTS);
    if (events->items == NULL || events->texts == NULL || events->taken_text == NULL) {
        free(events->items);
        free(events->texts);
        free(events->taken_text);
        return omma_fail_memory(error, FIRST_CAPACITY * sizeof *events->items, "events");
    }
    events->capacity = FIRST_CAPACITY;
    events->texts_capacity = events->taken_capacity = FIRST_TEXTS;
    pthread_mutex_init(&events->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&events->arrived, &attributes);
    pthread_condattr_destroy(&attributes);
    return OMMA_OK;
}

void omma_events_fini(struct omma_events *events)
{
    pthread_mutex_lock(&events->lock);
    while (events->is_notifying) {
        pthread_cond_wait(&events->arrived, &events->lock);
    }
    pthread_mutex_unlock(&events->lock);
    free(events->items);
    free(events->texts);
    free(events->taken_text);
    pthread_cond_destroy(&events->arrived);
    pthread_mutex_destroy(&events->lock);
}

static bool grow_items(struct omma_events *events)
{
    struct omma_event *items = calloc(2 * events->capacity, sizeof *items);

    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < events->n_items; i++) {
        items[i] = events->items[(events->first + i) % events->capacity];
    }
    free(events->items);
    events->items = items;
    events->first = 0;
    events->capacity *= 2;
    return true;
}

static bool reserve(char **bytes, size_t *capacity, size_t needed)
{
    size_t larger = omma_max(needed, 2 * *capacity);
    char *moved;

    if (needed <= *capacity) {
        return true;
    }
    moved = realloc(*bytes, larger);
    if (moved == NULL) {
        return false;
    }
    *bytes = moved;
    *capacity = larger;
    return true;
}

/* Without the lock, which the program's own locks could meet the other way round. */
static void call_notify(struct omma_events *events)
{
    events->notify(events->user);
    pthread_mutex_lock(&events->lock);
    events->is_notifying = false;
    pthread_cond_broadcast(&events->arrived);
    pthread_mutex_unlock(&events->lock);
}

enum omma_status omma_events_add(struct omma_events *events, const struct omma_event *event,
                                 struct omma_error *error)
{
    bool fits, notifies;

    pthread_mutex_lock(&events->lock);
    fits = (events->n_items < events->capacity || grow_items(events)) &&
           reserve(&events->texts, &events->texts_capacity, events->texts_used + event->n_bytes);
    if (fits) {
        if (event->n_bytes > 0) {
            memcpy(events->texts + events->texts_used, event->text, event->n_bytes);
        }
        events->items[(events->first + events->n_items) % events->capacity] = *event;
        events->texts_used += event->n_bytes;
        events->n_items++;
        pthread_cond_broadcast(&events->arrived);
    }
    notifies = fits && events->notify != NULL;
    events->is_notifying = notifies;
    pthread_mutex_unlock(&events->lock); /* without notify, events may be gone from here on */
    if (notifies) {
        call_notify(events);
    }
    return fits ? OMMA_OK : omma_fail_memory(error, event->n_bytes, "events");
}

/* With the lock held: wait for an item. */
static void wait_for_item(struct omma_events *events, int timeout_ms)
{
    struct timespec deadline = omma_clock_after(timeout_ms < 0 ? 0 : timeout_ms);

    while (events->n_items == 0) {
        if (timeout_ms < 0) {
            pthread_cond_wait(&events->arrived, &events->lock);
        } else if (pthread_cond_timedwait(&events->arrived, &events->lock, &deadline) ==
                   ETIMEDOUT) {
            return;
        }
    }
}

/* With the lock held: move the first item's text, which is the first of texts, to where it stays.
 */
static void take_text(struct omma_events *events, struct omma_event *event)
{
    event->text = events->taken_text;
    if (event->n_bytes == 0) {
        return;
    }
    if (!reserve(&events->taken_text, &events->taken_capacity, event->n_bytes)) {
        event->n_bytes = 0; /* out of memory: the text is lost, the event is not */
        return;
    }
    memcpy(events->taken_text, events->texts, event->n_bytes);
    event->text = events->taken_text;
    events->texts_used -= event->n_bytes;
    memmove(events->texts, events->texts + event->n_bytes, events->texts_used);
}

void omma_events_take(struct omma_events *events, int timeout_ms, struct omma_event *event)
{
    *event = (struct omma_event){.type = OMMA_EVENT_NONE};
    pthread_mutex_lock(&events->lock);
    wait_for_item(events, timeout_ms);
    if (events->n_items > 0) {
        *event = events->items[events->first];
        events->first = (events->first + 1) % events->capacity;
        events->n_items--;
        take_text(events, event);
    }
    pthread_mutex_unlock(&events->lock);
}
