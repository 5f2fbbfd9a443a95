/*
 * omma serve under abuse, with the demo model: requests that are wrong in every way, clients that
 * leave, clients that hardly read, a full queue, and the end under load.  It must not fall, every
 * request must get a documented status or its connection's end, memory must not grow, and /health
 * must answer at once.
 *
 * OMMA_ABUSE is the number of wrong requests (1000); all else is in proportion.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/server.h"
#include "support/support.h"

#define QUESTION "How many shapes are there?"
#define LONG_ANSWER                                                                                \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell me more.\"}],\"temperature\":1,"         \
    "\"seed\":%d,\"max_tokens\":%d,\"ignore_eos\":true%s}"

struct world {
    struct test_server server;
    char *url;
    size_t n; /* wrong requests */
    uint64_t random;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static size_t below(struct world *world, size_t n)
{
    return (size_t)(omma_test_random(&world->random) % n);
}

static int set_up(void **state)
{
    static const char *const arguments[] = {"--parallel",        "4",   "--queue",    "16",
                                            "--drain",           "2",   "--max-body", "2000000",
                                            "--max-connections", "300", NULL};
    struct world *world = calloc(1, sizeof *world);
    const char *n = getenv("OMMA_ABUSE");

    assert_non_null(world);
    world->n = n != NULL ? strtoul(n, NULL, 10) : 1000;
    world->random = 1;
    world->url = test_data_url("shapes.png");
    test_server_start(&world->server, NULL, arguments);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    int code = test_server_stop(&world->server, SIGTERM);

    free(world->url);
    free(world);
    return code;
}

/* Anonymous memory of the server, kB. */
static long memory_of(const struct world *world)
{
    char path[64], line[128];
    long kb = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)world->server.pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        sscanf(line, "RssAnon: %ld", &kb);
    }
    fclose(file);
    return kb;
}

/* Seconds that /health took. */
static double health(const struct world *world)
{
    struct test_reply reply;
    double begin = now();

    test_request(&world->server, "GET", "/health", "", NULL, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
    return now() - begin;
}

/* ---------------------------------------------------------------------------------------------
 * Wrong requests
 * ------------------------------------------------------------------------------------------ */

/* A body that was right, with something put in place of something. */
static char *replace(const char *body, const char *what, const char *with)
{
    const char *found = strstr(body, what);
    char *made = malloc(strlen(body) + strlen(with) + 1);

    assert_non_null(made);
    assert_non_null(found);
    sprintf(made, "%.*s%s%s", (int)(found - body), body, with, found + strlen(what));
    return made;
}

static char *wrong_body(struct world *world, const char *body)
{
    static const struct {
        const char *what, *with;
    } changes[] = {
        {"\"user\"", "5"},
        {"\"user\"", "\"\\ud800\""},
        {"\"messages\"", "\"message\""},
        {":[{\"role\"", ":[[{\"role\""},
        {"0.5", "1e400"},
        {"0.5", "-1"},
        {"0.5", "99999999999999999999999999"},
        {"0.5", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]"},
        {"0.5", "{\"a\":1,\"a\":2}"},
        {"16", "0"},
        {"16", "true"},
        {"16", "1e17"},
        {";base64,", ";base64,=="},
        {";base64,", ";base64"},
        {"iVBORw0KGgo", "iVBORw0KGgp"}, /* the mark of PNG */
        {"SUhEUg", "SUhEUh"},           /* its first chunk's name */
        {"AAANSUhEUg", "//9SUhEUg///"}, /* and length */
        {"SUhEUgAA", "SUhEUv//"},       /* its width */
        {"data:", "http:"},
        {"data:", "file:///etc/"},
        {"image_url\"", "image_uri\""},
    };
    size_t i = below(world, sizeof changes / sizeof *changes + 2);
    char *made;

    if (i < sizeof changes / sizeof *changes) {
        return replace(body, changes[i].what, changes[i].with);
    }
    made = strdup(body);
    assert_non_null(made);
    for (size_t k = 0; k < 3; k++) { /* bytes at random */
        made[below(world, strlen(made))] = (char)(1 + below(world, 255));
    }
    return made;
}

static bool is_documented(int status)
{
    static const int statuses[] = {200, 400, 401, 404, 405, 408, 411, 413, 414, 415, 429, 431, 503};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (status == statuses[i]) {
            return true;
        }
    }
    return false;
}

