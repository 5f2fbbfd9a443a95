/*
 * Messages to turns.  Of a user's message the text parts are joined by newlines.  Where its text
 * has as many marks as it has pictures, these are their places; where it has none, the pictures
 * stand before the text as `omma run` puts them: "<image>\n", or several as "Image-1: <image>\n".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chat/chat_in.h"

enum { N_MARK = sizeof CHAT_IMAGE_MARK - 1 };

/* A text under construction. */
struct text_out {
    char *bytes;
    size_t n_bytes;
    bool failed;
};

static void add(struct text_out *text, const char *bytes, size_t n_bytes)
{
    char *grown = text->failed ? NULL : realloc(text->bytes, text->n_bytes + n_bytes + 1);

    if (grown == NULL) {
        text->failed = true;
        return;
    }
    text->bytes = grown;
    memcpy(grown + text->n_bytes, bytes, n_bytes);
    text->n_bytes += n_bytes;
    grown[text->n_bytes] = '\0';
}

static size_t count_marks(const struct text_out *text)
{
    const char *at = text->bytes, *end = at + text->n_bytes;
    size_t n = 0;

    while (text->n_bytes > 0 &&
           (at = memmem(at, (size_t)(end - at), CHAT_IMAGE_MARK, N_MARK)) != NULL) {
        n++;
        at += N_MARK;
    }
    return n;
}

/* The tiles that lmdeploy means by them. */
static bool read_detail(const json_t *image, const char *param, size_t *max_tiles,
                        struct problem *problem)
{
    static const struct {
        const char *word;
        size_t max_tiles;
    } details[] = {{"auto", 0}, {"low", 6}, {"medium", 12}, {"high", 24}};
    const json_t *detail = json_in_get(image, "detail");
    const char *word = json_string_value(detail);

    if (detail == NULL) {
        return true;
    }
    for (size_t i = 0; word != NULL && i < sizeof details / sizeof *details; i++) {
        if (strcmp(word, details[i].word) == 0) {
            *max_tiles = details[i].max_tiles;
            return true;
        }
    }
    return problem_set(problem, 400, "invalid_value", param,
                       "%s.image_url.detail: expected auto, low, medium or high", param);
}

static bool add_picture(const json_t *part, const char *param, const struct chat_limits *limits,
                        struct chat_in *chat, struct problem *problem)
{
    const json_t *image = json_in_get(part, "image_url"), *url = image;
    json_int_t max_tiles = 0;
    struct chat_picture picture = {0}, *pictures;

    if (json_is_object(image)) {
        url = json_in_get(image, "url");
        if (!read_detail(image, param, &picture.max_tiles, problem) ||
            !json_in_integer(image, "max_dynamic_patch", 1, 256, &max_tiles, problem)) {
            return false;
        }
    }
    if (!json_is_string(url)) {
        return problem_set(problem, 400, "invalid_value", param,
                           "%s.image_url.url: expected a string", param);
    }
    if (chat->n_pictures == limits->max_images) {
        return problem_set(problem, 400, "too_many_images", param,
                           "expected at most %zu pictures in a request", limits->max_images);
    }
    pictures = realloc(chat->pictures, (chat->n_pictures + 1) * sizeof *pictures);
    if (pictures == NULL) {
        return problem_set_memory(problem);
    }
    chat->pictures = pictures;
    picture.url = json_string_value(url);
    picture.n_bytes = json_string_length(url);
    picture.max_tiles = max_tiles > 0 ? (size_t)max_tiles : picture.max_tiles;
    snprintf(picture.param, sizeof picture.param, "%s", param);
    pictures[chat->n_pictures++] = picture;
    return true;
}

/* One part of a message's content; *n_texts counts those of text. */
static bool read_part(const json_t *part, const char *param, bool is_user,
                      const struct chat_limits *limits, struct chat_in *chat, struct text_out *text,
                      size_t *n_texts, struct problem *problem)
{
    const char *type = json_string_value(json_in_get(part, "type"));
    const json_t *words = json_in_get(part, "text");

    if (type != NULL && strcmp(type, "text") == 0 && json_is_string(words)) {
        if ((*n_texts)++ > 0) {
            add(text, "\n", 1);
        }
        add(text, json_string_value(words), json_string_length(words));
        return true;
    }
    if (type != NULL && strcmp(type, "image_url") == 0 && is_user) {
        return add_picture(part, param, limits, chat, problem);
    }
    if (type != NULL && strcmp(type, "text") != 0 && strcmp(type, "image_url") != 0) {
        return problem_set(problem, 400, "unsupported_content", param,
                           "%s.type: parts of type \"%.32s\" are not supported", param, type);
    }
    return problem_set(problem, 400, "invalid_value", param,
                       is_user ? "%s: expected a part of type text, with text, or image_url"
                               : "%s: expected a part of type text, with text",
                       param);
}

/* A string, or parts; null is an empty text. */
static bool read_content(const json_t *message, size_t index, bool is_user,
                         const struct chat_limits *limits, struct chat_in *chat,
                         struct text_out *text, struct problem *problem)
{
    const json_t *content = json_in_get(message, "content");
    char param[64];
    size_t n_texts = 0;

