/*
 * asking.h - a model, a picture, an engine, a session, and what a request on them gave; each
 * function fails the test if it cannot.
 */
#ifndef OMMA_TESTS_SUPPORT_ASKING_H
#define OMMA_TESTS_SUPPORT_ASKING_H

#include "api/omma.h"

/* To be closed by the caller; omma_test_open_demo() is the model that the program ships. */
struct omma_model *omma_test_open_model(const char *dir);
struct omma_model *omma_test_open_demo(void);

/* NAME of the demo's pictures ("tall.png"), cut into tiles as the options say; to be closed. */
struct omma_image *omma_test_open_picture(const char *name,
                                          const struct omma_image_options *options);

/* To be destroyed by the caller; options may be NULL. */
struct omma_engine *omma_test_make_engine(struct omma_model *model,
                                          const struct omma_engine_options *options);
struct omma_session *omma_test_make_session(struct omma_engine *engine,
                                            const struct omma_session_options *options);

/* What groups of tests begin and end with, for cmocka: *state is the demo model, or it and a
 * picture of up to four tiles. */
struct omma_test_world {
    struct omma_model *model;
    struct omma_image *image; /* "tall.png", three tiles */
};

int omma_test_set_up_demo(void **state);
int omma_test_tear_down_demo(void **state);
int omma_test_set_up_world(void **state);
int omma_test_tear_down_world(void **state);

enum { OMMA_TEST_MAX_TOKENS = 2048 };

/* What a request gave; of longer answers the first tokens and bytes, n_tokens counts all. */
struct omma_test_answer {
    char text[4096];
    size_t n_bytes;
    int32_t ids[OMMA_TEST_MAX_TOKENS];
    float margins[OMMA_TEST_MAX_TOKENS];
    size_t n_tokens, n_events;
    size_t n_tiles, n_prefilled, n_chunks; /* as progress told */
    struct omma_event done;
    enum omma_status status;
    struct omma_error error;
};

/* Take the events that are left, until the last one. */
void omma_test_collect(struct omma_session *session, struct omma_test_answer *answer);

/* Submit and collect; the tokens must be as many as the last event says. */
void omma_test_ask(struct omma_session *session, const struct omma_request *request,
                   struct omma_test_answer *answer);

#endif