/* A request whose body is wrong, cut, or whose head is. */
static int ask_wrongly(struct world *world, const char *body)
{
    char *wrong = wrong_body(world, body);
    size_t n_bytes, n;
    char *bytes = test_chat_bytes(wrong, &n_bytes);
    int connection = test_connect(&world->server), status;
    struct test_reply reply;
    size_t kind = below(world, 8);

    n = n_bytes;
    if (kind == 0) { /* cut */
        n = 1 + below(world, n_bytes - 1);
    } else if (kind == 1) { /* a byte of the head */
        bytes[below(world, 100)] = (char)(1 + below(world, 255));
    }
    test_send(connection, bytes, n);
    if (kind <= 1) {
        shutdown(connection, SHUT_WR); /* it waits for more otherwise, as it should */
    }
    test_receive(connection, false, &reply);
    status = reply.status;
    if (status == 0 ? kind > 1 : !is_documented(status)) {
        fail_msg("kind %zu: status %d %s", kind, status, reply.body);
    }
    test_reply_release(&reply);
    close(connection);
    free(bytes);
    free(wrong);
    return status;
}

static void test_wrong_requests(void **state)
{
    struct world *world = *state;
    char *body =
        test_question(world->url, QUESTION, "\"temperature\":0.5,\"max_tokens\":16,\"seed\":1");
    size_t counts[600] = {0};

    for (size_t i = 0; i < world->n; i++) {
        counts[ask_wrongly(world, body)]++;
    }
    printf("%zu wrong requests:", world->n);
    for (int status = 0; status < 600; status++) {
        if (counts[status] > 0) {
            printf(" %d: %zu", status, counts[status]);
        }
    }
    printf("\n");
    free(body);
    health(world);
}

/* ---------------------------------------------------------------------------------------------
 * Clients that leave, and those that hardly read
 * ------------------------------------------------------------------------------------------ */

static int start(const struct world *world, const char *body)
{
    size_t n_bytes;
    char *bytes = test_chat_bytes(body, &n_bytes);
    int connection = test_connect(&world->server);

    test_send(connection, bytes, n_bytes);
    free(bytes);
    return connection;
}

static void wait_until_idle(const struct world *world)
{
    double end = now() + TEST_PATIENCE_S;
    bool is_idle = false;

    while (!is_idle && now() < end) {
        struct test_reply reply;

        test_request(&world->server, "GET", "/metrics", "", NULL, &reply);
        is_idle = strstr(reply.body, "\nomma_requests_in_flight 0\n") != NULL &&
                  strstr(reply.body, "\nomma_active_requests 0\n") != NULL;
        test_reply_release(&reply);
        usleep(20000);
    }
    assert_true(is_idle);
}

static void test_leaving_clients(void **state)
{
    struct world *world = *state;
    size_t n = world->n / 5;
    char body[512];
    double slowest = 0;

    for (size_t i = 0; i < n; i += 10) {
        int connections[10];

        for (int k = 0; k < 10; k++) {
            snprintf(body, sizeof body, LONG_ANSWER, (int)i + k, 2000,
                     k % 2 == 0 ? ",\"stream\":true" : "");
            connections[k] = start(world, body);
        }
        for (int k = 0; k < 10; k++) {
            double took = health(world);

            slowest = took > slowest ? took : slowest;
            usleep((useconds_t)below(world, 20000));
            close(connections[k]);
        }
    }
    wait_until_idle(world);
    printf("%zu clients left; /health took %.1f ms at most meanwhile\n", n, 1e3 * slowest);
    assert_true(slowest < 0.05);
}

