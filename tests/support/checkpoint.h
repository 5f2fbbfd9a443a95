/*
 * checkpoint.h - checkpoints of a few hundred kilobytes, made in the test: every tensor of a small
 * model and its config, to be bent and written to a folder.
 *
 * Names and shapes stand in a table of their own, not the library's, so that the two check each
 * other.
 */
#ifndef OMMA_TESTS_CHECKPOINT_H
#define OMMA_TESTS_CHECKPOINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OMMA_TEST_MAX_TENSORS = 160 };

struct omma_test_tensor {
    char name[160];
    char dtype[8]; /* the file's word */
    size_t n_dimensions, shape[8];
    uint8_t *data; /* from malloc() */
    size_t n_bytes;
};

struct omma_test_checkpoint {
    struct omma_test_tensor tensors[OMMA_TEST_MAX_TENSORS];
    size_t n_tensors;
    json_t *config;
};

enum omma_test_tower { OMMA_TEST_300M, OMMA_TEST_6B };
enum omma_test_hf { OMMA_TEST_HF_PUBLISHED, OMMA_TEST_HF_NEWER }; /* prefixes: spec 2.2 */

/* A model in the original layout: two vision layers of width 16, two language layers of width 24,
 * 640 rows of embedding, values that bf16, f16 and f32 all hold. */
void omma_test_checkpoint_init(struct omma_test_checkpoint *checkpoint, enum omma_test_tower tower);
void omma_test_checkpoint_free(struct omma_test_checkpoint *checkpoint);

/* Fails the test if there is none of that name. */
struct omma_test_tensor *omma_test_checkpoint_find(struct omma_test_checkpoint *checkpoint,
                                                   const char *name);
void omma_test_checkpoint_remove(struct omma_test_checkpoint *checkpoint, const char *name);
struct omma_test_tensor *omma_test_checkpoint_add(struct omma_test_checkpoint *checkpoint,
                                                  const char *name, size_t n_dimensions,
                                                  const size_t *shape);
void omma_test_tensor_reshape(struct omma_test_tensor *tensor, size_t n_dimensions,
                              const size_t *shape);

/* The same values in "BF16", "F16" or "F32". */
void omma_test_tensor_convert(struct omma_test_tensor *tensor, const char *dtype);

/* Rename everything, split the fused matrices, and write the config anew. */
void omma_test_checkpoint_to_hf(struct omma_test_checkpoint *checkpoint, enum omma_test_hf form);

/* Write weights, config.json and a tokenizer (the demo model's) into a folder. */
void omma_test_checkpoint_write(const struct omma_test_checkpoint *checkpoint, const char *dir,
                                size_t n_shards);

/* The file name of one shard. */
void omma_test_shard_name(size_t shard, size_t n_shards, char name[40]);

/* A raw safetensors file: length, header, n_data bytes that count up. */
void omma_test_write_safetensors(const char *path, const char *header, size_t n_header,
                                 size_t n_data);

#endif
