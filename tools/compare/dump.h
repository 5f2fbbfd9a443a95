/*
 * dump.h - a reference's dump: what the official model code computed for one prompt, stage by
 * stage.
 *
 * A safetensors file with the tensors
 *   ids [n_tokens] I64                the prompt, context tokens included
 *   pixels [n_tiles, 3, 448, 448] F32 normalised tiles; optional
 *   STAGE [n_rows, width] F32         a stage's output; of a thinned one only some rows,
 *   STAGE.rows [n_rows] I64           which are these, ascending
 *   greedy [n_steps] I64              the greedy continuation; optional
 *   greedy.margin [n_steps] F32       logit of the chosen token less the second best
 *   greedy.bf16 [any] I64             the continuation of the reference's own bf16 run; optional
 * and the metadata prompt, images (a JSON list of file names), max_tiles, versions, and for each
 * stage error.bf16.STAGE: the relative L2 error of the reference's own bf16 run.
 *
 * The dump of a quantized model has the metadata quantization, and error.int8.STAGE: the relative
 * L2 distance of its stage to that of the model before it was quantized; and single operators
 * (operators.h).
 */
#ifndef OMMA_COMPARE_DUMP_H
#define OMMA_COMPARE_DUMP_H

#include "api/omma.h"

struct compare_dump {
    struct omma_tensor_file *file;
    const char *path;         /* borrowed */
    const char *prompt;       /* owned by file, as all text of the metadata */
    const char *versions;     /* of the reference's libraries; NULL: not said */
    const char *quantization; /* "int-quantized, W8A8": what the model is; NULL: not quantized */
    char **images;            /* [n_images] file names without folder */
    size_t n_images;
    size_t max_tiles;
    const struct omma_tensor *ids, *greedy, *margin; /* greedy and margin: NULL if absent */
    const struct omma_tensor *greedy_bf16;           /* of the reference's bf16 run; NULL: absent */
};

/* OMMA_STATUS_USAGE for a file that is no such dump, or one of another kind of quantized model. */
enum omma_status compare_dump_open(const char *path, struct compare_dump *dump,
                                   struct omma_error *error);
/* Accepts a dump of all zeroes or one that failed to open. */
void compare_dump_close(struct compare_dump *dump);

/* Element of a tensor of I64 or F32; the data of a tensor file need not be aligned. */
int64_t compare_i64(const struct omma_tensor *tensor, size_t index);
float compare_f32(const struct omma_tensor *tensor, size_t index);

/* Number of elements of the first dimension; 0 for NULL. */
size_t compare_length(const struct omma_tensor *tensor);

#endif
