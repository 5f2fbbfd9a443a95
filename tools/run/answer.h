/*
 * answer.h - one answer: the request's events to text, printed as it comes.
 */
#ifndef OMMA_TOOLS_RUN_ANSWER_H
#define OMMA_TOOLS_RUN_ANSWER_H

#include "tools/message.h"
#include "tools/status.h"

struct answer {
    char *text; /* all that came */
    size_t n_text;
    size_t n_capacity;
    size_t n_printed; /* of text, leading white space among it */
    int32_t *ids;
    size_t n_ids;
    size_t n_ids_capacity;
    enum omma_finish finish;
    struct omma_usage usage;
    struct omma_timings timings;
};

/* Submit the request and wait for its end.  With is_printed the text goes to standard output
 * without the white space at its ends, and a newline behind it.  An answer that was cancelled is
 * one too. *answer is filled as far as it came, also on failure; release with answer_release(). */
enum omma_status answer_generate(struct omma_session *session, const struct omma_request *request,
                                 struct messages *messages, bool is_printed, struct answer *answer,
                                 struct omma_error *error);

/* The text without the white space at its ends, as the reference returns it. */
const char *answer_text(const struct answer *answer, size_t *n_bytes);

/* Speeds, for a terminal or -v. */
void answer_note(const struct answer *answer, struct messages *messages);

void answer_release(struct answer *answer);

#endif
