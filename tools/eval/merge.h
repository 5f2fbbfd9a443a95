/*
 * merge.h - the shards of a run, put together as one.
 *
 * Shard I of N holds rows I-1, I-1+N, ... of the run, in their order.  What its manifest says must
 * be what the others' say, but for the members "shard" (its number, of how many) and "run" (where,
 * when and with how many threads).
 */
#ifndef OMMA_TOOLS_EVAL_MERGE_H
#define OMMA_TOOLS_EVAL_MERGE_H

#include "tools/eval/run_folder.h"

/* Write manifest.json and the file of predictions into folder, which is made.  OMMA_STATUS_USAGE,
 * with what differs, if a shard is missing, there twice or of another run, lacks rows, or a row is
 * there twice; nothing is written then. */
enum omma_status merge_runs(const struct run_folder *runs, size_t n_runs, const char *folder,
                            struct omma_error *error);

#endif
