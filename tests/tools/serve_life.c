/*
 * omma serve with the demo model under many clients and over its life: full queues, clients that go
 * away, too many connections, keys, a Unix socket, drains.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/server.h"
#include "support/support.h"

/* Takes seconds. */
#define LONG_ANSWER                                                                                \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell me more.\"}],\"temperature\":1,"         \
    "\"seed\":%d,\"max_tokens\":8000,\"ignore_eos\":true%s}"

static int set_up(void **state)
{
    static const char *const arguments[] = {
        "--parallel", "2", "--queue", "2", "--drain", "1", "--max-connections", "12", NULL};

    return test_server_set_up(state, arguments);
}

/* A long answer that streams; returns once the first event came. */
static int start_long(const struct test_server *server, int seed)
{
    char body[512], byte;
    size_t n_bytes;
    char *bytes;
    int connection = test_connect(server);

    snprintf(body, sizeof body, LONG_ANSWER, seed, ",\"stream\":true");
    bytes = test_chat_bytes(body, &n_bytes);
    assert_true(test_send(connection, bytes, n_bytes));
    free(bytes);
    assert_int_equal(test_read(connection, &byte, 1), 1);
    return connection;
}

/* Two are computed, two wait, the fifth is refused; those that go away make room. */
static void test_full_queue(void **state)
{
    const struct test_server *server = *state;
    struct test_reply reply;
    int connections[4];
    char body[512], *bytes;
    size_t n_bytes;

    for (int i = 0; i < 4; i++) {
        if (i < 2) {
            connections[i] = start_long(server, i);
            continue;
        }
        snprintf(body, sizeof body, LONG_ANSWER, i, "");
        bytes = test_chat_bytes(body, &n_bytes);
        connections[i] = test_connect(server);
        assert_true(test_send(connections[i], bytes, n_bytes));
        free(bytes);
    }
    for (int tries = 0;; tries++) { /* until the last one was read */
        test_chat(server, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", &reply);
        if (reply.status == 429 || tries == 1000) {
            break;
        }
        test_reply_release(&reply);
    }
    assert_non_null(strstr(reply.head, "\r\nRetry-After: 1\r\n"));
    test_assert_refused(&reply, 429, "rate_limit_exceeded", "try again");
    test_assert_healthy(server);
    for (int i = 0; i < 4; i++) {
        close(connections[i]);
    }
    for (int tries = 0; tries < 10000; tries++) { /* until the server noticed */
        test_chat(server, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", &reply);
        if (reply.status == 200) {
            break;
        }
        assert_int_equal(reply.status, 429);
        test_reply_release(&reply);
        usleep(10000);
    }
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
}

/* Many connections: those beyond the limit are told so, health goes on. */
static void test_connections(void **state)
{
    const struct test_server *server = *state;
    struct test_reply reply;
    int connections[12];

    for (int i = 0; i < 12; i++) {
        connections[i] = test_connect(server);
    }
    for (int tries = 0; tries < 1000; tries++) { /* until it has taken all of them */
        test_request(server, "GET", "/v1/models", "", NULL, &reply);
        if (reply.status == 503) {
            break;
        }
        test_reply_release(&reply);
        usleep(1000);
    }
    test_assert_refused(&reply, 503, "too_many_connections", "connections");
    test_assert_healthy(server);
    for (int i = 0; i < 12; i++) {
        close(connections[i]);
    }
}

static void test_keys(void **state)
{
    char *folder = omma_test_folder(), *file = omma_test_join(folder, "keys");
    const char *arguments[] = {"--api-key-file", file, "--server-name", "omma.example", "--alias",
                               "InternVL3",      NULL};
    struct test_server server;
    struct test_reply reply;
    static const struct {
        const char *path, *headers;
        int status;
    } cases[] = {
        {"/health", "", 200},
        {"/ready", "", 200},
        {"/v1/models", "", 401},
        {"/none", "", 401},
        {"/v1/models", "Authorization: Bearer first-key\r\n", 200},
        {"/v1/models", "Authorization: Bearer second-key\r\nHost: omma.example:8080\r\n", 200},
        {"/v1/models", "Authorization: Bearer second-key\r\nHost: omma.example.org\r\n", 400},
        {"/v1/models", "Authorization: Basic eDpzZWNvbmQta2V5\r\n", 200}, /* x:second-key */
        {"/v1/models", "Authorization: Basic eDpzZWNvbmQta2V6\r\n", 401},
        {"/v1/models", "Authorization: Bearer first-ke\r\n", 401},
        {"/v1/models", "Authorization: Bearer first-keyy\r\n", 401},
        {"/v1/models", "Authorization: Bearer \r\n", 401},
        {"/v1/models", "Authorization: first-key\r\n", 401},
        {"/none", "Authorization: Bearer first-key\r\n", 404},
    };

    (void)state;
    omma_test_write(file, "first-key\n\nsecond-key\r\n", 23);
    assert_int_equal(chmod(file, 0600), 0);
    test_server_start(&server, NULL, arguments);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_request(&server, "GET", cases[i].path, cases[i].headers, NULL, &reply);
        if (reply.status != cases[i].status) {
            fail_msg("%s %s: status %d, expected %d", cases[i].path, cases[i].headers, reply.status,
                     cases[i].status);
        }
        test_reply_release(&reply);
    }
    assert_int_equal(test_server_stop(&server, SIGINT), 0);
    free(file);
    free(folder);
}

static void test_unix_socket(void **state)
{
    static const char *const none[] = {NULL};
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "socket");
    struct test_server server;
    struct stat stat;

    (void)state;
    for (int i = 0; i < 2; i++) { /* what a server that was killed leaves is no obstacle */
        test_server_start(&server, path, none);
        assert_int_equal(lstat(path, &stat), 0);
        assert_int_equal(stat.st_mode & 0777, 0600);
        test_assert_healthy(&server);
        assert_int_equal(test_server_stop(&server, i == 0 ? SIGKILL : SIGTERM),
                         i == 0 ? 128 + SIGKILL : 0);
    }
    assert_int_equal(lstat(path, &stat), -1);
    free(path);
    free(folder);
}

