/*
 * server.h - `omma serve` as a child process, and a small client of HTTP/1.1 to talk to it.
 */
#ifndef OMMA_TESTS_SERVER_H
#define OMMA_TESTS_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { TEST_PATIENCE_S = 120 }; /* for sanitizers on a loaded machine; what passes never waits so */

struct test_server {
    pid_t pid;
    int output;     /* its standard output and error */
    int port;       /* 0: a Unix socket */
    char said[512]; /* the line that tells where it listens, and what came before */
};

/* Start with the demo model, --port 0 and arguments, NULL at the end, and wait until it listens;
 * with `path` on that Unix socket instead.  Fails the test if it does not. */
void test_server_start(struct test_server *server, const char *path, const char *const *arguments);

/* Send the signal, wait for the end, and return the exit code; output read until then is dropped.
 */
int test_server_stop(struct test_server *server, int signal_number);

/* What a group of tests begins and ends with, for cmocka: *state is a server that was started with
 * these arguments; it must end with 0 when it is asked to. */
int test_server_set_up(void **state, const char *const *arguments);
int test_server_tear_down(void **state);

struct test_reply {
    int status; /* 0: the connection ended without one */
    char *head; /* status line and headers, a NUL behind them */
    char *body; /* chunks joined, a NUL behind them */
    size_t n_body;
    bool is_whole; /* the body ended as it should */
};

/* A connection to the server; fails the test if there is none. */
int test_connect(const struct test_server *server);
/* False if the other end is closed. */
bool test_send(int connection, const char *bytes, size_t n_bytes);
/* recv(2) that goes on when the process was stopped meanwhile (signal(7): EINTR with SO_RCVTIMEO).
 */
ssize_t test_read(int connection, void *bytes, size_t n_bytes);
/* The next reply; is_head: it has no body. */
void test_receive(int connection, bool is_head, struct test_reply *reply);
void test_reply_release(struct test_reply *reply);

/* One request on a connection of its own; headers: further lines, each ended by "\r\n", or "". body
 * may be NULL. */
void test_request(const struct test_server *server, const char *method, const char *path,
                  const char *headers, const char *body, struct test_reply *reply);

/* The body as JSON, to be released; fails the test if it is none. */
json_t *test_reply_json(const struct test_reply *reply);

/* An error of the OpenAI API with this status, whose message has the text; code NULL: none.  The
 * reply is released. */
void test_assert_refused(struct test_reply *reply, int status, const char *code, const char *text);

/* GET /health answers 200. */
void test_assert_healthy(const struct test_server *server);

/* POST /v1/chat/completions with this body. */
void test_chat(const struct test_server *server, const char *body, struct test_reply *reply);
/* The bytes of such a request, to be freed. */
char *test_chat_bytes(const char *body, size_t *n_bytes);

/* A file of the demo's pictures as "data:image/png;base64,...", to be freed. */
char *test_data_url(const char *picture);

/* A user's message of a picture and a text, with more members ("\"stream\":true", or ""), to be
 * freed. */
char *test_question(const char *url, const char *text, const char *members);

#endif