    add(text, "", 0);
    if (content == NULL && !is_user) {
        return true;
    }
    if (json_is_string(content)) {
        add(text, json_string_value(content), json_string_length(content));
        return true;
    }
    if (!json_is_array(content)) {
        snprintf(param, sizeof param, "messages[%zu].content", index);
        return problem_set(problem, 400, "invalid_value", param,
                           "%s: expected a string or an array of parts", param);
    }
    for (size_t i = 0; i < json_array_size(content); i++) {
        snprintf(param, sizeof param, "messages[%zu].content[%zu]", index, i);
        if (!read_part(json_array_get(content, i), param, is_user, limits, chat, text, &n_texts,
                       problem)) {
            return false;
        }
    }
    return true;
}

/* Marks before the text, if there are pictures from `first` on and no marks. */
static bool place_pictures(const struct chat_in *chat, size_t first, size_t index,
                           struct text_out *text, struct problem *problem)
{
    size_t n_pictures = chat->n_pictures - first;
    size_t n_marks = text->failed ? 0 : count_marks(text);
    struct text_out placed = {0};
    char param[64], label[48];

    if (n_marks > 0 && n_marks != n_pictures) {
        snprintf(param, sizeof param, "messages[%zu]", index);
        return problem_set(problem, 400, "invalid_value", param,
                           "%s: expected as many " CHAT_IMAGE_MARK
                           " as pictures, or none, found %zu and %zu",
                           param, n_marks, n_pictures);
    }
    if (n_marks > 0 || n_pictures == 0) {
        return true;
    }
    for (size_t k = first; k < chat->n_pictures; k++) {
        snprintf(label, sizeof label, "Image-%zu: ", k + 1);
        add(&placed, label, n_pictures > 1 ? strlen(label) : 0);
        add(&placed, CHAT_IMAGE_MARK "\n", N_MARK + 1);
    }
    add(&placed, text->bytes != NULL ? text->bytes : "", text->n_bytes);
    free(text->bytes);
    placed.failed = placed.failed || text->failed;
    *text = placed;
    return true;
}

static bool read_turn(const json_t *message, size_t index, bool is_user,
                      const struct chat_limits *limits, struct chat_in *chat,
                      struct problem *problem)
{
    struct omma_turn *turn = &chat->turns[chat->n_turns];
    struct text_out text = {0};
    size_t first_picture = chat->n_pictures;
    bool is_good = read_content(message, index, is_user, limits, chat, &text, problem) &&
                   (!is_user || place_pictures(chat, first_picture, index, &text, problem));

    if (is_good && text.failed) {
        is_good = problem_set_memory(problem);
    }
    if (!is_good) {
        free(text.bytes);
        return false;
    }
    *turn = (struct omma_turn){.role = is_user ? OMMA_ROLE_USER : OMMA_ROLE_ASSISTANT,
                               .text = text.bytes,
                               .n_bytes = text.n_bytes};
    chat->n_turns++;
    return true;
}

/* The first message may be the system's; then user and assistant by turns. */
static bool read_message(const json_t *message, size_t index, const struct chat_limits *limits,
                         struct chat_in *chat, struct problem *problem)
{
    const char *role = json_string_value(json_in_get(message, "role"));
    const char *expected = chat->n_turns % 2 == 0 ? "user" : "assistant";
    char param[64];

    snprintf(param, sizeof param, "messages[%zu].role", index);
    if (role != NULL && index == 0 &&
        (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0)) {
        struct text_out text = {0};
        bool is_good = read_content(message, index, false, limits, chat, &text, problem);

        if (is_good && text.failed) {
            is_good = problem_set_memory(problem);
        }
        chat->system = text.bytes;
        chat->n_system = text.n_bytes;
        return is_good;
    }
    if (role == NULL || strcmp(role, expected) != 0) {
        return problem_set(problem, 400, "invalid_value", param,
                           "%s: expected %s: a system message or none, then user and assistant by "
                           "turns, user first and last",
                           param, expected);
    }
    return read_turn(message, index, chat->n_turns % 2 == 0, limits, chat, problem);
}

bool chat_in_read_messages(json_t *root, const struct chat_limits *limits, struct chat_in *chat,
                           struct problem *problem)
{
    const json_t *messages = json_in_get(root, "messages");
    size_t n = json_array_size(messages);

    *chat = (struct chat_in){.root = root};
    if (!json_is_array(messages) || n == 0) {
        return problem_set(problem, 400, "invalid_value", "messages",
                           "messages: expected an array of at least one message");
    }
    chat->turns = calloc(n, sizeof *chat->turns);
    if (chat->turns == NULL) {
        return problem_set_memory(problem);
    }
    for (size_t i = 0; i < n; i++) {
        if (!read_message(json_array_get(messages, i), i, limits, chat, problem)) {
            return false;
        }
    }
    if (chat->n_turns % 2 == 0) {
        return problem_set(problem, 400, "invalid_value", "messages",
                           "messages: expected the last one to be the user's");
    }
    return true;
}
