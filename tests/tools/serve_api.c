/*
 * omma serve beside chat itself: log-probabilities, ids, metrics, requests that are computed once,
 * the page.
 */
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/server.h"
#include "support/support.h"

#define QUESTION "How many shapes are there?"

static int set_up(void **state)
{
    static const char *const arguments[] = {"--parallel", "2", "--deterministic", NULL};

    return test_server_set_up(state, arguments);
}

/* A metric without labels. */
static double metric(const struct test_server *server, const char *name)
{
    struct test_reply reply;
    char line[128];
    const char *found;
    double value;

    snprintf(line, sizeof line, "\nomma_%s ", name);
    test_request(server, "GET", "/metrics", "", NULL, &reply);
    found = strstr(reply.body, line);
    if (found == NULL) {
        fail_msg("no metric %s in %s", name, reply.body);
    }
    value = strtod(found + strlen(line), NULL);
    test_reply_release(&reply);
    return value;
}

/* Of a choice or a chunk's choice: check each token's entry, and join the tokens' bytes. */
static void join_logprobs(const json_t *choice, char *text)
{
    const json_t *content = json_object_get(json_object_get(choice, "logprobs"), "content");

    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *entry = json_array_get(content, i);
        const json_t *top = json_object_get(entry, "top_logprobs");
        const json_t *bytes = json_object_get(entry, "bytes");
        double best = json_real_value(json_object_get(json_array_get(top, 0), "logprob"));
        double second = json_real_value(json_object_get(json_array_get(top, 1), "logprob"));
        size_t n = strlen(text);

        assert_int_equal(json_array_size(top), 2);
        assert_true(best <= 0 && second <= best && exp(best) + exp(second) <= 1.00001);
        /* greedy: the token is the best one */
        assert_true(best == json_real_value(json_object_get(entry, "logprob")));
        assert_string_equal(json_string_value(json_object_get(entry, "token")),
                            json_string_value(json_object_get(json_array_get(top, 0), "token")));
        for (size_t k = 0; k < json_array_size(bytes); k++) {
            text[n + k] = (char)json_integer_value(json_array_get(bytes, k));
            text[n + k + 1] = '\0';
        }
    }
}

static void test_logprobs(void **state)
{
    const struct test_server *server = *state;
    struct test_reply reply;
    char *url = test_data_url("shapes.png");
    char whole[64] = "", streamed[64] = "", *line, *rest;
    char *body = test_question(url, QUESTION, "\"logprobs\":true,\"top_logprobs\":2");
    json_t *root;

    test_chat(server, body, &reply);
    root = test_reply_json(&reply);
    join_logprobs(json_array_get(json_object_get(root, "choices"), 0), whole);
    assert_string_equal(whole, "Two.");
    json_decref(root);
    test_reply_release(&reply);
    free(body);

    body = test_question(url, QUESTION, "\"logprobs\":true,\"top_logprobs\":2,\"stream\":true");
    test_chat(server, body, &reply);
    assert_true(reply.is_whole);
    for (line = strtok_r(reply.body, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        root = json_loads(line + 6, 0, NULL);
        join_logprobs(json_array_get(json_object_get(root, "choices"), 0), streamed);
        json_decref(root);
    }
    assert_string_equal(streamed, "Two.");
    test_reply_release(&reply);
    free(body);
    free(url);

    test_chat(server, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"top_logprobs\":2}",
              &reply);
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr(reply.body, "expected logprobs true"));
    test_reply_release(&reply);
}

static json_int_t count_tokens(const struct test_server *server, const char *body)
{
    struct test_reply reply;
    json_t *root;
    json_int_t count;

    test_request(server, "POST", "/tokenize", "Content-Type: application/json\r\n", body, &reply);
    root = test_reply_json(&reply);
    count = json_integer_value(json_object_get(root, "count"));
    assert_int_equal(json_array_size(json_object_get(root, "tokens")), count);
    assert_int_equal(json_integer_value(json_object_get(root, "max_model_len")), 8192);
    json_decref(root);
    test_reply_release(&reply);
    return count;
}

