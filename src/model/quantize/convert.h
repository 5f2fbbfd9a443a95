/*
 * convert.h - the tensors of a shard, computed by a team and written, or compared with what is
 * there.
 *
 * Rows are taken in slabs of some megabytes; each thread computes rows of its own and writes them
 * to their place, so that memory does not grow with the model, and the bytes and sums of errors do
 * not depend on the number of threads.
 */
#ifndef OMMA_MODEL_QUANTIZE_CONVERT_H
#define OMMA_MODEL_QUANTIZE_CONVERT_H

#include "model/quantize/plan.h"
#include "model/quantize/rows.h"
#include "platform/mapping.h"

struct omma_quantize_converter;

/* Called from the calling thread, as source bytes are done. */
typedef void (*omma_quantize_step_fn)(void *user, uint64_t n_source_bytes);

/* Threads and memory for the items of a plan; n_threads as in struct omma_team_options. */
enum omma_status omma_quantize_converter_create(const struct omma_quantize_plan *plan,
                                                size_t n_threads, const struct omma_log *log,
                                                struct omma_quantize_converter **converter,
                                                struct omma_error *error);
void omma_quantize_converter_destroy(struct omma_quantize_converter **converter);

/* Where the bytes of a shard go. */
struct omma_quantize_target {
    const char *path;                    /* for messages */
    int fd;                              /* open for writing */
    const struct omma_mapping *existing; /* not NULL: compare with it, and write nothing */
};

/* One item.  *result gets its sums of errors, *is_equal false if existing bytes are others.
 * OMMA_STATUS_MODEL for a weight to be quantized that is NaN or infinite. */
enum omma_status omma_quantize_convert(struct omma_quantize_converter *converter,
                                       const struct omma_quantize_item *item,
                                       const struct omma_quantize_target *target,
                                       omma_quantize_step_fn step, void *user,
                                       struct omma_quantize_error *result, bool *is_equal,
                                       struct omma_error *error);

#endif
