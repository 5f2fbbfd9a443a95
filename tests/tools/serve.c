/*
 * omma serve with the demo model, as clients meet it: answers, streams, pictures, everything that
 * is refused and how (faults rows H1 to H15).
 *
 * "Two." and the others are the reference's answers, which omma run gives too (run.sh, and
 * share/omma/demo/pictures).
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/server.h"
#include "support/support.h"

#define QUESTION "How many shapes are there?"

struct world {
    struct test_server server;
    char *folder, *url;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    char *picture = omma_test_source("share/omma/demo/pictures/tall.png");
    const char *arguments[] = {"--media-dir", NULL,           "--parallel", "2", "--max-body",
                               "400000",      "--max-images", "3",          NULL};

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

static void assert_answer(struct test_reply *reply, const char *text, const char *finish)
{
    json_t *root, *choice;

    if (reply->status != 200) {
        fail_msg("status %d: %s", reply->status, reply->body);
    }
    root = test_reply_json(reply);
    choice = json_array_get(json_object_get(root, "choices"), 0);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(choice, "message"), "content")), text);
    assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), finish);
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
    root = test_reply_json(&reply);
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
    test_assert_refused(&reply, 400, "invalid_value", "found 2 and 1");
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
        test_assert_refused(&reply, 400, cases[i].code, cases[i].text);
    }
    deep = malloc(200001);
    assert_non_null(deep);
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    test_chat(&world->server, deep, &reply);
    test_assert_refused(&reply, 400, "invalid_json", "levels");
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
    test_assert_refused(&reply, 400, "context_length_exceeded", "the context holds");
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
    test_assert_refused(&reply, 404, "not_found", "path");
    test_request(server, "GET", "/v1/chat/completions", "", NULL, &reply);
    assert_non_null(strstr(reply.head, "\r\nAllow: POST\r\n"));
    test_assert_refused(&reply, 405, "method_not_allowed", "POST");
    test_request(server, "DELETE", "/health", "", NULL, &reply);
    test_assert_refused(&reply, 405, "method_not_allowed", "GET");
    test_request(server, "OPTIONS", "/v1/chat/completions", "Origin: http://evil\r\n", NULL,
                 &reply);
    assert_null(strcasestr(reply.head, "Access-Control"));
    test_assert_refused(&reply, 405, "method_not_allowed", "POST");
    test_request(server, "POST", "/v1/chat/completions", "", "{}", &reply);
    test_assert_refused(&reply, 415, "unsupported_media_type", "application/json");
    test_request(server, "POST", "/v1/chat/completions", "Content-Type: text/plain\r\n", "{}",
                 &reply);
    test_assert_refused(&reply, 415, "unsupported_media_type", "application/json");
    test_request(server, "POST", "/v1/chat/completions", json, large, &reply);
    test_assert_refused(&reply, 413, "body_too_large", "400000");
    test_request(server, "GET", "/v1/models", "Host: evil.example\r\n", NULL, &reply);
    test_assert_refused(&reply, 400, "invalid_host", "Host");
    test_request(server, "GET", "/v1/models", "Host: [::1]:80\r\n", NULL, &reply);
    assert_int_equal(reply.status, 200);
    test_reply_release(&reply);
    memset(header, 'x', sizeof header);
    memcpy(header, "X-Large: ", 9);
    strcpy(header + sizeof header - 3, "\r\n");
    test_request(server, "GET", "/health", header, NULL, &reply);
    test_assert_refused(&reply, 431, "headers_too_large", "16384");
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
    test_assert_refused(&reply, 413, "body_too_large", "400000");
    close(connection);
    free(large);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_second_turn),
        cmocka_unit_test(test_marks),        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_bad_requests), cmocka_unit_test(test_chunked),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
