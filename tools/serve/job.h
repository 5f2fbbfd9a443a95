/*
 * job.h - an answer that is computed, for one request or for several that ask for the same.
 */
#ifndef OMMA_TOOLS_SERVE_JOB_H
#define OMMA_TOOLS_SERVE_JOB_H

#include "tools/chat/chat_in.h"

/* A token of the answer with what the model thought of it. */
struct job_token {
    int32_t id;
    float logprob;
    size_t n_top;
    struct omma_logprob top[OMMA_MAX_TOP_LOGPROBS];
};

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE };

struct job {
    /* made by the intake, then left alone */
    struct omma_tokens prompt;
    struct omma_image **images; /* NULL once they are computed */
    uint8_t (*digests)[32];     /* of the pictures */
    size_t n_images;
    struct omma_stop *stops; /* texts are owned */
    size_t n_stops;
    struct omma_sampling sampling;
    size_t max_tokens;
    bool ignores_stop_ids, has_logprobs;
    size_t n_top_logprobs;
    struct omma_schema *schema; /* NULL: none */
    char *schema_text;
    uint64_t number;

    /* under the server's lock */
    enum job_state state;
    size_t n_holders; /* exchanges, and whoever runs or queues it */
    size_t n_users;   /* exchanges */
    char *text;       /* [n_text] as it came */
    size_t n_text, capacity;
    struct job_token *tokens; /* [n_tokens], if the request wants log-probabilities */
    size_t n_tokens, tokens_capacity;
    size_t shown_begin, shown_end; /* without white space at the ends, as far as is certain */
    enum omma_finish finish;
    struct omma_usage usage;
    struct omma_timings timings;
    struct problem problem;  /* status 0: none */
    double queued_s, done_s; /* when it came, when it was done; by now_s() */
    struct job *next;        /* of those that wait */
    struct job *next_made;   /* of all that are not done */
};

void job_destroy(struct job **job);

/* The pictures are not needed any more. */
void job_close_images(struct job *job);

/* Text that came.  False if memory lacks. */
bool job_add_text(struct job *job, const char *text, size_t n_bytes);

/* A token that came.  False if memory lacks. */
bool job_add_token(struct job *job, const struct omma_event *event);

/* Whether one answer serves both: nothing is drawn at random, and all else is equal. */
bool job_is_same(const struct job *one, const struct job *other);

/* Tokens that both prompts begin with, pictures compared by what they show. */
size_t job_common_prefix(const struct job *one, const struct job *other, int32_t context_id);

#endif
