/*
 * line_input.h - lines that a person or a pipe gives.
 *
 * On a terminal libedit reads them, with editing and a history for as long as the program runs;
 * else they are read plainly.
 */
#ifndef OMMA_TOOLS_RUN_LINE_INPUT_H
#define OMMA_TOOLS_RUN_LINE_INPUT_H

#include "tools/status.h"
#include "tools/text_in.h"

struct line_input;

enum line_event {
    LINE_READ,        /* a line */
    LINE_END,         /* end of input */
    LINE_INTERRUPTED, /* a signal was noted: signals_noted() */
};

/* Standard input. */
enum omma_status line_input_create(struct line_input **input, struct omma_error *error);
void line_input_destroy(struct line_input **input);

/* Whether a person is at the other end. */
bool line_input_is_terminal(const struct line_input *input);

/* The next line without its newline; *line is valid until the next call. */
enum omma_status line_input_read(struct line_input *input, struct text *line,
                                 enum line_event *event, struct omma_error *error);

#endif
