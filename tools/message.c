/* Messages on standard error.  stdio's own lock on stderr guards is_line_open as well. */
#include "tools/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void messages_init(struct messages *messages)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    *messages = (struct messages){.name = "omma", .is_terminal = isatty(STDERR_FILENO) == 1};
    messages->can_rewrite =
        messages->is_terminal && terminal != NULL && strcmp(terminal, "dumb") != 0;
    messages->has_color = messages->can_rewrite && (no_color == NULL || *no_color == '\0');
}

void messages_set_name(struct messages *messages, const char *command)
{
    snprintf(messages->name, sizeof messages->name, "omma %s", command);
}

/* Under the lock. */
static void clear_line(struct messages *messages)
{
    if (messages->is_line_open) {
        fputs("\r\033[K", stderr);
        messages->is_line_open = false;
    }
}

/* One whole line.  kind: "error", "warning" or NULL; color: its SGR parameters. */
static void __attribute__((format(printf, 4, 0)))
write_line(struct messages *messages, const char *kind, const char *color, const char *format,
           va_list arguments)
{
    flockfile(stderr);
    clear_line(messages);
    fprintf(stderr, "%s: ", messages->name);
    if (kind != NULL && messages->has_color) {
        fprintf(stderr, "\033[%sm%s:\033[0m ", color, kind);
    } else if (kind != NULL) {
        fprintf(stderr, "%s: ", kind);
    }
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    fflush(stderr);
    funlockfile(stderr);
}

void message_error(struct messages *messages, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(messages, "error", "1;31", format, arguments);
    va_end(arguments);
}

void message_warning(struct messages *messages, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(messages, "warning", "1;33", format, arguments);
    va_end(arguments);
}

void message_note(struct messages *messages, const char *format, ...)
{
    va_list arguments;

    if (!messages->is_terminal && !messages->verbose) {
        return;
    }
    va_start(arguments, format);
    write_line(messages, NULL, NULL, format, arguments);
    va_end(arguments);
}

void message_progress(struct messages *messages, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (messages->can_rewrite) {
        flockfile(stderr);
        clear_line(messages);
        vfprintf(stderr, format, arguments);
        fflush(stderr);
        messages->is_line_open = true;
        funlockfile(stderr);
    } else if (messages->verbose) {
        write_line(messages, NULL, NULL, format, arguments);
    }
    va_end(arguments);
}

void message_progress_end(struct messages *messages)
{
    flockfile(stderr);
    clear_line(messages);
    fflush(stderr);
    funlockfile(stderr);
}

static void log_verbose(void *user, enum omma_log_level level, const char *text)
{
    struct messages *messages = user;

    if (!messages->verbose) {
        return;
    }
    if (level == OMMA_LOG_WARNING) {
        message_warning(messages, "%s", text);
    } else {
        message_note(messages, "%s", text);
    }
}

static void log_warnings(void *user, enum omma_log_level level, const char *text)
{
    if (level == OMMA_LOG_WARNING) {
        message_warning(user, "%s", text);
    } else {
        log_verbose(user, level, text);
    }
}

struct omma_log messages_log(struct messages *messages)
{
    return (struct omma_log){.write = log_warnings, .user = messages};
}

struct omma_log messages_log_verbose(struct messages *messages)
{
    return (struct omma_log){.write = log_verbose, .user = messages};
}
