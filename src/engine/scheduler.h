/*
 * scheduler.h - several requests side by side: which of them a pass computes, and how much.
 *
 * A step of the engine's thread: requests that came are lined up; those that were cancelled or are
 * late end; others take the free places; tiles go to the vision pool and come back (without one, a
 * tile of one request is encoded); and one pass over the language model's weights takes the last
 * token of every answer and tokens of prompts, up to a chunk in all, or few where there are
 * answers. So these wait for a small chunk at most (without a pool, and one tile), however long
 * other prompts are.
 *
 * Places, tiles and chunks go to the largest priority first; within one, places in the order of
 * arrival, tiles and chunks in turn.
 */
#ifndef OMMA_ENGINE_SCHEDULER_H
#define OMMA_ENGINE_SCHEDULER_H

#include "api/omma.h"
#include "base/status.h"

struct omma_generation;
struct omma_scheduler;

/* Of an engine whose options were checked: info.max_batch requests at a time, info.max_queue that
 * wait. */
enum omma_status omma_scheduler_create(struct omma_engine *engine,
                                       struct omma_scheduler **scheduler, struct omma_error *error);
void omma_scheduler_destroy(struct omma_scheduler **scheduler); /* without requests */

/* Hand over a generation, from any thread.  OMMA_STATUS_BUSY if the queue is full; it is the
 * caller's then. */
enum omma_status omma_scheduler_submit(struct omma_scheduler *scheduler,
                                       struct omma_generation *generation,
                                       struct omma_error *error);

/* Whether there are requests; from any thread. */
bool omma_scheduler_has_requests(const struct omma_scheduler *scheduler);

/* On the engine's thread, with its lock held: whether a step would do something. */
bool omma_scheduler_has_work(const struct omma_scheduler *scheduler);

/* On the engine's thread. */
void omma_scheduler_step(struct omma_scheduler *scheduler);

#endif
