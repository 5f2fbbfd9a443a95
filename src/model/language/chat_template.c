/*
 * The template internvl2_5 (spec 5):
 *
 *     <|im_start|>system\n SYSTEM <|im_end|>\n
 *     <|im_start|>user\n QUESTION <|im_end|>\n <|im_start|>assistant\n ANSWER <|im_end|>\n ...
 *     <|im_start|>assistant\n
 *
 * Only the template's own control tokens become control tokens; the text between two of them - the
 * template's "user\n" and the user's words together - is tokenized as one run, because the
 * pre-tokenizer joins what meets there.  An answer in the history may hold <ref>, <box> and <quad>,
 * which the reference reads back as the tokens they were; those are recognised in answers, and
 * nothing else unless the caller asks for it.
 */
#include "model/language/chat_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "model/language/tokenizer_text.h"
#include "base/utf8.h"

/* SHA-256 bdb4d179c4c458dd9bd365588d3fd15aba0f2b755b4b192383416f610ad3396e (spec 5.1) */
static const char template_system[] = "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清"
                                      "华大学及多家合作单位联合开发的多模态大语言"
                                      "模型。";

static const char default_mark[] = "<image>";

struct writer {
    const struct omma_tokenizer *tokenizer;
    const struct omma_template_ids *ids;
    const struct omma_conversation *conversation;
    const size_t *n_image_tokens; /* [conversation->n_images] */
    size_t n_images_placed;
    const char *mark;              /* of a picture's place */
    enum omma_recognise recognise; /* in the run */
    char *run;                     /* text since the last control token */
    size_t n_run, capacity;
    struct omma_token_list list;
    struct omma_error *error;
};

static enum omma_status add_text(struct writer *writer, const char *text, size_t n_bytes)
{
    size_t needed;

    if (!omma_checked_add(writer->n_run, n_bytes, &needed) || needed > SIZE_MAX / 4) {
        return omma_fail_memory(writer->error, n_bytes, "the prompt");
    }
    if (needed > writer->capacity) {
        size_t capacity = omma_max(256, 2 * needed);
        char *grown = realloc(writer->run, capacity);

        if (grown == NULL) {
            return omma_fail_memory(writer->error, capacity, "the prompt");
        }
        writer->run = grown;
        writer->capacity = capacity;
    }
    if (n_bytes > 0) {
        memcpy(writer->run + writer->n_run, text, n_bytes);
    }
    writer->n_run = needed;
    return OMMA_OK;
}

static enum omma_status add_string(struct writer *writer, const char *text)
{
    return add_text(writer, text, strlen(text));
}

/* Tokenize the run and end it with a control token. */
static enum omma_status add_control(struct writer *writer, int32_t id, size_t n_times)
{
    OMMA_TRY(omma_tokenizer_append(writer->tokenizer, writer->run, writer->n_run, writer->recognise,
                                   &writer->list, writer->error));
    writer->n_run = 0;
    return omma_token_list_add(&writer->list, id, n_times, writer->error);
}

static enum omma_status add_image(struct writer *writer)
{
    size_t n_tokens = writer->n_image_tokens[writer->n_images_placed++];

    OMMA_TRY(add_control(writer, writer->ids->image_start, 1));
    OMMA_TRY(add_control(writer, writer->ids->context, n_tokens));
    return add_control(writer, writer->ids->image_end, 1);
}

static enum omma_status begin_turn(struct writer *writer, const char *role,
                                   enum omma_recognise recognise)
{
    OMMA_TRY(add_control(writer, writer->ids->im_start, 1));
    writer->recognise = recognise;
    OMMA_TRY(add_string(writer, role));
    return add_string(writer, "\n");
}

static enum omma_status end_turn(struct writer *writer)
{
    OMMA_TRY(add_control(writer, writer->ids->im_end, 1));
    writer->recognise = OMMA_RECOGNISE_NONE;
    return add_string(writer, "\n");
}

static enum omma_recognise recognise_in_text(const struct omma_conversation *conversation)
{
    return conversation->special == OMMA_SPECIAL_REFERENCE ? OMMA_RECOGNISE_ALL
                                                           : OMMA_RECOGNISE_NONE;
}

