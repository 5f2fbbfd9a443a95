/*
 * transcript.h - a conversation as a JSON file: texts and the paths of the pictures.
 */
#ifndef OMMA_TOOLS_RUN_TRANSCRIPT_H
#define OMMA_TOOLS_RUN_TRANSCRIPT_H

#include <jansson.h>

#include "tools/run/conversation.h"
#include "tools/run/pictures.h"

/* {"model": folder, "identity": ..., "system": ... (if one was given), "images": [paths],
 *  "turns": [{"role": "user", "text": ...}, ...]}; <image> in texts is the place of the next
 * picture. system: NULL if none was given.  An existing file is refused. */
enum omma_status transcript_save(const char *path, const struct omma_model_info *model,
                                 const char *system, size_t n_system_bytes,
                                 const struct conversation *conversation,
                                 const struct pictures *pictures, struct omma_error *error);

/* The turns alone; NULL if memory lacks. */
json_t *transcript_turns(const struct conversation *conversation);

#endif
