/*
 * message.h - what the program tells on standard error: errors, warnings, progress, timings.
 *
 * Progress is one line that is rewritten, on a terminal only; with -v and no terminal each step is
 * a line of its own.  Colours: on a terminal unless NO_COLOR is set or TERM is "dumb". The
 * functions may be called from any thread; a lock on stderr keeps lines whole.
 */
#ifndef OMMA_TOOLS_MESSAGE_H
#define OMMA_TOOLS_MESSAGE_H

#include "api/omma.h"

struct messages {
    char name[64];    /* what lines begin with: "omma run" */
    bool is_terminal; /* standard error is one */
    bool can_rewrite; /* and can take a line back */
    bool has_color;
    bool verbose;      /* -v */
    bool is_line_open; /* a progress line stands on the terminal */
};

void messages_init(struct messages *messages);

/* From here on lines begin with the name of the command. */
void messages_set_name(struct messages *messages, const char *command);

/* "NAME: error: ..." */
void message_error(struct messages *messages, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void message_warning(struct messages *messages, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line for a terminal or -v: timings, what was chosen. */
void message_note(struct messages *messages, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is being done now: "encoding tile 3 of 13". */
void message_progress(struct messages *messages, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Take the progress line away, before something else is written to the terminal. */
void message_progress_end(struct messages *messages);

/* The library's log as messages: warnings always, information with -v. */
struct omma_log messages_log(struct messages *messages);

/* For what only -v shows: damage in pictures that are accepted. */
struct omma_log messages_log_verbose(struct messages *messages);

#endif
