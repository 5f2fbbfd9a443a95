/*
 * Ids to text as they come.  Bytes go through two waits: an unfinished character waits for its
 * other bytes, and whole characters that may be the beginning of a stop text wait until that is
 * settled.
 *
 * Of several stop texts the one that is complete first counts, so that the answer does not depend
 * on how it is cut into tokens.
 */
#include "model/language/text_decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/status.h"
#include "base/utf8.h"

enum { MAX_STOPS = 1024, MAX_CHARACTER = 4 };

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

struct omma_text_decoder {
    const struct omma_tokenizer *tokenizer; /* may be NULL */
    struct omma_arena arena;                /* of the stops */
    struct omma_stop *stops;                /* [n_stops] */
    size_t n_stops;
    char pending[MAX_CHARACTER]; /* [n_pending] the beginning of a character */
    size_t n_pending;
    char *text; /* [n_text] whole characters, of which the first n_given were given out */
    size_t n_text, n_given, capacity;
    bool is_stopped;
};

static enum omma_status copy_stops(struct omma_text_decoder *decoder, const struct omma_stop *stops,
                                   size_t n_stops, struct omma_error *error)
{
    if (n_stops > MAX_STOPS) {
        return omma_fail(error, OMMA_STATUS_USAGE, "stop texts: expected at most %d, found %zu",
                         MAX_STOPS, n_stops);
    }
    decoder->stops = omma_arena_take(&decoder->arena, n_stops + 1, sizeof *decoder->stops);
    if (decoder->stops == NULL) {
        return omma_fail_memory(error, n_stops * sizeof *decoder->stops, "stop texts");
    }
    for (size_t i = 0; i < n_stops; i++) {
        char *copy;

        if (stops[i].n_bytes == 0) {
            return omma_fail(error, OMMA_STATUS_USAGE,
                             "stop text %zu: expected some text, found none", i + 1);
        }
        OMMA_TRY(omma_utf8_check("stop text", stops[i].text, stops[i].n_bytes, error));
        copy = omma_arena_copy_text(&decoder->arena, stops[i].text, stops[i].n_bytes);
        if (copy == NULL) {
            return omma_fail_memory(error, stops[i].n_bytes, "stop texts");
        }
        decoder->stops[i] = (struct omma_stop){copy, stops[i].n_bytes};
    }
    decoder->n_stops = n_stops;
    return OMMA_OK;
}

enum omma_status omma_text_decoder_create(const struct omma_tokenizer *tokenizer,
                                          const struct omma_stop *stops, size_t n_stops,
                                          struct omma_text_decoder **decoder,
                                          struct omma_error *error)
{
    struct omma_text_decoder *made = calloc(1, sizeof *made);
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a text decoder");
    }
    made->tokenizer = tokenizer;
    status = copy_stops(made, stops, n_stops, error);
    if (status != OMMA_OK) {
        omma_text_decoder_destroy(&made);
        return status;
    }
    *decoder = made;
    return OMMA_OK;
}

void omma_text_decoder_destroy(struct omma_text_decoder **decoder)
{
    if (*decoder != NULL) {
        omma_arena_free(&(*decoder)->arena);
        free((*decoder)->text);
        free(*decoder);
        *decoder = NULL;
    }
}

/* Room for n_more bytes of text. */
static enum omma_status reserve(struct omma_text_decoder *decoder, size_t n_more,
                                struct omma_error *error)
{
    size_t capacity;
    char *grown;

    if (decoder->capacity - decoder->n_text >= n_more) {
        return OMMA_OK;
    }
    capacity = omma_max(256, 2 * (decoder->n_text + n_more));
    grown = realloc(decoder->text, capacity);
    if (grown == NULL) {
        return omma_fail_memory(error, capacity, "text");
    }
    decoder->text = grown;
    decoder->capacity = capacity;
    return OMMA_OK;
}

static void put(struct omma_text_decoder *decoder, const char *bytes, size_t n_bytes)
{
    memcpy(decoder->text + decoder->n_text, bytes, n_bytes);
    decoder->n_text += n_bytes;
}

