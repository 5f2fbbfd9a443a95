/*
 * prompt.h - a row of a suite as VLMEvalKit e8e78f0 asks an InternVL model (V2.0, no other
 * options): vlmeval/vlm/internvl/internvl_chat.py and utils.py.
 *
 * The suite's name decides: multiple choice, a question that wants few words, yes or no; how many
 * tiles a picture may have; whether the first one is doubled, as MMMU's are.
 */
#ifndef OMMA_TOOLS_EVAL_PROMPT_H
#define OMMA_TOOLS_EVAL_PROMPT_H

#include "tools/eval/pictures.h"

/* The place of a picture in a prompt, for struct omma_conversation: "<image>" in a question is
 * text. */
#define SUITE_IMAGE_MARK "\x01<image>\x01"

enum { SUITE_MAX_TOKENS = 4096 }; /* of an answer */

struct suite_rules {
    const char *suite;
    bool has_cot; /* USE_COT=1 */
    const struct table *table;
    const struct pictures *pictures;
    struct omma_image_options image; /* strictness, log; tiles are the suite's */
};

/* OMMA_STATUS_USAGE for a suite that VLMEvalKit asks in a way that is not here. */
enum omma_status suite_rules_check(const struct suite_rules *rules, struct omma_error *error);

struct suite_prompt {
    char *text; /* with SUITE_IMAGE_MARK where pictures stand; a NUL behind it */
    size_t n_bytes;
    struct omma_image **images;
    size_t n_images;
};

/* From any thread.  OMMA_STATUS_PROMPT, OMMA_STATUS_IMAGE and OMMA_STATUS_USAGE say something of
 * the row alone.  VLMEvalKit leaves out rows without a picture; here they are refused. */
enum omma_status suite_prompt_make(const struct suite_rules *rules, const struct table_row *row,
                                   struct suite_prompt *prompt, struct omma_error *error);
void suite_prompt_free(struct suite_prompt *prompt);

/* Most tiles of one among n_images pictures, the thumbnail not counted. */
size_t suite_max_tiles(const char *suite, size_t n_images);

#endif