static enum omma_status add_system(struct writer *writer, const char *default_system)
{
    const struct omma_conversation *conversation = writer->conversation;
    const char *text = conversation->system;
    size_t n_bytes = conversation->n_system_bytes;
    enum omma_recognise recognise = recognise_in_text(conversation);

    if (text == NULL) {
        text = default_system != NULL ? default_system : template_system;
        n_bytes = strlen(text);
        recognise = OMMA_RECOGNISE_NONE;
    }
    OMMA_TRY(omma_tokenizer_check_text(writer->tokenizer, "system message", text, n_bytes,
                                       conversation->system != NULL ? conversation->special
                                                                    : OMMA_SPECIAL_LITERAL,
                                       writer->error));
    if (n_bytes == 0) {
        return OMMA_OK;
    }
    OMMA_TRY(begin_turn(writer, "system", recognise));
    OMMA_TRY(add_text(writer, text, n_bytes));
    return end_turn(writer);
}

/* The pictures before the first user turn's text. */
static enum omma_status add_leading_images(struct writer *writer)
{
    size_t n_images = writer->conversation->n_images;
    char label[48];

    for (size_t k = 0; k < n_images; k++) {
        if (n_images > 1) {
            snprintf(label, sizeof label, "Image-%zu: ", k + 1);
            OMMA_TRY(add_string(writer, label));
        }
        OMMA_TRY(add_image(writer));
        OMMA_TRY(add_string(writer, "\n"));
    }
    return OMMA_OK;
}

static const char *find_mark(const struct writer *writer, const char *text, size_t n_bytes)
{
    return n_bytes > 0 ? memmem(text, n_bytes, writer->mark, strlen(writer->mark)) : NULL;
}

static size_t count_marks(const struct writer *writer, const char *text, size_t n_bytes)
{
    const char *end = text + n_bytes, *found;
    size_t n = 0;

    while ((found = find_mark(writer, text, (size_t)(end - text))) != NULL) {
        n++;
        text = found + strlen(writer->mark);
    }
    return n;
}

/* An empty text leaves the turn open, as the reference has it (spec 5.1). */
static enum omma_status add_user(struct writer *writer, const struct omma_turn *turn,
                                 bool is_leading)
{
    const char *text = turn->n_bytes > 0 ? turn->text : "", *end = text + turn->n_bytes, *found;

    OMMA_TRY(begin_turn(writer, "user", recognise_in_text(writer->conversation)));
    if (is_leading) {
        OMMA_TRY(add_leading_images(writer));
    } else if (turn->n_bytes == 0) {
        return OMMA_OK;
    }
    while ((found = find_mark(writer, text, (size_t)(end - text))) != NULL) {
        OMMA_TRY(add_text(writer, text, (size_t)(found - text)));
        OMMA_TRY(add_image(writer));
        text = found + strlen(writer->mark);
    }
    OMMA_TRY(add_text(writer, text, (size_t)(end - text)));
    return end_turn(writer);
}

/* What Python's str.strip() takes off. */
static bool is_python_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
           code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

static void strip(const char **text, size_t *n_bytes)
{
    size_t begin = *n_bytes, end = 0, length;

    for (size_t at = 0; at < *n_bytes; at += length) {
        uint32_t code = 0;

        omma_utf8_next(*text + at, *n_bytes - at, &length, &code);
        if (!is_python_space(code)) {
            begin = omma_min(begin, at);
            end = at + length;
        }
    }
    *text += begin;
    *n_bytes = end > begin ? end - begin : 0;
}

static enum omma_status add_answer(struct writer *writer, const struct omma_turn *turn)
{
    const char *text = turn->n_bytes > 0 ? turn->text : "";
    size_t n_bytes = turn->n_bytes;

    strip(&text, &n_bytes);
    OMMA_TRY(begin_turn(writer, "assistant",
                        writer->conversation->special == OMMA_SPECIAL_REFERENCE
                            ? OMMA_RECOGNISE_ALL
                            : OMMA_RECOGNISE_MARKUP));
    if (n_bytes == 0) {
        return OMMA_OK;
    }
    OMMA_TRY(add_text(writer, text, n_bytes));
    return end_turn(writer);
}

/* Roles, texts, and as many places as pictures; *has_places tells whether there are any. */
static enum omma_status check_turns(const struct writer *writer, bool *has_places)
{
    const struct omma_conversation *conversation = writer->conversation;
    size_t n_places = 0;
    char name[48];