static void test_slow_readers(void **state)
{
    struct world *world = *state;
    int n = world->n >= 1000 ? 50 : 10, connections[50];
    struct test_reply reply;
    char body[512], byte;
    double slowest = 0;
    size_t n_answers = 0;

    for (int i = 0; i < n; i++) {
        const int small = 2048;

        snprintf(body, sizeof body, LONG_ANSWER, i, 500, ",\"stream\":true");
        connections[i] = start(world, body);
        setsockopt(connections[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        if (i % 16 == 15) {
            wait_until_idle(world); /* 20 at a time are taken */
        }
    }
    for (int second = 0; second < 12; second++) { /* a byte in each */
        double asked = now();

        for (int i = 0; i < n; i++) {
            recv(connections[i], &byte, 1, MSG_DONTWAIT);
        }
        test_chat(&world->server, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                  &reply);
        assert_true(reply.status == 200 || reply.status == 429);
        n_answers += reply.status == 200;
        test_reply_release(&reply);
        slowest = now() - asked > slowest ? now() - asked : slowest;
        sleep(1);
    }
    printf("%d slow readers; %zu answers to others meanwhile, the slowest in %.2f s\n", n,
           n_answers, slowest);
    assert_true(n_answers >= 5);
    for (int i = 0; i < n; i++) {
        close(connections[i]);
    }
    wait_until_idle(world);
}

/* ---------------------------------------------------------------------------------------------
 * Deadlines, a full queue, memory, the end
 * ------------------------------------------------------------------------------------------ */

/* Heads that do not come in time are told so; a server that stood still tells nobody. */
static void test_deadlines(void **state)
{
    static const char begin[] = "GET /health HTTP/1.1\r\nHost: local", end[] = "host\r\n\r\n";
    struct world *world = *state;
    struct test_reply reply;
    int connection = test_connect(&world->server);
    double started = now();

    test_send(connection, begin, sizeof begin - 1);
    test_receive(connection, false, &reply);
    printf("408 after %.1f s\n", now() - started);
    assert_int_equal(reply.status, 408);
    assert_true(now() - started > 9 && now() - started < 12);
    test_reply_release(&reply);
    close(connection);

    connection = test_connect(&world->server);
    test_send(connection, begin, sizeof begin - 1);
    usleep(500000);
    kill(world->server.pid, SIGSTOP);
    sleep(12);
    kill(world->server.pid, SIGCONT);
    sleep(1);
    test_send(connection, end, sizeof end - 1);
    test_receive(connection, false, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
    close(connection);
}

static void test_full_queue(void **state)
{
    struct world *world = *state;
    int connections[20];
    struct test_reply reply;
    char body[512];
    double asked, slowest = 0;

    for (int i = 0; i < 20; i++) {
        snprintf(body, sizeof body, LONG_ANSWER, i, 8000, "");
        connections[i] = start(world, body);
    }
    usleep(300000);
    for (int i = 0; i < 20; i++) {
        asked = now();
        test_chat(&world->server, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                  &reply);
        assert_int_equal(reply.status, 429);
        test_reply_release(&reply);
        slowest = now() - asked > slowest ? now() - asked : slowest;
    }
    printf("429 within %.1f ms\n", 1e3 * slowest);
    assert_true(slowest < 0.1);
    for (int i = 0; i < 20; i++) {
        close(connections[i]);
    }
    wait_until_idle(world);
}

static void test_memory(void **state)
{
    struct world *world = *state;
    char *body = test_question(world->url, QUESTION, "\"max_tokens\":2");
    size_t n = world->n >= 1000 ? 10 * world->n : 3000;
    long first = 0, last;

    for (size_t i = 0; i < n; i++) {
        struct test_reply reply;

        if (i == 1000) {
            first = memory_of(world);
        }
        test_chat(&world->server,
                  i % 10 == 0 ? body
                              : "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                                "\"max_tokens\":2}",
                  &reply);
        assert_int_equal(reply.status, 200);
        test_reply_release(&reply);
    }
    last = memory_of(world);
    printf("anonymous memory: %ld kB after 1000 requests, %ld kB after %zu\n", first, last, n);
    assert_true((double)last <= 1.05 * (double)first);
    free(body);
}

/* SIGTERM while twenty are asked: each gets an answer, or hears that the server stops. */
static void test_end_under_load(void **state)
{
    struct test_server server;
    static const char *const arguments[] = {"--parallel", "4", "--queue", "16",
                                            "--drain",    "4", NULL};
    struct world world = {.n = 0};
    int connections[20];
    char body[512];
    size_t n_answered = 0, n_stopped = 0;

    (void)state;
    test_server_start(&server, NULL, arguments);
    world.server = server;
    for (int i = 0; i < 20; i++) {
        snprintf(body, sizeof body, LONG_ANSWER, i, i < 4 ? 1000 : 8000, "");
        connections[i] = start(&world, body);
        usleep(i < 4 ? 20000 : 0); /* the short ones are the first */
    }
    usleep(500000);
    kill(server.pid, SIGTERM);
    for (int i = 0; i < 20; i++) {
        struct test_reply reply;

        test_receive(connections[i], false, &reply);
        if (reply.status != 200 && reply.status != 503) {
            fail_msg("status %d: %s", reply.status, reply.body);
        }
        n_answered += reply.status == 200;
        n_stopped += reply.status == 503;
        test_reply_release(&reply);
        close(connections[i]);
    }
    printf("SIGTERM under load: %zu answered, %zu told that the server stops\n", n_answered,
           n_stopped);
    assert_true(n_answered >= 1 && n_stopped >= 4);
    assert_int_equal(test_server_stop(&server, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_requests), cmocka_unit_test(test_leaving_clients),
        cmocka_unit_test(test_slow_readers),   cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_full_queue),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_end_under_load),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