/* "How many?" is three ids (omma tokenize); messages are what a chat's usage counts. */
static void test_tokenize(void **state)
{
    const struct test_server *server = *state;
    struct test_reply reply;
    char *url = test_data_url("shapes.png"), *body = test_question(url, QUESTION, "");
    json_t *root;

    assert_int_equal(count_tokens(server, "{\"prompt\":\"How many?\"}"), 3);
    test_chat(server, body, &reply);
    root = test_reply_json(&reply);
    assert_int_equal(
        count_tokens(server, body),
        json_integer_value(json_object_get(json_object_get(root, "usage"), "prompt_tokens")));
    json_decref(root);
    test_reply_release(&reply);
    test_request(server, "POST", "/tokenize", "Content-Type: application/json\r\n", "{}", &reply);
    assert_int_equal(reply.status, 400);
    test_reply_release(&reply);
    free(body);
    free(url);
}

/* The answer's text as JSON; its finish_reason must be "stop". */
static json_t *ask_for_json(const struct test_server *server, const char *members)
{
    struct test_reply reply;
    json_t *root, *choice, *value;
    char body[1024];

    snprintf(body, sizeof body, "{\"messages\":[{\"role\":\"user\",\"content\":\"Count.\"}],%s}",
             members);
    test_chat(server, body, &reply);
    if (reply.status != 200) {
        fail_msg("status %d: %s", reply.status, reply.body);
    }
    root = test_reply_json(&reply);
    choice = json_array_get(json_object_get(root, "choices"), 0);
    assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), "stop");
    value = json_loads(
        json_string_value(json_object_get(json_object_get(choice, "message"), "content")),
        JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    json_decref(root);
    test_reply_release(&reply);
    return value;
}

#define SCHEMA(schema)                                                                             \
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","               \
    "\"strict\":true,\"schema\":" schema "}}"

static void test_response_format(void **state)
{
    const struct test_server *server = *state;
    struct test_reply reply;
    json_t *value = ask_for_json(server, SCHEMA("{\"const\":\"a b\"}"));

    assert_string_equal(json_string_value(value), "a b");
    json_decref(value);
    for (int seed = 0; seed < 8; seed++) { /* in the schema's order, whatever the order of words */
        char members[512];

        snprintf(members, sizeof members,
                 SCHEMA("{\"type\":\"object\",\"properties\":{\"z\":{\"type\":\"string\","
                        "\"maxLength\":4},\"a\":{\"enum\":[1,null]}},\"required\":[\"z\",\"a\"],"
                        "\"additionalProperties\":false}") ",\"temperature\":2,\"seed\":%d",
                 seed);
        value = ask_for_json(server, members);
        assert_int_equal(json_object_size(value), 2);
        assert_true(json_is_string(json_object_get(value, "z")));
        assert_true(json_is_null(json_object_get(value, "a")) ||
                    json_integer_value(json_object_get(value, "a")) == 1);
        json_decref(value);
    }
    test_chat(server,
              "{\"messages\":[{\"role\":\"user\",\"content\":\"Count.\"}],\"max_tokens\":1,"
              "\"response_format\":{\"type\":\"json_object\"}}",
              &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "\"{"));
    test_reply_release(&reply);
}

/* Equal questions with different schemas at the same time have answers of their own. */
static void test_schemas_are_not_joined(void **state)
{
    const struct test_server *server = *state;
    int connections[2];

    for (int i = 0; i < 2; i++) {
        char body[512], *bytes;
        size_t n_bytes;

        snprintf(body, sizeof body,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"Count.\"}],%s%d%s}",
                 "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
                 "{\"const\":1234567891234",
                 i, "}}}");
        bytes = test_chat_bytes(body, &n_bytes);
        connections[i] = test_connect(server);
        assert_true(test_send(connections[i], bytes, n_bytes));
        free(bytes);
    }
    for (int i = 0; i < 2; i++) {
        struct test_reply reply;
        char text[32];

        test_receive(connections[i], false, &reply);
        snprintf(text, sizeof text, "\"1234567891234%d\"", i);
        assert_int_equal(reply.status, 200);
        assert_non_null(strstr(reply.body, text));
        test_reply_release(&reply);
        close(connections[i]);
    }
}

/* Three ask for the same long answer; the first hears its beginning before the others ask, and goes
 * away before its end. */
