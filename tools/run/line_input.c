/*
 * Standard input by lines.  Both ways wait in poll(2) for input or for a signal that was noted, so
 * that Ctrl-C is never lost between looking and reading.
 */
#include "tools/run/line_input.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "tools/signals.h"

#define PROMPT "> "

enum { HISTORY_LINES = 1000 };

struct line_input {
    bool is_terminal;
    EditLine *editor; /* NULL: plain reading */
    History *history;
    char *bytes; /* plain: read, not yet handed out */
    size_t n_bytes, n_capacity;
    size_t n_taken; /* of bytes: handed out by the last call */
    bool is_at_end;
};

enum wait_result { WAIT_INPUT, WAIT_SIGNAL, WAIT_ERROR };

static enum wait_result wait_for_input(void)
{
    struct pollfd descriptors[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                    {.fd = signals_descriptor(), .events = POLLIN}};

    for (;;) {
        int n = poll(descriptors, 2, -1);

        if (signals_noted() != 0) {
            return WAIT_SIGNAL;
        }
        if (n > 0 && descriptors[0].revents != 0) {
            return WAIT_INPUT;
        }
        if (n < 0 && errno != EINTR) {
            return WAIT_ERROR;
        }
    }
}

/* libedit's way to a character: 1, 0 at the end, -1 for a signal. */
static int read_character(EditLine *editor, wchar_t *character)
{
    mbstate_t state = {0};
    size_t n;
    char byte;

    (void)editor;
    do {
        if (wait_for_input() != WAIT_INPUT) {
            return -1;
        }
        if (read(STDIN_FILENO, &byte, 1) != 1) {
            return 0;
        }
        n = mbrtowc(character, &byte, 1, &state);
        if (n == (size_t)-1) {
            *character = L'?';
        }
    } while (n == (size_t)-2);
    return 1;
}

/* libedit wants what it may write to, though it does not. */
static char *prompt(EditLine *editor)
{
    static char text[] = PROMPT;

    (void)editor;
    return text;
}

/* Editing needs a terminal for input and output, and one that libedit can steer. */
static bool can_edit(void)
{
    const char *terminal = getenv("TERM");

    return isatty(STDIN_FILENO) && (isatty(STDOUT_FILENO) || isatty(STDERR_FILENO)) &&
           terminal != NULL && *terminal != '\0' && strcmp(terminal, "dumb") != 0;
}

static enum omma_status start_editor(struct line_input *input, struct omma_error *error)
{
    FILE *output = isatty(STDOUT_FILENO) ? stdout : stderr;
    HistEvent event;

    input->history = history_init();
    input->editor = el_init("omma", stdin, output, stderr);
    if (input->history == NULL || input->editor == NULL) {
        return fail(error, OMMA_STATUS_RESOURCES, "line editing cannot start on this terminal");
    }
    history(input->history, &event, H_SETSIZE, HISTORY_LINES);
    history(input->history, &event, H_SETUNIQUE, 1);
    el_set(input->editor, EL_PROMPT, prompt);
    el_set(input->editor, EL_EDITOR, "emacs");
    el_set(input->editor, EL_HIST, history, input->history);
    el_set(input->editor, EL_GETCFN, read_character);
    el_source(input->editor, NULL);
    return OMMA_OK;
}

enum omma_status line_input_create(struct line_input **input, struct omma_error *error)
{
    struct line_input *created = calloc(1, sizeof *created);
    enum omma_status status = OMMA_OK;

    if (created == NULL) {
        return fail_memory(error);
    }
    created->is_terminal = isatty(STDIN_FILENO) == 1;
    if (can_edit()) {
        status = start_editor(created, error);
    }
    if (status != OMMA_OK) {
        line_input_destroy(&created);
        return status;
    }
    *input = created;
    return OMMA_OK;
}

void line_input_destroy(struct line_input **input)
{
    if (*input == NULL) {
        return;
    }
    if ((*input)->editor != NULL) {
        el_end((*input)->editor);
    }
    if ((*input)->history != NULL) {
        history_end((*input)->history);
    }
    free((*input)->bytes);
    free(*input);
    *input = NULL;
}

bool line_input_is_terminal(const struct line_input *input)
{
    return input->is_terminal;
}

static void read_edited(struct line_input *input, struct text *line, enum line_event *event)
{
    HistEvent entry;
    int n = 0;
    const char *bytes = el_gets(input->editor, &n);

    if (bytes == NULL || n <= 0) {
        *event = signals_noted() != 0 ? LINE_INTERRUPTED : LINE_END;
        return;
    }
    *event = LINE_READ;
    *line = (struct text){.bytes = (char *)bytes, .n_bytes = (size_t)n};
    if (bytes[n - 1] == '\n') {
        line->n_bytes--;
    }
    if (line->n_bytes > 0) {
        history(input->history, &entry, H_ENTER, bytes);
    }
}

/* Read more behind bytes[0..n_bytes). */
static enum omma_status fill(struct line_input *input, enum line_event *event,
                             struct omma_error *error)
{
    enum wait_result waited = wait_for_input();
    ssize_t n;

    if (waited == WAIT_SIGNAL) {
        *event = LINE_INTERRUPTED;
        return OMMA_OK;
    }
    if (input->n_capacity - input->n_bytes < 4096) {
        size_t capacity = 2 * input->n_capacity + 8192;
        char *bytes = realloc(input->bytes, capacity);

        if (bytes == NULL) {
            return fail_memory(error);
        }
        input->bytes = bytes;
        input->n_capacity = capacity;
    }
    n = waited == WAIT_INPUT ? read(STDIN_FILENO, input->bytes + input->n_bytes, 4096) : -1;
    if (n < 0 && errno != EINTR && errno != EAGAIN) {
        return fail(error, OMMA_STATUS_PROMPT, "standard input: %s", strerror(errno));
    }
    input->is_at_end = n == 0;
    input->n_bytes += n > 0 ? (size_t)n : 0;
    return OMMA_OK;
}

static enum omma_status read_plain(struct line_input *input, struct text *line,
                                   enum line_event *event, struct omma_error *error)
{
    if (input->n_taken > 0) {
        input->n_bytes -= input->n_taken;
        memmove(input->bytes, input->bytes + input->n_taken, input->n_bytes);
        input->n_taken = 0;
    }
    for (*event = LINE_READ; *event == LINE_READ;) {
        char *newline = input->n_bytes > 0 ? memchr(input->bytes, '\n', input->n_bytes) : NULL;

        if (newline != NULL || (input->is_at_end && input->n_bytes > 0)) {
            size_t n = newline != NULL ? (size_t)(newline - input->bytes) : input->n_bytes;

            *line = (struct text){.bytes = input->bytes, .n_bytes = n};
            input->n_taken = newline != NULL ? n + 1 : n;
            return OMMA_OK;
        }
        if (input->is_at_end) {
            *event = LINE_END;
            return OMMA_OK;
        }
        TRY(fill(input, event, error));
    }
    return OMMA_OK;
}

enum omma_status line_input_read(struct line_input *input, struct text *line,
                                 enum line_event *event, struct omma_error *error)
{
    if (input->editor != NULL) {
        read_edited(input, line, event);
        return OMMA_OK;
    }
    if (input->is_terminal) {
        fputs(PROMPT, stderr);
        fflush(stderr);
    }
    return read_plain(input, line, event, error);
}
