/*
 * plan.h - what omma_model_quantize() writes: every tensor of the -hf layout, where it comes from,
 * and its place in a shard.  The same plan for the same model and options.
 *
 * Files are those of safetensors' own serializer: BF16 tensors first, then I8, each by name; so are
 * the names of shards.  Work goes in the order of the computation, shard by shard.
 */
#ifndef OMMA_MODEL_QUANTIZE_PLAN_H
#define OMMA_MODEL_QUANTIZE_PLAN_H

#include "format/safetensors_writer.h"
#include "model/model.h"
#include "model/names.h"

enum { OMMA_QUANTIZE_SHARD_NAME = 64 };

/* One tensor of the model, which is one of the folder (BF16) or two (I8 and its scales, BF16). */
struct omma_quantize_item {
    struct omma_named_tensor named; /* its name in the folder, and shape */
    const struct omma_checkpoint_tensor *source;
    const char *data;      /* of the source; the parts of a fused matrix begin within */
    enum omma_dtype dtype; /* of the source */
    size_t n_elements;
    size_t group; /* 0: stays; else columns that share a scale, all of them without groups */
    size_t n_rows, n_columns; /* where quantized */
    size_t shard;
    uint64_t offset, scale_offset; /* in the shard's file */
};

struct omma_quantize_shard {
    char name[OMMA_QUANTIZE_SHARD_NAME];
    struct omma_safetensors_writer header; /* complete */
    uint64_t n_bytes;
    size_t first_item, n_items;
};

struct omma_quantize_plan {
    struct omma_quantize_item *items;
    struct omma_quantize_shard *shards;
    size_t n_items, n_shards;
    uint64_t n_source_bytes, n_bytes; /* read, written */
    uint64_t n_parameters;
    bool has_head; /* else the embedding is the head */
};

/* OMMA_STATUS_MODEL for a tensor that is not BF16, F16 or F32; OMMA_STATUS_USAGE for options out of
 * their range. */
enum omma_status omma_quantize_plan_make(const struct omma_model *model,
                                         const struct omma_quantize_options *options,
                                         struct omma_quantize_plan *plan, struct omma_error *error);
void omma_quantize_plan_free(struct omma_quantize_plan *plan);

/* Whether an item is the weight of a linear, quantized or not; lm_head is none here. */
bool omma_quantize_is_linear(const struct omma_quantize_item *item);

/* "NAME_scale" */
void omma_quantize_scale_name(const struct omma_quantize_item *item,
                              char name[OMMA_NAME_BYTES + 8]);

/* model.safetensors.index.json, to be freed; NULL if memory is short. */
char *omma_quantize_plan_index(const struct omma_quantize_plan *plan);

#endif
