/*
 * omma-judge against omma serve, and against a server that refuses, lies and stalls as it is told.
 *
 * What a question says decides what the scripted server does with it: "429", "500", "garbage",
 * "empty" do so on the first try, "always 500" on each, "401", "slow" and "moved" say themselves.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/server.h"
#include "support/support.h"

enum { MAX_QUESTIONS = 16, MAX_HELD = 16, MAX_ARGUMENTS = 24 };

/* A question that has come, by its text. */
struct seen {
    char text[64];
    int n_times;
};

struct script {
    int listening, stop[2];
    int port;
    pthread_t thread;
    struct seen seen[MAX_QUESTIONS];
    int n_seen, held[MAX_HELD], n_held;
    char last_head[2048];
};

static int times_seen(struct script *script, const char *text)
{
    int i = 0;

    while (i < script->n_seen && strcmp(script->seen[i].text, text) != 0) {
        i++;
    }
    assert_true(i < MAX_QUESTIONS);
    if (i == script->n_seen) {
        snprintf(script->seen[i].text, sizeof script->seen[i].text, "%s", text);
        script->n_seen++;
    }
    return ++script->seen[i].n_times;
}

static void say(int connection, const char *status, const char *headers, const char *body)
{
    char reply[1024];
    int n = snprintf(reply, sizeof reply,
                     "HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     headers, strlen(body), body);

    test_send(connection, reply, (size_t)n);
    close(connection);
}

static void answer(struct script *script, int connection, const char *text)
{
    int n = times_seen(script, text);
    char body[256];

    if (strcmp(text, "401") == 0) {
        say(connection, "401 Unauthorized", "", "{\"error\":{\"message\":\"no such key\"}}");
    } else if (strcmp(text, "moved") == 0) {
        say(connection, "302 Found", "Location: http://127.0.0.1:1/\r\n", "");
    } else if (strcmp(text, "slow") == 0) {
        assert_true(script->n_held < MAX_HELD);
        script->held[script->n_held++] = connection;
    } else if (strcmp(text, "always 500") == 0 || (n == 1 && strcmp(text, "500") == 0)) {
        say(connection, "500 Internal Server Error", "", "out of order");
    } else if (n == 1 && strcmp(text, "429") == 0) {
        say(connection, "429 Too Many Requests", "Retry-After: 1\r\n", "");
    } else if (n == 1 && strcmp(text, "garbage") == 0) {
        say(connection, "200 OK", "", "{\"choices\": [{\"mess");
    } else if (n == 1 && strcmp(text, "empty") == 0) {
        say(connection, "200 OK", "", "{\"choices\":[{\"message\":{\"content\":\" \\n\"}}]}");
    } else {
        snprintf(body, sizeof body, "{\"choices\":[{\"message\":{\"content\":\" re: %s\\n\"}}]}",
                 text);
        say(connection, "200 OK", "", body);
    }
}

/* One request; its question is the text of the one message. */
static void serve_one(struct script *script, int connection)
{
    char bytes[8192];
    size_t n = 0, n_body = 0;
    const char *body = NULL, *length;
    json_t *request, *message;

    while (body == NULL || n < (size_t)(body - bytes) + n_body) {
        ssize_t got = test_read(connection, bytes + n, sizeof bytes - 1 - n);

        if (got <= 0) {
            close(connection);
            return;
        }
        n += (size_t)got;
        bytes[n] = '\0';
        body = strstr(bytes, "\r\n\r\n");
        if (body != NULL) {
            body += 4;
            length = strstr(bytes, "Content-Length: ");
            n_body = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
        }
    }
    snprintf(script->last_head, sizeof script->last_head, "%.*s", (int)(body - bytes), bytes);
    request = json_loadb(body, n_body, 0, NULL);
    message = json_array_get(json_object_get(request, "messages"), 0);
    assert_non_null(json_object_get(message, "content"));
    assert_null(json_object_get(request, "id"));
    answer(script, connection, json_string_value(json_object_get(message, "content")));
    json_decref(request);
}

static void *serve(void *user)
{
    struct script *script = user;
    struct pollfd items[2] = {{.fd = script->listening, .events = POLLIN},
                              {.fd = script->stop[0], .events = POLLIN}};

    while (poll(items, 2, -1) > 0 && items[1].revents == 0) {
        int connection = accept4(script->listening, NULL, NULL, SOCK_CLOEXEC);

        if (connection >= 0) {
            serve_one(script, connection);
        }
    }
    return NULL;
}

static int set_up(void **state)
{
    struct script *script = calloc(1, sizeof *script);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;

    assert_non_null(script);
    script->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(script->listening, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(script->listening, 64), 0);
    assert_int_equal(getsockname(script->listening, (struct sockaddr *)&address, &n), 0);
    script->port = ntohs(address.sin_port);
    assert_int_equal(pipe2(script->stop, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&script->thread, NULL, serve, script), 0);
    *state = script;
    return 0;
}

static int tear_down(void **state)
{
    struct script *script = *state;

    assert_int_equal(write(script->stop[1], "", 1), 1);
    pthread_join(script->thread, NULL);
    for (int i = 0; i < script->n_held; i++) {
        close(script->held[i]);
    }
    close(script->listening);
    close(script->stop[0]);
    close(script->stop[1]);
    free(script);
    return 0;
}

static void run_judge(int port, const char *const *arguments, int input, int output)
{
    char *program = omma_test_join(getenv("OMMA_TEST_BUILDDIR"), "omma-judge"), url[64];
    const char *argv[MAX_ARGUMENTS] = {"omma-judge", "--url", url};
    size_t n = 3;

    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/", port);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        argv[n++] = arguments[i];
    }
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execv(program, (char *const *)argv);
    _exit(127);
}

