/*
 * chat_in.h - the body of /v1/chat/completions: messages, pictures, how to sample.
 *
 * What VLMEvalKit, lmdeploy's clients and the openai package send is taken.  Fields that nobody
 * knows here are ignored; those that are known and not supported are refused by name, unless their
 * value asks for nothing.
 */
#ifndef OMMA_TOOLS_CHAT_CHAT_IN_H
#define OMMA_TOOLS_CHAT_CHAT_IN_H

#include "tools/chat/json_in.h"

/* The mark of a picture's place in a user's text. */
#define CHAT_IMAGE_MARK "<IMAGE_TOKEN>"

struct chat_limits {
    size_t max_images;
    size_t max_tokens; /* of an answer; what asks for more gets this */
};

/* A picture as it is asked for. */
struct chat_picture {
    const char *url; /* of the body */
    size_t n_bytes;
    size_t max_tiles; /* 0: not said */
    char param[64];   /* "messages[0].content[1]" */
};

struct chat_in {
    json_t *root; /* owns what points into the body */
    const char *system;
    size_t n_system;
    struct omma_turn *turns; /* texts are owned here, with CHAT_IMAGE_MARK for each picture */
    size_t n_turns;
    struct chat_picture *pictures;
    size_t n_pictures;
    struct omma_sampling sampling; /* without a seed given, a random one */
    struct omma_stop *stops;       /* of the body */
    size_t n_stops;
    size_t max_tokens;
    bool is_streamed, includes_usage;
    bool ignores_stop_ids; /* goes on to max_tokens, for measuring */
    bool has_logprobs;
    size_t n_top_logprobs;
    char *schema;      /* what the answer is held to; NULL: nothing */
    char ignored[256]; /* names of fields that were ignored, with commas */
};

/* Read the object root, which becomes *chat's in any case.  False with *problem; *chat is to be
 * released all the same. */
bool chat_in_read(json_t *root, const struct chat_limits *limits, struct chat_in *chat,
                  struct problem *problem);

/* Its messages alone. */
bool chat_in_read_messages(json_t *root, const struct chat_limits *limits, struct chat_in *chat,
                           struct problem *problem);

void chat_in_release(struct chat_in *chat);

#endif
