/*
 * The loop of a conversation: a line is a command or a question.  Pictures that were added since
 * the last question are placed before it by <image>, so that they stay where they are when later
 * ones come; in the first turn this is what the reference does.  A question that fails leaves no
 * trace.
 */
#include "tools/run/chat.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/run/line_input.h"
#include "tools/run/transcript.h"
#include "tools/signals.h"

#define PLACEHOLDER "<image>"

static const char help_text[] = "/image FILE  add a picture to the next question\n"
                                "/reset       forget the conversation and its pictures\n"
                                "/save FILE   write the conversation as JSON\n"
                                "/help        this text\n"
                                "/quit        end, as Ctrl-D does\n";

/* What is left of a line behind the word and white space; NULL if it begins with another word. */
static const char *argument_of(const char *line, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(line, word, n) != 0 || strchr(" \t", line[n]) == NULL) {
        return NULL;
    }
    return line + n + strspn(line + n, " \t");
}

static void reset(struct chat *chat)
{
    conversation_clear(&chat->conversation);
    pictures_clear(chat->pictures);
    chat->n_placed = 0;
}

static enum omma_status add_picture(struct chat *chat, const char *path, struct omma_error *error)
{
    const struct omma_image_info *info;

    if (*path == '\0') {
        return fail(error, OMMA_STATUS_USAGE, "/image: expected FILE, found nothing");
    }
    TRY(pictures_add(chat->pictures, &path, 1, error));
    info = omma_image_info(chat->pictures->images[chat->pictures->n_pictures - 1]);
    message_note(chat->messages, "%s: %zu x %zu pixels, %zu tiles, %zu tokens", path, info->width,
                 info->height, info->grid.n_tiles, info->n_tokens);
    return OMMA_OK;
}

static enum omma_status save(const struct chat *chat, const char *path, struct omma_error *error)
{
    const struct omma_conversation *common = &chat->request->conversation;

    if (*path == '\0') {
        return fail(error, OMMA_STATUS_USAGE, "/save: expected FILE, found nothing");
    }
    TRY(transcript_save(path, omma_model_info(chat->model), common->system, common->n_system_bytes,
                        &chat->conversation, chat->pictures, error));
    message_note(chat->messages, "%s: %zu turns", path, chat->conversation.n_turns);
    return OMMA_OK;
}

/* A line that begins with a slash. */
static enum omma_status run_command(struct chat *chat, const char *line, bool *is_over,
                                    struct omma_error *error)
{
    const char *argument;

    if ((argument = argument_of(line, "/image")) != NULL) {
        return add_picture(chat, argument, error);
    }
    if ((argument = argument_of(line, "/save")) != NULL) {
        return save(chat, argument, error);
    }
    if (argument_of(line, "/reset") != NULL) {
        reset(chat);
        return OMMA_OK;
    }
    if (argument_of(line, "/help") != NULL) {
        fputs(help_text, stderr);
        return OMMA_OK;
    }
    if (argument_of(line, "/quit") != NULL) {
        *is_over = true;
        return OMMA_OK;
    }
    return fail(error, OMMA_STATUS_USAGE,
                "%.*s: no such command; /help tells them (a space before a question that begins "
                "with a slash)",
                (int)strcspn(line, " \t"), line);
}

/* The question with the placeholders of new pictures before it, unless it places them itself. */
static enum omma_status place_pictures(const struct chat *chat, const struct text *question,
                                       struct text *placed, struct omma_error *error)
{
    size_t n_new = chat->pictures->n_pictures - chat->n_placed;
    bool places_itself =
        memmem(question->bytes, question->n_bytes, PLACEHOLDER, strlen(PLACEHOLDER)) != NULL;
    char *bytes = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&bytes, &n_bytes);

    if (stream == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n_new && !places_itself; i++) {
        if (n_new > 1) {
            fprintf(stream, "Image-%zu: ", chat->n_placed + i + 1);
        }
        fputs(PLACEHOLDER "\n", stream);
    }
    fwrite(question->bytes, 1, question->n_bytes, stream);
    if (fclose(stream) != 0) {
        free(bytes);
        return fail_memory(error);
    }
    *placed = (struct text){.bytes = bytes, .n_bytes = n_bytes};
    return OMMA_OK;
}

/* Answer the conversation as it stands and append the answer. */
static enum omma_status answer_turns(struct chat *chat, bool is_printed, struct answer *answer,
                                     struct omma_error *error)
{
    struct omma_request request = *chat->request;
    enum omma_status status;
    const char *text;
    size_t n_bytes;