/* SIGTERM: what runs has so long, then its stream ends with an error; new requests are refused. */
static void test_drain(void **state)
{
    const char *arguments[] = {"--drain", "1", NULL};
    struct test_server server;
    struct test_reply reply;
    char bytes[8192];
    ssize_t n;
    size_t n_kept = 0;
    int connection, other;
    static const char ask[] = "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n";

    (void)state;
    test_server_start(&server, NULL, arguments);
    other = test_connect(&server);
    assert_true(test_send(other, ask, sizeof ask - 1));
    test_receive(other, false, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
    connection = start_long(&server, 1);
    kill(server.pid, SIGTERM);
    for (int tries = 0; tries < 90; tries++) {
        assert_true(test_send(other, ask, sizeof ask - 1));
        test_receive(other, false, &reply);
        if (reply.status == 503) {
            break;
        }
        test_reply_release(&reply);
        usleep(20000); /* a connection takes 100 requests */
    }
    test_assert_refused(&reply, 503, "draining", "stop");
    while ((n = test_read(connection, bytes + n_kept, sizeof bytes - 1 - n_kept)) > 0) {
        n_kept += (size_t)n; /* of what came, the end */
        if (n_kept > sizeof bytes / 2) {
            memmove(bytes, bytes + n_kept - 1024, 1024);
            n_kept = 1024;
        }
        bytes[n_kept] = '\0';
    }
    assert_non_null(strstr(bytes, "\"code\":\"draining\""));
    assert_non_null(strstr(bytes, "[DONE]"));
    close(connection);
    close(other);
    assert_int_equal(test_server_stop(&server, 0), 0);
}

/* A request beyond its time ends with an error, and the server goes on. */
static void test_deadline(void **state)
{
    const char *arguments[] = {"--deadline", "0.05", "--parallel", "1", NULL};
    struct test_server server;
    struct test_reply reply;
    char body[512];

    (void)state;
    test_server_start(&server, NULL, arguments);
    snprintf(body, sizeof body, LONG_ANSWER, 1, "");
    test_chat(&server, body, &reply);
    test_assert_refused(&reply, 503, "deadline", "longer than the 0.05 s");
    test_assert_healthy(&server);
    assert_int_equal(test_server_stop(&server, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_queue), cmocka_unit_test(test_connections),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_drain),      cmocka_unit_test(test_deadline),
    };

    return cmocka_run_group_tests(tests, set_up, test_server_tear_down);
}
