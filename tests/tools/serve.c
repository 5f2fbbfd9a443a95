/*
 * omma serve with the demo model, as clients meet it: answers, streams, pictures, everything that
 * is refused and how (faults rows H1 to H15), clients that go away, keys, drains.
 *
 * "Two." and the others are the reference's answers, which omma run gives too (run.sh, and
 * share/omma/demo/pictures).
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/server.h"
#include "support/support.h"

#define QUESTION "How many shapes are there?"

/* Takes seconds. */
#define LONG_ANSWER                                                                                \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell me more.\"}],\"temperature\":1,"         \
    "\"seed\":%d,\"max_tokens\":8000,\"ignore_eos\":true%s}"

struct world {
    struct test_server server;
    char *folder, *url;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    char *picture = omma_test_source("share/omma/demo/pictures/tall.png");
    const char *arguments[] = {
        "--media-dir", NULL, "--parallel",   "2", "--queue",           "2",  "--max-body", "400000",
        "--drain",     "1",  "--max-images", "3", "--max-connections", "12", NULL};

    assert_non_null(world);
    world->folder = omma_test_folder();
    world->url = test_data_url("shapes.png");
    arguments[1] = world->folder;
    for (int i = 0; i < 2; i++) {
        char *copy = omma_test_join(world->folder, i == 0 ? "tall.png" : "a b%.png");

        omma_test_copy(picture, copy);
        free(copy);
    }
    free(picture);
    test_server_start(&world->server, NULL, arguments);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    int code = test_server_stop(&world->server, SIGTERM);

    free(world->folder);
    free(world->url);
    free(world);
    return code; /* a server that was asked to end ends with 0 */
}

/* What stands at a path of keys and indices in the reply's JSON; NULL: nothing. */
static json_t *parse(const struct test_reply *reply)
{
    json_t *root = json_loads(reply->body, 0, NULL);

    if (root == NULL) {
        fail_msg("no JSON: %d %s", reply->status, reply->body);
    }
    return root;
}

static void assert_answer(struct test_reply *reply, const char *text, const char *finish)
{
    json_t *root, *choice;

    if (reply->status != 200) {
        fail_msg("status %d: %s", reply->status, reply->body);
    }
    root = parse(reply);
    choice = json_array_get(json_object_get(root, "choices"), 0);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(choice, "message"), "content")), text);
    assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), finish);
    json_decref(root);
    test_reply_release(reply);
}

/* An error of the OpenAI API with this status, whose message has the text; NULL: no code. */
static void assert_refused(struct test_reply *reply, int status, const char *code, const char *text)
{
    json_t *root, *error;
    const char *message;

    if (reply->status != status) {
        fail_msg("status %d, expected %d (%s): %s", reply->status, status, text, reply->body);
    }
    root = parse(reply);
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

static void test_answers(void **state)
{
    struct world *world = *state;
    struct test_reply reply;
    char *body = test_question(world->url, QUESTION, "");
    json_t *root, *usage;

    test_chat(&world->server, body, &reply);
    root = parse(&reply);
    usage = json_object_get(root, "usage");
    assert_int_equal(json_integer_value(json_object_get(usage, "completion_tokens")), 3);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(usage, "prompt_tokens_details"), "image_tokens")),
                     256);
    assert_string_equal(json_string_value(json_object_get(root, "model")), "demo");
    json_decref(root);
    assert_answer(&reply, "Two.", "stop");
    free(body);

    body = test_question(world->url, QUESTION, "\"stop\":[\"x\",\".\"],\"n\":1,\"logprobs\":false");
    test_chat(&world->server, body, &reply);
    assert_answer(&reply, "Two", "stop");
    free(body);
    body = test_question(world->url, QUESTION, "\"max_completion_tokens\":1,\"max_tokens\":7");
    test_chat(&world->server, body, &reply);
    assert_answer(&reply, "Two", "length");
    free(body);
    body = test_question(world->url, QUESTION,
                         "\"temperature\":1,\"top_k\":1,\"seed\":-7,\"top_p\":0.5,\"min_p\":0.1,"
                         "\"repetition_penalty\":1.0,\"presence_penalty\":0,\"user\":\"me\","
                         "\"response_format\":{\"type\":\"text\"},\"tools\":[],\"stop\":null");
    test_chat(&world->server, body, &reply);
    assert_answer(&reply, "Two.", "stop");
    free(body);
}