/* Run it on the input to its end; its answers by id. */
static json_t *ask(int port, const char *const *arguments, const char *input)
{
    int in[2], out[2], status;
    json_t *answers = json_object(), *line;
    FILE *stream;
    pid_t pid;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run_judge(port, arguments, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    assert_int_equal(write(in[1], input, strlen(input)), strlen(input));
    close(in[1]);
    stream = fdopen(out[0], "r");
    assert_non_null(stream);
    while ((line = json_loadf(stream, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        const char *id = json_string_value(json_object_get(line, "id"));

        assert_null(json_object_get(answers, id != NULL ? id : "null"));
        json_object_set_new(answers, id != NULL ? id : "null", line);
    }
    fclose(stream);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return answers;
}

#define LINE(text)                                                                                 \
    "{\"id\": \"" text                                                                             \
    "\", \"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"" text "\"}]}\n"

static const char *member(const json_t *answers, const char *id, const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(answers, id), name));

    if (text == NULL) {
        char *found = json_dumps(answers, JSON_INDENT(2));

        fail_msg("%s has no %s in %s", id, name, found);
    }
    return text;
}

static json_int_t number(const json_t *answers, const char *id, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(answers, id), name));
}

static void what_fails_once_is_asked_again(void **state)
{
    static const char *const arguments[] = {"--pause", "0", NULL};
    static const char *const once[] = {"429", "500", "garbage", "empty"};
    struct script *script = *state;
    json_t *answers = ask(script->port, arguments,
                          LINE("429") LINE("500") LINE("garbage") LINE("empty") LINE("easy"));

    for (size_t i = 0; i < 4; i++) {
        char expected[64];

        snprintf(expected, sizeof expected, "re: %s", once[i]);
        assert_string_equal(member(answers, once[i], "text"), expected);
        assert_int_equal(number(answers, once[i], "tries"), 2);
    }
    assert_string_equal(member(answers, "easy", "text"), "re: easy");
    assert_int_equal(number(answers, "easy", "tries"), 1);
    assert_int_equal(json_object_size(answers), 5);
    assert_non_null(strstr(script->last_head, "POST /v1/chat/completions HTTP/1.1\r\n"));
    json_decref(answers);
}