/* Take up one byte more of the answer. */
static void push_byte(struct omma_text_decoder *decoder, char byte)
{
    decoder->pending[decoder->n_pending++] = byte;
    while (decoder->n_pending > 0) {
        size_t length;
        enum omma_utf8_kind kind =
            omma_utf8_next(decoder->pending, decoder->n_pending, &length, NULL);

        if (kind == OMMA_UTF8_PARTIAL) {
            return;
        }
        if (kind == OMMA_UTF8_WHOLE) {
            put(decoder, decoder->pending, length);
        } else {
            put(decoder, replacement, sizeof replacement - 1);
        }
        decoder->n_pending -= length;
        memmove(decoder->pending, decoder->pending + length, decoder->n_pending);
    }
}

static void drop_given(struct omma_text_decoder *decoder)
{
    decoder->n_text -= decoder->n_given;
    if (decoder->n_text > 0) {
        memmove(decoder->text, decoder->text + decoder->n_given, decoder->n_text);
    }
    decoder->n_given = 0;
}

/* Cut the text where the stop text begins that is complete first. */
static void cut_at_stop(struct omma_text_decoder *decoder)
{
    size_t end = SIZE_MAX, begin = 0;

    for (size_t i = 0; decoder->n_text > 0 && i < decoder->n_stops; i++) {
        const struct omma_stop *stop = &decoder->stops[i];
        const char *found = memmem(decoder->text, decoder->n_text, stop->text, stop->n_bytes);
        size_t at = found != NULL ? (size_t)(found - decoder->text) : 0;

        if (found != NULL &&
            (at + stop->n_bytes < end || (at + stop->n_bytes == end && at < begin))) {
            end = at + stop->n_bytes;
            begin = at;
        }
    }
    if (end != SIZE_MAX) {
        decoder->n_text = begin;
        decoder->n_pending = 0;
        decoder->is_stopped = true;
    }
}

/* How many bytes at the end of the text are the beginning of a stop text. */
static size_t count_held_back(const struct omma_text_decoder *decoder)
{
    size_t most = 0;

    for (size_t i = 0; i < decoder->n_stops; i++) {
        const struct omma_stop *stop = &decoder->stops[i];
        size_t n = omma_min(stop->n_bytes - 1, decoder->n_text);

        while (n > most && memcmp(decoder->text + decoder->n_text - n, stop->text, n) != 0) {
            n--;
        }
        most = omma_max(most, n);
    }
    return most;
}

static void give(struct omma_text_decoder *decoder, size_t n_held_back, const char **text,
                 size_t *n_bytes)
{
    decoder->n_given = decoder->n_text - n_held_back;
    *text = decoder->n_given > 0 ? decoder->text : "";
    *n_bytes = decoder->n_given;
}

enum omma_status omma_text_decoder_add(struct omma_text_decoder *decoder, int32_t id,
                                       const char **text, size_t *n_bytes, bool *stopped,
                                       struct omma_error *error)
{
    const char *bytes = "";
    size_t n = 0;

    drop_given(decoder);
    if (decoder->tokenizer != NULL && !decoder->is_stopped &&
        !omma_tokenizer_is_skipped(decoder->tokenizer, id)) {
        bytes = omma_token_bytes(decoder->tokenizer, id, &n, NULL);
    }
    /* At most one U+FFFD, 3 bytes, stands for a byte. */
    OMMA_TRY(reserve(decoder, (n + MAX_CHARACTER) * MAX_CHARACTER, error));
    for (size_t i = 0; i < n; i++) {
        push_byte(decoder, bytes[i]);
    }
    if (!decoder->is_stopped) {
        cut_at_stop(decoder);
    }
    *stopped = decoder->is_stopped;
    give(decoder, decoder->is_stopped ? 0 : count_held_back(decoder), text, n_bytes);
    return OMMA_OK;
}

enum omma_status omma_text_decoder_finish(struct omma_text_decoder *decoder, const char **text,
                                          size_t *n_bytes, struct omma_error *error)
{
    drop_given(decoder);
    OMMA_TRY(reserve(decoder, sizeof replacement, error));
    if (decoder->n_pending > 0) {
        put(decoder, replacement, sizeof replacement - 1);
        decoder->n_pending = 0;
        cut_at_stop(decoder);
    }
    give(decoder, 0, text, n_bytes);
    return OMMA_OK;
}