/* The conversation of share/omma/demo/pictures/shapes.json, its second turn. */
static void test_second_turn(void **state)
{
    struct world *world = *state;
    struct test_reply reply;
    size_t capacity = strlen(world->url) + 1024;
    char *body = malloc(capacity);

    assert_non_null(body);
    snprintf(body, capacity,
             "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
             "{\"url\":\"%s\",\"detail\":\"low\",\"max_dynamic_patch\":12}},{\"type\":\"text\","
             "\"text\":\"" QUESTION "\"}]},{\"role\":\"assistant\",\"content\":\"Two.\"},"
             "{\"role\":\"user\",\"content\":\"What color is the circle?\"}]}",
             world->url);
    test_chat(&world->server, body, &reply);
    assert_answer(&reply, "Blue.", "stop");
    free(body);
}

/* Marks in the text are the pictures' places; "<image>" is none of them. */
static void test_marks(void **state)
{
    struct world *world = *state;
    struct test_reply reply;
    char *body = test_question(world->url, "<IMAGE_TOKEN>\\n" QUESTION, "");

    test_chat(&world->server, body, &reply);
    assert_answer(&reply, "Two.", "stop");
    free(body);
    body = test_question(world->url, "<IMAGE_TOKEN> and <IMAGE_TOKEN>", "");
    test_chat(&world->server, body, &reply);
    assert_refused(&reply, 400, "invalid_value", "found 2 and 1");
    free(body);
    body = test_question(world->url, "<image> <image>", "\"max_tokens\":1");
    test_chat(&world->server, body, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
    free(body);
}

/* Join the contents of a stream's events; the last ones must be the reason, usage if it is asked
 * for, and [DONE]. */
static void test_stream(void **state)
{
    struct world *world = *state;
    struct test_reply reply;
    char *body = test_question(world->url, QUESTION,
                               "\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    char text[64] = "", *line, *rest;
    bool has_finish = false, has_usage = false, is_done = false;

    test_chat(&world->server, body, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(reply.is_whole);
    assert_non_null(strstr(reply.head, "text/event-stream"));
    for (line = strtok_r(reply.body, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        json_t *event, *choice;
        const char *content;

        assert_int_equal(strncmp(line, "data: ", 6), 0);
        assert_false(is_done);
        if (strcmp(line, "data: [DONE]") == 0) {
            is_done = true;
            continue;
        }
        event = json_loads(line + 6, 0, NULL);
        assert_non_null(event);
        choice = json_array_get(json_object_get(event, "choices"), 0);
        content = json_string_value(json_object_get(json_object_get(choice, "delta"), "content"));
        strcat(text, content != NULL ? content : "");
        has_finish |= json_is_string(json_object_get(choice, "finish_reason"));
        has_usage |= json_is_object(json_object_get(event, "usage"));
        json_decref(event);
    }
    assert_string_equal(text, "Two.");
    assert_true(has_finish && has_usage && is_done);
    test_reply_release(&reply);
    free(body);
}

static void test_files(void **state)
{
    struct world *world = *state;
    struct test_reply reply;
    char url[4096], *body, *link = omma_test_join(world->folder, "link.png");
    static const struct {
        const char *before, *after; /* of the folder's path; NULL: without it */
        const char *text;           /* NULL: an answer */
    } cases[] = {
        {"file://", "/tall.png", NULL},
        {"file://localhost", "/a%20b%25.png", NULL},
        {"file://", "/../tall.png", "media folder"},
        {"file://", "/%2e%2e/%2e%2e/etc/passwd", "media folder"},
        {"file://", "/link.png", "media folder"},
        {"file://", "/tall.png%00", "media folder"},
        {"file://", "", "media folder"},
        {"file://", "/.", "regular file"},
        {"file:///etc/passwd", NULL, "media folder"},
        {"file://", "/none.png", "No such file"},
        {"", "/tall.png", "expected a data: or file: URL"},
        {"http://localhost/x.png", NULL, "fetches nothing"},
        {"HTTPS://localhost/x.png", NULL, "fetches nothing"},
        {"data:image/png", NULL, "expected data:"},
        {"data:image/png,x", NULL, "expected data:"},
        {"data:;base64,iVBO_w==", NULL, "base64 @4"},
        {"data:;base64,iVBOR", NULL, "base64 @5"},
        {"data:;base64,iVBORx==", NULL, "base64 @5"},
        {"data:;base64,", NULL, "invalid_image"},
        {"data:;base64,R0lGODlhAQABAAAAACw=", NULL, "GIF"},
    };

    assert_int_equal(symlink("/etc/passwd", link), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(url, sizeof url, "%s%s%s", cases[i].before,
                 cases[i].after != NULL ? world->folder : "",
                 cases[i].after != NULL ? cases[i].after : "");
        body = test_question(url, "Count the shapes.", "\"max_tokens\":1");
        test_chat(&world->server, body, &reply);
        if (cases[i].text == NULL) {
            assert_answer(&reply, "One", "length");
        } else {
            assert_int_equal(reply.status, 400);
            if (strstr(reply.body, cases[i].text) == NULL) {
                fail_msg("%s: %s lacks %s", url, reply.body, cases[i].text);
            }
            test_reply_release(&reply);
        }
        free(body);
    }
    free(link);
}

/* Bodies that are refused. */
static void test_bad_bodies(void **state)
{
    struct world *world = *state;
    struct test_reply reply;
    char *deep, *body;
    static const struct {
        const char *body, *code, *text;
    } cases[] = {
        {"", "invalid_json", "body"},
        {"{", "invalid_json", "body"},
        {"[]", "invalid_json", "object"},
        {"{\"messages\":[],\"messages\":[]}", "invalid_json", "duplicate"},
        {"{\"messages\":\"\xFF\"}", "invalid_json", "decode byte 0xff"},
        {"{\"n\":1e999}", "invalid_json", "overflow"},
        {"{}", "invalid_value", "messages"},
        {"{\"messages\":[]}", "invalid_value", "messages"},
        {"{\"messages\":[1]}", "invalid_value", "messages[0].role"},
        {"{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "invalid_value",
         "expected user"},
        {"{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}", "invalid_value", "the user's"},
        {"{\"messages\":[{\"role\":\"user\"}]}", "invalid_value", "content"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"video_url\"}]}]}",
         "unsupported_content", "video_url"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}",
         "invalid_value", "url"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":5}]}]}",
         "invalid_value", "content[0]"},
#define HI "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
        {HI "\"n\":2}", "unsupported_parameter", "n: "},
        {HI "\"temperature\":-1}", "invalid_value", "temperature: expected a number from 0 to 100"},
        {HI "\"temperature\":\"1\"}", "invalid_value", "temperature"},
        {HI "\"top_p\":0}", "invalid_value", "top_p"},
        {HI "\"presence_penalty\":2.5}", "invalid_value", "presence_penalty"},
        {HI "\"max_tokens\":0}", "invalid_value", "max_tokens: expected a whole number from 1"},
        {HI "\"max_tokens\":1.5}", "invalid_value", "max_tokens"},
        {HI "\"max_completion_tokens\":1e18}", "invalid_value", "max_completion_tokens"},
        {HI "\"stream\":1}", "invalid_value", "stream"},
        {HI "\"stream_options\":{}}", "invalid_value", "stream_options"},
        {HI "\"stop\":\"\"}", "invalid_value", "stop"},
        {HI "\"stop\":[1]}", "invalid_value", "stop"},
        {HI "\"model\":5}", "invalid_value", "model"},
        {HI "\"tools\":[{}]}", "unsupported_parameter", "tools"},
        {HI "\"response_format\":{\"type\":\"grammar\"}}", "invalid_value",
         "response_format.type: expected"},
        {HI "\"response_format\":5}", "invalid_value", "response_format.type: expected"},
        {HI "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\"}}}",
         "invalid_value", "response_format.json_schema.schema: expected an object"},
        {HI "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
            "{\"properties\":{\"a\":{\"pattern\":\"b\"}}}}}}",
         "invalid_value", "response_format: schema: #/properties/a/pattern: not supported"},
        {HI "\"ignore_eos\":true,\"response_format\":{\"type\":\"json_object\"}}", "invalid_value",
         "not supported beside ignore_eos"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_chat(&world->server, cases[i].body, &reply);
        assert_refused(&reply, 400, cases[i].code, cases[i].text);
    }
    deep = malloc(200001);
    assert_non_null(deep);
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    test_chat(&world->server, deep, &reply);
    assert_refused(&reply, 400, "invalid_json", "levels");
    free(deep);

    /* more words than tokens */
    body = malloc(300000);
    assert_non_null(body);
    strcpy(body, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
    for (size_t i = 0, n = strlen(body); i < 40000; i++, n += 2) {
        strcpy(body + n, "a ");
    }
    strcat(body, "\"}]}");
    test_chat(&world->server, body, &reply);
    assert_refused(&reply, 400, "context_length_exceeded", "the context holds");
    free(body);
}

static void test_bad_requests(void **state)
{
    static const char json[] = "Content-Type: application/json\r\n";
    struct world *world = *state;
    const struct test_server *server = &world->server;
    struct test_reply reply;
    char *large = malloc(500001), header[20000];

    assert_non_null(large);
    memset(large, ' ', 500000);
    large[500000] = '\0';
    test_request(server, "GET", "/none", "", NULL, &reply);
    assert_refused(&reply, 404, "not_found", "path");
    test_request(server, "GET", "/v1/chat/completions", "", NULL, &reply);
    assert_non_null(strstr(reply.head, "\r\nAllow: POST\r\n"));
    assert_refused(&reply, 405, "method_not_allowed", "POST");
    test_request(server, "DELETE", "/health", "", NULL, &reply);
    assert_refused(&reply, 405, "method_not_allowed", "GET");
    test_request(server, "OPTIONS", "/v1/chat/completions", "Origin: http://evil\r\n", NULL,
                 &reply);
    assert_null(strcasestr(reply.head, "Access-Control"));
    assert_refused(&reply, 405, "method_not_allowed", "POST");
    test_request(server, "POST", "/v1/chat/completions", "", "{}", &reply);
    assert_refused(&reply, 415, "unsupported_media_type", "application/json");
    test_request(server, "POST", "/v1/chat/completions", "Content-Type: text/plain\r\n", "{}",
                 &reply);
    assert_refused(&reply, 415, "unsupported_media_type", "application/json");
    test_request(server, "POST", "/v1/chat/completions", json, large, &reply);
    assert_refused(&reply, 413, "body_too_large", "400000");
    test_request(server, "GET", "/v1/models", "Host: evil.example\r\n", NULL, &reply);
    assert_refused(&reply, 400, "invalid_host", "Host");
    test_request(server, "GET", "/v1/models", "Host: [::1]:80\r\n", NULL, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
    memset(header, 'x', sizeof header);
    memcpy(header, "X-Large: ", 9);
    strcpy(header + sizeof header - 3, "\r\n");
    test_request(server, "GET", "/health", header, NULL, &reply);
    assert_refused(&reply, 431, "headers_too_large", "16384");
    test_request(server, "POST", "/v1/chat/completions",
                 "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "{}", &reply);
    assert_int_equal(reply.status, 400);
    test_reply_release(&reply);
    free(large);
}

/* A chunked body of any length, and one that is too long. */
static void test_chunked(void **state)
{
    static const char head[] =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct world *world = *state;
    struct test_reply reply;
    char *body = test_question(world->url, QUESTION, ""), size[32], *large = calloc(1, 500000);
    int connection = test_connect(&world->server);

    assert_non_null(large);
    test_send(connection, head, sizeof head - 1);
    for (size_t at = 0; at < strlen(body); at += 1000) {
        size_t n = strlen(body) - at < 1000 ? strlen(body) - at : 1000;

        snprintf(size, sizeof size, "%zx\r\n", n);
        test_send(connection, size, strlen(size));
        test_send(connection, body + at, n);
        test_send(connection, "\r\n", 2);
    }
    test_send(connection, "0\r\n\r\n", 5);
    test_receive(connection, false, &reply);
    assert_answer(&reply, "Two.", "stop");

    /* on the same connection */
    test_send(connection, head, sizeof head - 1);
    snprintf(size, sizeof size, "%x\r\n", 500000);
    test_send(connection, size, strlen(size));
    test_send(connection, large, 500000);
    test_send(connection, "\r\n0\r\n\r\n", 7);
    test_receive(connection, false, &reply);
    assert_refused(&reply, 413, "body_too_large", "400000");
    close(connection);
    free(large);
    free(body);
}

static void assert_healthy(const struct test_server *server)
{
    struct test_reply reply;

    test_request(server, "GET", "/health", "", NULL, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
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
    struct world *world = *state;
    const struct test_server *server = &world->server;
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
    assert_refused(&reply, 429, "rate_limit_exceeded", "try again");
    assert_healthy(server);
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
    struct world *world = *state;
    struct test_reply reply;
    int connections[12];

    for (int i = 0; i < 12; i++) {
        connections[i] = test_connect(&world->server);
    }
    for (int tries = 0; tries < 1000; tries++) { /* until it has taken all of them */
        test_request(&world->server, "GET", "/v1/models", "", NULL, &reply);
        if (reply.status == 503) {
            break;
        }
        test_reply_release(&reply);
        usleep(1000);
    }
    assert_refused(&reply, 503, "too_many_connections", "connections");
    assert_healthy(&world->server);
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
        assert_healthy(&server);
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
    assert_refused(&reply, 503, "draining", "stop");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_second_turn),
        cmocka_unit_test(test_marks),        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_bad_requests), cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_full_queue),   cmocka_unit_test(test_connections),
        cmocka_unit_test(test_keys),         cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_drain),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