    if (conversation->n_turns % 2 == 0) {
        return omma_fail(
            writer->error, OMMA_STATUS_PROMPT,
            "conversation: expected turns of user and assistant by turns, user first and "
            "last, found %zu turns",
            conversation->n_turns);
    }
    for (size_t i = 0; i < conversation->n_turns; i++) {
        const struct omma_turn *turn = &conversation->turns[i];
        bool is_user = turn->role == OMMA_ROLE_USER;

        snprintf(name, sizeof name, "turn %zu (%s)", i + 1, is_user ? "user" : "assistant");
        if (is_user != (i % 2 == 0)) {
            return omma_fail(writer->error, OMMA_STATUS_PROMPT,
                             "%s: expected the role %s: user and assistant by turns, user first",
                             name, is_user ? "assistant" : "user");
        }
        OMMA_TRY(omma_tokenizer_check_text(writer->tokenizer, name, turn->text, turn->n_bytes,
                                           is_user ? conversation->special : OMMA_SPECIAL_LITERAL,
                                           writer->error));
        n_places +=
            is_user && turn->n_bytes > 0 ? count_marks(writer, turn->text, turn->n_bytes) : 0;
    }
    if (n_places > 0 && n_places != conversation->n_images) {
        return omma_fail(writer->error, OMMA_STATUS_PROMPT,
                         "conversation: expected as many %s as pictures, found %zu and %zu",
                         writer->mark, n_places, conversation->n_images);
    }
    *has_places = n_places > 0;
    return OMMA_OK;
}

/* Where names in the text are recognised, a user may write context ids that no picture stands for.
 */
static enum omma_status check_context_ids(const struct writer *writer)
{
    size_t n_expected = 0, n_found = 0;

    for (size_t k = 0; k < writer->conversation->n_images; k++) {
        n_expected += writer->n_image_tokens[k];
    }
    for (size_t i = 0; i < writer->list.n_tokens; i++) {
        n_found += writer->list.ids[i] == writer->ids->context;
    }
    if (n_found != n_expected) {
        return omma_fail(
            writer->error, OMMA_STATUS_PROMPT,
            "conversation: expected %zu <IMG_CONTEXT> for %zu pictures, found %zu: the "
            "text has some of its own",
            n_expected, writer->conversation->n_images, n_found);
    }
    return OMMA_OK;
}

static enum omma_status render(struct writer *writer, const char *default_system)
{
    const struct omma_conversation *conversation = writer->conversation;
    bool has_places = false;

    OMMA_TRY(check_turns(writer, &has_places));
    OMMA_TRY(add_system(writer, default_system));
    for (size_t i = 0; i < conversation->n_turns; i++) {
        const struct omma_turn *turn = &conversation->turns[i];

        if (turn->role == OMMA_ROLE_USER) {
            OMMA_TRY(add_user(writer, turn, i == 0 && !has_places && conversation->n_images > 0));
        } else {
            OMMA_TRY(add_answer(writer, turn));
        }
    }
    OMMA_TRY(begin_turn(writer, "assistant", OMMA_RECOGNISE_NONE));
    OMMA_TRY(omma_tokenizer_append(writer->tokenizer, writer->run, writer->n_run, writer->recognise,
                                   &writer->list, writer->error));
    return check_context_ids(writer);
}

enum omma_status omma_chat_template_render(const struct omma_tokenizer *tokenizer,
                                           const struct omma_conversation *conversation,
                                           const size_t *n_image_tokens, const char *default_system,
                                           struct omma_tokens *tokens, struct omma_error *error)
{
    const char *mark = conversation->image_mark;
    struct writer writer = {.tokenizer = tokenizer,
                            .ids = omma_tokenizer_template_ids(tokenizer),
                            .conversation = conversation,
                            .n_image_tokens = n_image_tokens,
                            .mark = mark != NULL ? mark : default_mark,
                            .error = error};
    enum omma_status status = render(&writer, default_system);

    free(writer.run);
    if (status != OMMA_OK) {
        omma_token_list_free(&writer.list);
        return status;
    }
    omma_token_list_give(&writer.list, tokens);
    return OMMA_OK;
}
