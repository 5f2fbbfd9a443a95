/* Processes, sockets, and as much of HTTP as tests need. */
#include "support/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

static void run_server(const char *path, const char *const *arguments)
{
    const char *folder = getenv("OMMA_TEST_BUILDDIR");
    char *program = omma_test_join(folder != NULL ? folder : ".", "omma");
    char *demo = omma_test_source("share/omma/demo");
    const char *argv[48] = {"omma", "serve", "-m", demo};
    size_t n = 4;

    argv[n++] = path != NULL ? "--unix" : "--port";
    argv[n++] = path != NULL ? path : "0";
    for (size_t i = 0; arguments[i] != NULL && n < 47; i++) {
        argv[n++] = arguments[i];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no server behind */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    execv(program, (char *const *)argv);
    _exit(127);
}

/* Read what it says until the line "listening on ...". */
static void wait_for_line(struct test_server *server)
{
    size_t n = 0;

    while (strstr(server->said, "listening on ") == NULL ||
           strchr(strstr(server->said, "listening on "), '\n') == NULL) {
        struct pollfd item = {.fd = server->output, .events = POLLIN};
        ssize_t got = -1;
        int ready = n + 1 < sizeof server->said ? poll(&item, 1, TEST_PATIENCE_S * 1000) : 0;

        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready == 1) {
            got = read(server->output, server->said + n, sizeof server->said - 1 - n);
        }
        if (got <= 0) {
            fail_msg("omma serve does not listen: %s", server->said);
        }
        n += (size_t)got;
    }
}

void test_server_start(struct test_server *server, const char *path, const char *const *arguments)
{
    int ends[2];
    const char *colon;

    *server = (struct test_server){0};
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        run_server(path, arguments);
    }
    close(ends[1]);
    server->output = ends[0];
    wait_for_line(server);
    colon = strrchr(strstr(server->said, "listening on "), ':');
    server->port = path == NULL && colon != NULL ? atoi(colon + 1) : 0;
    if (path != NULL) {
        snprintf(server->said, sizeof server->said, "%s", path);
    }
}

