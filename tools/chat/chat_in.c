/* Every field of a chat request, by name. */
#include "tools/chat/chat_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { MAX_STOPS = 16, DEFAULT_TOKENS = 1024 };

/* Fields that are read somewhere below. */
static const char *const supported[] = {
    "frequency_penalty",
    "presence_penalty",
    "ignore_eos",
    "logprobs",
    "top_logprobs",
    "max_completion_tokens",
    "max_new_tokens",
    "max_tokens",
    "messages",
    "min_p",
    "model",
    "n",
    "repetition_penalty",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_k",
    "top_p",
};

/* Fields that the API has and omma has not. */
static const char *const unsupported[] = {
    "audio",      "best_of",       "echo",        "function_call",
    "functions",  "guided_choice", "guided_json", "guided_regex",
    "logit_bias", "modalities",    "prediction",  "prompt_logprobs",
    "suffix",     "tool_choice",   "tools",       "web_search_options",
};

static bool is_among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a field asks for nothing: null, false, 0, "", "none", "auto", empty, or ["text"]. */
static bool is_neutral(const json_t *value)
{
    const char *word = json_string_value(value);

    if (json_is_array(value) && json_array_size(value) == 1) {
        word = json_string_value(json_array_get(value, 0));
        return word != NULL && strcmp(word, "text") == 0;
    }
    return json_is_null(value) || json_is_false(value) ||
           (json_is_number(value) && json_number_value(value) == 0) ||
           (word != NULL &&
            (*word == '\0' || strcmp(word, "none") == 0 || strcmp(word, "auto") == 0)) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static bool check_names(struct chat_in *chat, struct problem *problem)
{
    size_t n = 0;
    const char *name;
    json_t *value;

    json_object_foreach(chat->root, name, value)
    {
        if (is_among(name, supported, sizeof supported / sizeof *supported)) {
            continue;
        }
        if (is_among(name, unsupported, sizeof unsupported / sizeof *unsupported)) {
            if (!is_neutral(value)) {
                return problem_set(problem, 400, "unsupported_parameter", name,
                                   "%s: not supported by this server", name);
            }
            continue;
        }
        if (n < sizeof chat->ignored) {
            n += (size_t)snprintf(chat->ignored + n, sizeof chat->ignored - n, "%s%s",
                                  n > 0 ? ", " : "", name);
        }
    }
    return true;
}

static bool read_stops(struct chat_in *chat, struct problem *problem)
{
    const json_t *stop = json_in_get(chat->root, "stop");
    size_t n = json_is_array(stop) ? json_array_size(stop) : stop != NULL;

    if (n > MAX_STOPS) {
        return problem_set(problem, 400, "invalid_value", "stop", "stop: expected at most %d texts",
                           MAX_STOPS);
    }
    chat->stops = calloc(n + 1, sizeof *chat->stops);
    if (chat->stops == NULL) {
        return problem_set_memory(problem);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *text = json_is_array(stop) ? json_array_get(stop, i) : stop;

        if (!json_is_string(text) || json_string_length(text) == 0) {
            return problem_set(problem, 400, "invalid_value", "stop",
                               "stop: expected a string or an array of strings, none empty");
        }
        chat->stops[chat->n_stops++] = (struct omma_stop){.text = json_string_value(text),
                                                          .n_bytes = json_string_length(text)};
    }
    return true;
}

static bool read_sampling(struct chat_in *chat, struct problem *problem)
{
    double temperature = 0, top_p = 1, min_p = 0, repetition_penalty = 1;
    double frequency_penalty = 0, presence_penalty = 0;
    json_int_t top_k = 0, seed = 0;
    uint64_t random_seed = 0;

    if (!json_in_real(chat->root, "temperature", 0, 100, &temperature, problem) ||
        !json_in_real(chat->root, "top_p", 1e-6, 1, &top_p, problem) ||
        !json_in_real(chat->root, "min_p", 0, 1, &min_p, problem) ||
        !json_in_real(chat->root, "repetition_penalty", 0.01, 100, &repetition_penalty, problem) ||
        !json_in_real(chat->root, "frequency_penalty", -2, 2, &frequency_penalty, problem) ||
        !json_in_real(chat->root, "presence_penalty", -2, 2, &presence_penalty, problem) ||
        !json_in_integer(chat->root, "top_k", -1, INT32_MAX, &top_k, problem) ||
        !json_in_integer(chat->root, "seed", INT64_MIN, INT64_MAX, &seed, problem)) {
        return false;
    }
    if (json_in_get(chat->root, "seed") == NULL && temperature > 0 &&
        getrandom(&random_seed, sizeof random_seed, 0) == sizeof random_seed) {
        seed = (json_int_t)random_seed;
    }
    chat->sampling = (struct omma_sampling){
        .temperature = (float)temperature,
        .top_k = top_k > 0 ? (size_t)top_k : 0,
        .top_p = (float)top_p,
        .min_p = (float)min_p,
        .repetition_penalty = (float)repetition_penalty,
        .frequency_penalty = (float)frequency_penalty,
        .presence_penalty = (float)presence_penalty,
        .seed = (uint64_t)seed,
    };
    return true;
}

/* The newer name wins. */
static bool read_max_tokens(struct chat_in *chat, const struct chat_limits *limits,
                            struct problem *problem)
{
    static const char *const names[] = {"max_new_tokens", "max_tokens", "max_completion_tokens"};
    json_int_t n = DEFAULT_TOKENS;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!json_in_integer(chat->root, names[i], 1, INT32_MAX, &n, problem)) {
            return false;
        }
    }
    chat->max_tokens = (size_t)n < limits->max_tokens ? (size_t)n : limits->max_tokens;
    return true;
}

