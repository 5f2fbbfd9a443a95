/*
 * saved.h - --session: a conversation in a file, with what the model computed of it.
 *
 * The library keeps keys and values; its note is JSON: {"system": ... (if one was given),
 * "images": [{"path": ..., "digest": hex of the tiles' pixels}], "turns": as in a transcript}.
 */
#ifndef OMMA_TOOLS_RUN_SAVED_H
#define OMMA_TOOLS_RUN_SAVED_H

#include "tools/run/chat.h"
#include "tools/text_in.h"

/* Let a new chat go on with the file's conversation; one that is not there is an empty one.  The
 * pictures are opened again and must have the pixels that they had.  *system: its system message,
 * to be freed; bytes stay NULL if it has none. */
enum omma_status saved_load(const char *path, struct chat *chat, struct text *system,
                            struct omma_error *error);

/* Replace the file by the chat's conversation. */
enum omma_status saved_store(const char *path, const struct chat *chat, struct omma_error *error);

#endif