    request.conversation.turns = chat->conversation.turns;
    request.conversation.n_turns = chat->conversation.n_turns;
    request.conversation.images = (const struct omma_image *const *)chat->pictures->images;
    request.conversation.n_images = chat->pictures->n_pictures;
    status = answer_generate(chat->session, &request, chat->messages, is_printed, answer, error);
    text = answer_text(answer, &n_bytes);
    if (status == OMMA_OK) {
        answer_note(answer, chat->messages);
        if (n_bytes > 0) {
            status =
                conversation_add(&chat->conversation, OMMA_ROLE_ASSISTANT, text, n_bytes, error);
        }
    }
    return status;
}

/* A turn without an answer is taken back: the template cannot hold an empty one. */
enum omma_status chat_ask(struct chat *chat, const struct text *question, bool is_printed,
                          struct answer *answer, struct omma_error *error)
{
    size_t n_turns = chat->conversation.n_turns;
    struct text placed = {0};
    enum omma_status status;

    *answer = (struct answer){.finish = OMMA_FINISH_ERROR};
    TRY(place_pictures(chat, question, &placed, error));
    status =
        conversation_add(&chat->conversation, OMMA_ROLE_USER, placed.bytes, placed.n_bytes, error);
    text_free(&placed);
    if (status == OMMA_OK) {
        status = answer_turns(chat, is_printed, answer, error);
    }
    if (chat->conversation.n_turns == n_turns + 2) {
        chat->n_placed = chat->pictures->n_pictures;
    } else {
        conversation_truncate(&chat->conversation, n_turns);
    }
    return status;
}

/* After Ctrl-C or an end signal: the exit code, or -1 to go on. */
static int take_signal(struct chat *chat)
{
    int number = signals_noted();

    if (number != SIGINT) {
        return number == 0 ? -1 : 128 + number;
    }
    signals_forget_interrupt();
    if (chat->was_interrupted) {
        return EXIT_INTERRUPTED;
    }
    chat->was_interrupted = true;
    message_note(chat->messages, "Ctrl-C again ends the program");
    return -1;
}

/* Whether the conversation can go on after such a failure. */
static bool is_passing(enum omma_status status)
{
    return status == OMMA_STATUS_USAGE || status == OMMA_STATUS_IMAGE ||
           status == OMMA_STATUS_PROMPT;
}

static enum omma_status take_line(struct chat *chat, const struct text *line, bool *is_over,
                                  struct omma_error *error)
{
    char *copy;
    enum omma_status status;

    if (line->n_bytes == 0) {
        return OMMA_OK;
    }
    if (line->bytes[0] != '/') {
        struct answer answer;

        status = chat_ask(chat, line, true, &answer, error);
        answer_release(&answer);
        return status;
    }
    copy = strndup(line->bytes, line->n_bytes);
    if (copy == NULL) {
        return fail_memory(error);
    }
    for (size_t n = strlen(copy); n > 0 && strchr(" \t\r", copy[n - 1]) != NULL; n--) {
        copy[n - 1] = '\0';
    }
    status = run_command(chat, copy, is_over, error);
    free(copy);
    return status;
}

static int loop(struct chat *chat, struct line_input *input, struct omma_error *error)
{
    bool is_over = false, has_failed = false;

    while (!is_over) {
        struct text line;
        enum line_event event;
        enum omma_status status;

        TRY(line_input_read(input, &line, &event, error));
        if (event == LINE_READ) {
            chat->was_interrupted = false;
            status = take_line(chat, &line, &is_over, error);
            if (status != OMMA_OK && !is_passing(status)) {
                return status;
            }
            if (status != OMMA_OK) {
                message_error(chat->messages, "%s", error->message);
                error->message[0] = '\0';
                has_failed = true;
            }
        } else if (line_input_is_terminal(input)) {
            fputc('\n', stderr); /* what comes next begins a line */
        }
        if (event == LINE_END) {
            break;
        }
        int code = take_signal(chat);
        if (code >= 0) {
            return code;
        }
    }
    return has_failed && !line_input_is_terminal(input) ? EXIT_SOME_FAILED : OMMA_OK;
}

int chat_run(struct chat *chat, struct omma_error *error)
{
    struct line_input *input = NULL;
    int code = line_input_create(&input, error);

    if (code == OMMA_OK) {
        signals_note(true);
        if (line_input_is_terminal(input)) {
            message_note(chat->messages, "/help tells the commands, Ctrl-D ends");
        }
        code = loop(chat, input, error);
        signals_note(false);
    }
    line_input_destroy(&input);
    return code;
}