static void what_keeps_failing_is_an_error_of_that_line(void **state)
{
    static const char *const arguments[] = {"--pause", "0", "--tries", "3", "--timeout", "1", NULL};
    struct script *script = *state;
    json_t *answers = ask(script->port, arguments,
                          LINE("always 500") LINE("401") LINE("moved") LINE("slow")
                              LINE("easy") "{\"id\": \"bare\"}\n"
                                           "{\"id\": \n");

    assert_string_equal(member(answers, "always 500", "error"),
                        "HTTP 500: no answer in \"out of order\"");
    assert_int_equal(number(answers, "always 500", "tries"), 3);
    assert_int_equal(number(answers, "always 500", "status"), 500);
    assert_string_equal(member(answers, "401", "error"), "HTTP 401: no such key");
    assert_int_equal(number(answers, "401", "tries"), 1);
    assert_int_equal(number(answers, "moved", "status"), 302);
    assert_non_null(strstr(member(answers, "slow", "error"), "timed out"));
    assert_int_equal(number(answers, "slow", "tries"), 3);
    assert_string_equal(member(answers, "easy", "text"), "re: easy");
    assert_string_equal(member(answers, "bare", "error"), "messages: expected an array");
    assert_int_equal(json_object_size(answers), 7); /* one of them for the line that is no JSON */
    json_decref(answers);
}

static void many_wait_while_few_are_asked(void **state)
{
    static const char *const arguments[] = {"-j", "2", NULL};
    struct script *script = *state;
    char input[16384], id[16];
    size_t n = 0;
    json_t *answers;

    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(input + n, sizeof input - n,
                              "{\"id\": \"%d\", \"messages\": [{\"content\": \"same\"}]}\n", i);
    }
    input[n - 1] = '\0'; /* the last line has no end */
    answers = ask(script->port, arguments, input);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_string_equal(member(answers, id, "text"), "re: same");
    }
    json_decref(answers);
}

static void the_key_comes_from_the_environment_or_a_file(void **state)
{
    static const char *const none[] = {NULL};
    struct script *script = *state;
    char path[] = "/tmp/omma-judge-key-XXXXXX";
    const char *const arguments[] = {"--key-file", path, NULL};
    int descriptor = mkstemp(path);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "sk-file\n", 8), 8);
    close(descriptor);
    unsetenv("OMMA_JUDGE_KEY");
    json_decref(ask(script->port, none, LINE("easy")));
    assert_null(strstr(script->last_head, "Authorization"));
    setenv("OMMA_JUDGE_KEY", "sk-environment", 1);
    json_decref(ask(script->port, none, LINE("easy")));
    assert_non_null(strstr(script->last_head, "\r\nAuthorization: Bearer sk-environment\r\n"));
    json_decref(ask(script->port, arguments, LINE("easy")));
    assert_non_null(strstr(script->last_head, "\r\nAuthorization: Bearer sk-file\r\n"));
    unsetenv("OMMA_JUDGE_KEY");
    unlink(path);
}

static void omma_serve_answers(void **state)
{
    static const char *const serving[] = {"--parallel", "2", NULL}, *const arguments[] = {NULL};
    struct test_server server;
    json_t *answers;

    (void)state;
    test_server_start(&server, NULL, serving);
    answers = ask(server.port, arguments,
                  "{\"id\": \"a\", \"model\": \"any\", \"max_tokens\": 8, \"temperature\": 0, "
                  "\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", "
                  "\"text\": \"How many shapes are there?\"}]}]}\n");
    assert_true(*member(answers, "a", "text") != '\0');
    assert_true(
        json_integer_value(json_object_get(json_object_get(json_object_get(answers, "a"), "usage"),
                                           "completion_tokens")) > 0);
    json_decref(answers);
    assert_int_equal(test_server_stop(&server, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_fails_once_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_keeps_failing_is_an_error_of_that_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_wait_while_few_are_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_key_comes_from_the_environment_or_a_file, set_up,
                                        tear_down),
        cmocka_unit_test(omma_serve_answers),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
