/*
 * Events of a request to an answer.  White space at the end of what came so far is held back, since
 * nothing may follow it.
 */
#include "tools/run/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/output.h"
#include "tools/signals.h"
#include "tools/utf8.h"

static enum omma_status append_text(struct answer *answer, const char *bytes, size_t n_bytes,
                                    struct omma_error *error)
{
    if (answer->n_capacity - answer->n_text < n_bytes) {
        size_t capacity = 2 * answer->n_capacity + n_bytes + 256;
        char *text = realloc(answer->text, capacity);

        if (text == NULL) {
            return fail_memory(error);
        }
        answer->text = text;
        answer->n_capacity = capacity;
    }
    if (n_bytes > 0) {
        memcpy(answer->text + answer->n_text, bytes, n_bytes);
    }
    answer->n_text += n_bytes;
    return OMMA_OK;
}

static enum omma_status append_id(struct answer *answer, int32_t id, struct omma_error *error)
{
    if (answer->n_ids == answer->n_ids_capacity) {
        size_t capacity = 2 * answer->n_ids_capacity + 64;
        int32_t *ids = realloc(answer->ids, capacity * sizeof *ids);

        if (ids == NULL) {
            return fail_memory(error);
        }
        answer->ids = ids;
        answer->n_ids_capacity = capacity;
    }
    answer->ids[answer->n_ids++] = id;
    return OMMA_OK;
}

const char *answer_text(const struct answer *answer, size_t *n_bytes)
{
    size_t begin, end;

    if (answer->n_text == 0) {
        *n_bytes = 0;
        return "";
    }
    utf8_strip(answer->text, answer->n_text, &begin, &end);
    *n_bytes = end - begin;
    return answer->text + begin;
}

/* Print what is certain to belong to the answer. */
static enum omma_status print_new(struct answer *answer, struct omma_error *error)
{
    size_t n_bytes, start, end;
    const char *text = answer_text(answer, &n_bytes);

    if (n_bytes == 0) {
        return OMMA_OK;
    }
    start = (size_t)(text - answer->text);
    end = start + n_bytes;
    start = answer->n_printed > start ? answer->n_printed : start;
    answer->n_printed = end;
    return output_write_text(answer->text + start, end - start, error);
}

static void show_progress(const struct omma_event *event, struct messages *messages)
{
    if (event->phase == OMMA_PHASE_ENCODE) {
        message_progress(messages, "encoding pictures: tile %zu of %zu", event->n_done,
                         event->n_total);
    } else {
        message_progress(messages, "reading the prompt: %zu of %zu tokens", event->n_done,
                         event->n_total);
    }
}

static enum omma_status take_text(struct answer *answer, const struct omma_event *event,
                                  struct messages *messages, bool is_printed,
                                  struct omma_error *error)
{
    TRY(append_text(answer, event->text, event->n_bytes, error));
    if (!is_printed) {
        return OMMA_OK;
    }
    message_progress_end(messages);
    return print_new(answer, error);
}

static enum omma_status take_event(struct answer *answer, const struct omma_event *event,
                                   struct messages *messages, bool is_printed,
                                   struct omma_error *error)
{
    switch (event->type) {
    case OMMA_EVENT_NONE:
        return OMMA_OK;
    case OMMA_EVENT_PROGRESS:
        show_progress(event, messages);
        return OMMA_OK;
    case OMMA_EVENT_TOKEN:
        TRY(append_id(answer, event->id, error));
        return take_text(answer, event, messages, is_printed, error);
    case OMMA_EVENT_DONE:
        answer->finish = event->finish;
        answer->usage = event->usage;
        answer->timings = event->timings;
        return take_text(answer, event, messages, is_printed, error);
    case OMMA_EVENT_SCORE: /* of no answer */
        break;
    }
    return fail(error, OMMA_STATUS_INTERNAL, "unknown event %d", (int)event->type);
}

/* Poll until the request is done.  A failure here (the reader of standard output is gone, say)
 * cancels it and waits all the same. */
static enum omma_status collect(struct omma_session *session, struct answer *answer,
                                struct messages *messages, bool is_printed,
                                struct omma_error *error)
{
    enum omma_status status = OMMA_OK;

    for (;;) {
        struct omma_error poll_error;
        struct omma_event event = {0};
        enum omma_status polled = omma_session_poll(session, -1, &event, &poll_error);

        if (status == OMMA_OK && polled != OMMA_OK) {
            *error = poll_error;
            status = polled;
        }
        if (status == OMMA_OK) {
            status = take_event(answer, &event, messages, is_printed, error);
            if (status != OMMA_OK) {
                omma_session_cancel(session);
            }
        }
        if (event.type == OMMA_EVENT_DONE || polled != OMMA_OK) {
            return status;
        }
    }
}

enum omma_status answer_generate(struct omma_session *session, const struct omma_request *request,
                                 struct messages *messages, bool is_printed, struct answer *answer,
                                 struct omma_error *error)
{
    enum omma_status status;

    *answer = (struct answer){.finish = OMMA_FINISH_ERROR};
    status = omma_session_submit(session, request, error);
    if (status == OMMA_OK) {
        signals_watch_session(session);
        if (signals_noted() != 0) {
            omma_session_cancel(session); /* it came before the handler knew the session */
        }
        status = collect(session, answer, messages, is_printed, error);
        signals_watch_session(NULL);
    }
    message_progress_end(messages);
    if (is_printed && (status == OMMA_OK || answer->n_printed > 0)) {
        struct omma_error newline_error;
        enum omma_status written = output_write("\n", 1, &newline_error);

        if (status == OMMA_OK && written != OMMA_OK) {
            *error = newline_error;
            status = written;
        }
    }
    return status;
}

/* The first token comes with the prompt: the steps are one less than the tokens. */
void answer_note(const struct answer *answer, struct messages *messages)
{
    const struct omma_usage *usage = &answer->usage;
    const struct omma_timings *timings = &answer->timings;
    size_t n_steps = usage->completion_tokens > 0 ? usage->completion_tokens - 1 : 0;
    char tiles[64] = "";

    if (usage->n_tiles > 0) {
        snprintf(tiles, sizeof tiles, "%zu tile%s in %.2f s, ", usage->n_tiles,
                 usage->n_tiles > 1 ? "s" : "", timings->encode_s);
    }
    message_note(messages,
                 "%sprompt of %zu tokens (%zu cached) in %.2f s, %zu tokens in %.2f s (%.1f a "
                 "second); %s",
                 tiles, usage->prompt_tokens, usage->cached_tokens, timings->prefill_s,
                 usage->completion_tokens, timings->decode_s,
                 timings->decode_s > 0 ? (double)n_steps / timings->decode_s : 0,
                 omma_finish_name(answer->finish));
}

void answer_release(struct answer *answer)
{
    free(answer->text);
    free(answer->ids);
    *answer = (struct answer){0};
}