int test_server_stop(struct test_server *server, int signal_number)
{
    char bytes[4096];
    int status = 0;
    struct pollfd item = {.fd = server->output, .events = POLLIN};

    kill(server->pid, signal_number);
    while (poll(&item, 1, TEST_PATIENCE_S * 1000) == 1 &&
           read(server->output, bytes, sizeof bytes) > 0) {
        continue;
    }
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    close(server->output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int test_connect(const struct test_server *server)
{
    const struct timeval patience = {.tv_sec = TEST_PATIENCE_S};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    int made = socket(server->port != 0 ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    assert_true(made >= 0);
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (server->port != 0) {
        result = connect(made, (struct sockaddr *)&address, sizeof address);
    } else {
        assert_true(strlen(server->said) < sizeof path.sun_path);
        memcpy(path.sun_path, server->said, strlen(server->said));
        result = connect(made, (struct sockaddr *)&path, sizeof path);
    }
    assert_int_equal(result, 0);
    return made;
}

bool test_send(int connection, const char *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n = send(connection, bytes, n_bytes, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        bytes += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

ssize_t test_read(int connection, void *bytes, size_t n_bytes)
{
    ssize_t n;

    do {
        n = recv(connection, bytes, n_bytes, 0);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Bytes of a connection, growing. */
struct input {
    int connection;
    char *bytes;
    size_t n_bytes, capacity;
    bool has_ended;
};

static bool read_more(struct input *input)
{
    ssize_t got;

    if (input->capacity - input->n_bytes < 4096) {
        input->capacity = 2 * input->capacity + 8192;
        input->bytes = realloc(input->bytes, input->capacity);
        assert_non_null(input->bytes);
    }
    got = test_read(input->connection, input->bytes + input->n_bytes,
                    input->capacity - input->n_bytes - 1);
    input->has_ended = got <= 0;
    input->n_bytes += got > 0 ? (size_t)got : 0;
    input->bytes[input->n_bytes] = '\0';
    return got > 0;
}

/* At least n bytes from `from` on. */
static bool read_until(struct input *input, size_t from, size_t n)
{
    while (input->n_bytes < from + n) {
        if (!read_more(input)) {
            return false;
        }
    }
    return true;
}

/* The offset behind the next "\r\n" from `from` on; 0: none. */
static size_t read_line(struct input *input, size_t from)
{
    for (;;) {
        char *end = input->n_bytes > from
                        ? memmem(input->bytes + from, input->n_bytes - from, "\r\n", 2)
                        : NULL;

        if (end != NULL) {
            return (size_t)(end - input->bytes) + 2;
        }
        if (!read_more(input)) {
            return 0;
        }
    }
}

static void keep(struct test_reply *reply, const char *bytes, size_t n_bytes)
{
    reply->body = realloc(reply->body, reply->n_body + n_bytes + 1);
    assert_non_null(reply->body);
    memcpy(reply->body + reply->n_body, bytes, n_bytes);
    reply->n_body += n_bytes;
    reply->body[reply->n_body] = '\0';
}

static void read_chunks(struct input *input, size_t at, struct test_reply *reply)
{
    for (;;) {
        size_t data = read_line(input, at), n;

        if (data == 0) {
            return;
        }
        n = strtoul(input->bytes + at, NULL, 16);
        if (!read_until(input, data, n + 2)) {
            return;
        }
        keep(reply, input->bytes + data, n);
        at = data + n + 2;
        if (n == 0) {
            reply->is_whole = true;
            return;
        }
    }
}

void test_receive(int connection, bool is_head, struct test_reply *reply)
{
    struct input input = {.connection = connection};
    size_t at = 0, line;
    const char *length;

    *reply = (struct test_reply){0};
    keep(reply, "", 0);
    while ((line = read_line(&input, at)) > at + 2) {
        at = line;
    }
    if (line == 0) {
        reply->head = strdup("");
        free(input.bytes);
        return;
    }
    reply->head = strndup(input.bytes, line);
    assert_non_null(reply->head);
    sscanf(reply->head, "HTTP/1.%*c %d", &reply->status);
    length = strcasestr(reply->head, "\r\nContent-Length:");
    if (is_head) {
        reply->is_whole = true;
    } else if (strcasestr(reply->head, "\r\nTransfer-Encoding: chunked") != NULL) {
        read_chunks(&input, line, reply);
    } else if (length != NULL) {
        size_t n = strtoul(length + 17, NULL, 10);

        reply->is_whole = read_until(&input, line, n);
        keep(reply, input.bytes + line, reply->is_whole ? n : input.n_bytes - line);
    }
    free(input.bytes);
}

void test_reply_release(struct test_reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (struct test_reply){0};
}

static char *request_bytes(const char *method, const char *path, const char *headers,
                           const char *body, size_t *n_bytes)
{
    size_t capacity = strlen(headers) + strlen(path) + (body != NULL ? strlen(body) : 0) + 256;
    char *bytes = malloc(capacity);
    int n;

    assert_non_null(bytes);
    n = snprintf(bytes, capacity, "%s %s HTTP/1.1\r\n%s%s", method, path,
                 strcasestr(headers, "host:") == NULL ? "Host: localhost\r\n" : "", headers);
    if (body != NULL) {
        n += snprintf(bytes + n, capacity - (size_t)n, "Content-Length: %zu\r\n\r\n%s",
                      strlen(body), body);
    } else {
        n += snprintf(bytes + n, capacity - (size_t)n, "\r\n");
    }
    *n_bytes = (size_t)n;
    return bytes;
}

void test_request(const struct test_server *server, const char *method, const char *path,
                  const char *headers, const char *body, struct test_reply *reply)
{
    size_t n_bytes;
    char *bytes = request_bytes(method, path, headers, body, &n_bytes);
    int connection = test_connect(server);

    test_send(connection, bytes, n_bytes); /* what is refused early is not read to its end */
    test_receive(connection, strcmp(method, "HEAD") == 0, reply);
    close(connection);
    free(bytes);
}

char *test_chat_bytes(const char *body, size_t *n_bytes)
{
    return request_bytes("POST", "/v1/chat/completions", "Content-Type: application/json\r\n", body,
                         n_bytes);
}

void test_chat(const struct test_server *server, const char *body, struct test_reply *reply)
{
    test_request(server, "POST", "/v1/chat/completions", "Content-Type: application/json\r\n", body,
                 reply);
}

char *test_data_url(const char *picture)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char head[] = "data:image/png;base64,";
    char *folder = omma_test_source("share/omma/demo/pictures");
    char *path = omma_test_join(folder, picture);
    size_t n_bytes, n = sizeof head - 1;
    unsigned char *bytes = (unsigned char *)omma_test_read(path, &n_bytes);
    char *url = malloc(n + (n_bytes + 2) / 3 * 4 + 1);

    assert_non_null(url);
    memcpy(url, head, n);
    for (size_t i = 0; i < n_bytes; i += 3) {
        unsigned bits = (unsigned)bytes[i] << 16;

        bits |= i + 1 < n_bytes ? (unsigned)bytes[i + 1] << 8 : 0;
        bits |= i + 2 < n_bytes ? bytes[i + 2] : 0;
        url[n++] = letters[bits >> 18];
        url[n++] = letters[bits >> 12 & 63];
        url[n++] = i + 1 < n_bytes ? letters[bits >> 6 & 63] : '=';
        url[n++] = i + 2 < n_bytes ? letters[bits & 63] : '=';
    }
    url[n] = '\0';
    free(bytes);
    free(path);
    free(folder);
    return url;
}

char *test_question(const char *url, const char *text, const char *members)
{
    static const char form[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
        "{\"url\":\"%s\"}},{\"type\":\"text\",\"text\":\"%s\"}]}]%s%s}";
    size_t capacity = sizeof form + strlen(url) + strlen(text) + strlen(members) + 2;
    char *body = malloc(capacity);

    assert_non_null(body);
    snprintf(body, capacity, form, url, text, *members != '\0' ? "," : "", members);
    return body;
}

json_t *test_reply_json(const struct test_reply *reply)
{
    json_t *root = json_loads(reply->body, 0, NULL);

    if (root == NULL) {
        fail_msg("no JSON: %d %s", reply->status, reply->body);
    }
    return root;
}

void test_assert_refused(struct test_reply *reply, int status, const char *code, const char *text)
{
    json_t *root, *error;
    const char *message;

    if (reply->status != status) {
        fail_msg("status %d, expected %d (%s): %s", reply->status, status, text, reply->body);
    }
    root = test_reply_json(reply);
    error = json_object_get(root, "error");
    message = json_string_value(json_object_get(error, "message"));
    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    assert_non_null(json_string_value(json_object_get(error, "type")));
    if (message == NULL || strstr(message, text) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", message, text);
    }
    json_decref(root);
    test_reply_release(reply);
}

void test_assert_healthy(const struct test_server *server)
{
    struct test_reply reply;

    test_request(server, "GET", "/health", "", NULL, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
}

int test_server_set_up(void **state, const char *const *arguments)
{
    struct test_server *server = calloc(1, sizeof *server);

    assert_non_null(server);
    test_server_start(server, NULL, arguments);
    *state = server;
    return 0;
}

int test_server_tear_down(void **state)
{
    int code = test_server_stop(*state, SIGTERM);

    free(*state);
    return code;
}