static bool read_stream(struct chat_in *chat, struct problem *problem)
{
    const json_t *options = json_in_get(chat->root, "stream_options");

    if (!json_in_bool(chat->root, "stream", &chat->is_streamed, problem) ||
        !json_in_bool(chat->root, "ignore_eos", &chat->ignores_stop_ids, problem)) {
        return false;
    }
    if (options == NULL) {
        return true;
    }
    if (!json_is_object(options) || !chat->is_streamed) {
        return problem_set(problem, 400, "invalid_value", "stream_options",
                           "stream_options: expected an object, with stream true");
    }
    return json_in_bool(options, "include_usage", &chat->includes_usage, problem);
}

static bool read_logprobs(struct chat_in *chat, struct problem *problem)
{
    json_int_t n_top = 0;

    if (!json_in_bool(chat->root, "logprobs", &chat->has_logprobs, problem) ||
        !json_in_integer(chat->root, "top_logprobs", 0, OMMA_MAX_TOP_LOGPROBS, &n_top, problem)) {
        return false;
    }
    if (n_top > 0 && !chat->has_logprobs) {
        return problem_set(problem, 400, "invalid_value", "top_logprobs",
                           "top_logprobs: expected logprobs true beside it");
    }
    chat->n_top_logprobs = (size_t)n_top;
    return true;
}

/* {"type": "text"}, "json_object", or "json_schema" with the schema. */
static bool read_response_format(struct chat_in *chat, struct problem *problem)
{
    const json_t *format = json_in_get(chat->root, "response_format");
    const json_t *schema = json_object_get(json_object_get(format, "json_schema"), "schema");
    const char *type = json_string_value(json_object_get(format, "type"));

    if (format == NULL || (type != NULL && strcmp(type, "text") == 0)) {
        return true;
    }
    if (chat->ignores_stop_ids) {
        return problem_set(problem, 400, "invalid_value", "response_format",
                           "response_format: not supported beside ignore_eos");
    }
    if (type != NULL && strcmp(type, "json_object") == 0) {
        chat->schema = strdup("{\"type\":\"object\"}");
    } else if (type != NULL && strcmp(type, "json_schema") == 0) {
        if (!json_is_object(schema)) {
            return problem_set(problem, 400, "invalid_value", "response_format.json_schema.schema",
                               "response_format.json_schema.schema: expected an object");
        }
        chat->schema = json_dumps(schema, JSON_COMPACT);
    } else {
        return problem_set(problem, 400, "invalid_value", "response_format.type",
                           "response_format.type: expected text, json_object or json_schema");
    }
    return chat->schema != NULL || problem_set_memory(problem);
}

bool chat_in_read(json_t *root, const struct chat_limits *limits, struct chat_in *chat,
                  struct problem *problem)
{
    json_int_t n = 1;
    const json_t *model = json_in_get(root, "model");

    if (!chat_in_read_messages(root, limits, chat, problem) || !check_names(chat, problem)) {
        return false;
    }
    if (model != NULL && !json_is_string(model)) {
        return problem_set(problem, 400, "invalid_value", "model", "model: expected a string");
    }
    if (!json_in_integer(root, "n", 1, INT32_MAX, &n, problem)) {
        return false;
    }
    if (n != 1) {
        return problem_set(problem, 400, "unsupported_parameter", "n",
                           "n: more than one answer is not supported by this server");
    }
    return read_stops(chat, problem) && read_sampling(chat, problem) &&
           read_max_tokens(chat, limits, problem) && read_stream(chat, problem) &&
           read_logprobs(chat, problem) && read_response_format(chat, problem);
}

void chat_in_release(struct chat_in *chat)
{
    for (size_t i = 0; i < chat->n_turns; i++) {
        free((char *)chat->turns[i].text);
    }
    free((char *)chat->system);
    free(chat->turns);
    free(chat->pictures);
    free(chat->stops);
    free(chat->schema);
    json_decref(chat->root);
    *chat = (struct chat_in){0};
}