static void test_joined_requests(void **state)
{
    static const char form[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell me more.\"}],\"max_tokens\":6000,"
        "\"ignore_eos\":true%s}";
    const struct test_server *server = *state;
    double n_computed = metric(server, "computed_requests_total");
    double n_joined = metric(server, "joined_requests_total");
    int connections[3];
    struct test_reply replies[3];
    json_t *roots[3];
    char body[256], byte;

    for (int i = 0; i < 3; i++) {
        size_t n_bytes;
        char *bytes;

        snprintf(body, sizeof body, form, i == 0 ? ",\"stream\":true" : "");
        bytes = test_chat_bytes(body, &n_bytes);
        connections[i] = test_connect(server);
        assert_true(test_send(connections[i], bytes, n_bytes));
        free(bytes);
        if (i == 0) {
            assert_int_equal(test_read(connections[0], &byte, 1), 1);
        }
    }
    while (metric(server, "requests_in_flight") > 0 &&
           metric(server, "joined_requests_total") - n_joined < 2) {
        usleep(1000);
    }
    close(connections[0]);
    for (int i = 1; i < 3; i++) {
        test_receive(connections[i], false, &replies[i]);
        roots[i] = test_reply_json(&replies[i]);
        close(connections[i]);
    }
    assert_true(
        json_equal(json_object_get(roots[1], "choices"), json_object_get(roots[2], "choices")));
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(roots[1], "usage"), "completion_tokens")),
                     6000);
    assert_true(metric(server, "computed_requests_total") - n_computed == 1);
    assert_true(metric(server, "joined_requests_total") - n_joined == 2);
    for (int i = 1; i < 3; i++) {
        json_decref(roots[i]);
        test_reply_release(&replies[i]);
    }
}

/* A client that goes away ends its own request and no other. */
static void test_abandoned_request(void **state)
{
    static const char form[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell me more.\"}],\"max_tokens\":%d,"
        "\"temperature\":1,\"seed\":%d,\"ignore_eos\":true}";
    const struct test_server *server = *state;
    double n_abandoned = metric(server, "abandoned_requests_total");
    int connections[2];
    struct test_reply reply;
    json_t *root;
    char body[256];

    for (int i = 0; i < 2; i++) {
        size_t n_bytes;
        char *bytes;

        snprintf(body, sizeof body, form, i == 0 ? 8000 : 1000, i);
        bytes = test_chat_bytes(body, &n_bytes);
        connections[i] = test_connect(server);
        assert_true(test_send(connections[i], bytes, n_bytes));
        free(bytes);
    }
    while (metric(server, "active_requests") < 2) {
        usleep(1000);
    }
    close(connections[0]);
    test_receive(connections[1], false, &reply);
    root = test_reply_json(&reply);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(root, "usage"), "completion_tokens")),
        1000);
    json_decref(root);
    test_reply_release(&reply);
    close(connections[1]);
    while (metric(server, "requests_in_flight") > 0) {
        usleep(1000);
    }
    assert_true(metric(server, "abandoned_requests_total") - n_abandoned == 1);
    assert_true(metric(server, "decoded_tokens_total") < 20000);
}

static void test_page(void **state)
{
    const struct test_server *server = *state;
    struct test_reply replies[2];
    char nonce[64] = "";

    for (int i = 0; i < 2; i++) {
        const char *policy;

        test_request(server, "GET", "/", "", NULL, &replies[i]);
        assert_int_equal(replies[i].status, 200);
        policy = strstr(replies[i].head, "Content-Security-Policy: default-src 'none'; script-src "
                                         "'nonce-");
        assert_non_null(policy);
        assert_non_null(strstr(policy, "frame-ancestors 'none'"));
        assert_null(strstr(policy, "unsafe"));
        snprintf(nonce, sizeof nonce, "<script nonce=\"%.32s\">", strstr(policy, "nonce-") + 6);
        assert_non_null(strstr(replies[i].body, nonce));
        assert_null(strstr(replies[i].body, "http")); /* nothing from elsewhere */
        assert_null(strstr(replies[i].body, "@@@@"));
        assert_null(strstr(replies[i].body, "innerHTML"));
    }
    assert_null(strstr(replies[0].body, nonce)); /* which was the other one's */
    test_reply_release(&replies[0]);
    test_reply_release(&replies[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_tokenize),
        cmocka_unit_test(test_response_format),
        cmocka_unit_test(test_schemas_are_not_joined),
        cmocka_unit_test(test_joined_requests),
        cmocka_unit_test(test_abandoned_request),
        cmocka_unit_test(test_page),
    };

    return cmocka_run_group_tests(tests, set_up, test_server_tear_down);
}
