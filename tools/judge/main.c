/*
 * omma-judge(1): questions of standard input to a server, its answers to standard output.
 *
 * `omma eval --judge` starts it, so that omma itself has no client of HTTP.  The key comes from a
 * file or from OMMA_JUDGE_KEY, never from the command line, which everybody on the machine may
 * read.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/judge/asks.h"
#include "tools/message.h"
#include "tools/options.h"
#include "tools/text_in.h"

enum { MAX_LINE_BYTES = 16 << 20, READ_BYTES = 1 << 16, WAITING_PER_REQUEST = 4 };

struct judge_values {
    const char *url, *key_file, *ca_file;
    size_t parallel, tries;
    double timeout, pause;
};

/* Retries and time are those of VLMEvalKit's client. */
static const struct judge_values defaults = {.parallel = 4, .tries = 5, .timeout = 330, .pause = 1};

/* clang-format off */
static const struct option_row rows[] = {
    {.name = "url", .kind = OPTION_TEXT, .argument = "URL",
     .offset = offsetof(struct judge_values, url),
     .help = "where lines without a url go, such as http://localhost:8080/v1"},
    {.name = "key-file", .kind = OPTION_TEXT, .argument = "FILE",
     .offset = offsetof(struct judge_values, key_file),
     .help = "the server's key; else $OMMA_JUDGE_KEY, if it is set"},
    {.name = "ca-file", .kind = OPTION_TEXT, .argument = "FILE",
     .offset = offsetof(struct judge_values, ca_file),
     .help = "authorities to trust instead of the system's, in PEM"},
    {.name = "parallel", .letter = 'j', .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct judge_values, parallel), .minimum = 1, .maximum = 256,
     .help = "requests at a time (4)"},
    {.name = "tries", .kind = OPTION_COUNT, .argument = "N",
     .offset = offsetof(struct judge_values, tries), .minimum = 1, .maximum = 100,
     .help = "of a question, before it has an error for an answer (5)"},
    {.name = "timeout", .kind = OPTION_REAL, .argument = "S",
     .offset = offsetof(struct judge_values, timeout), .real_minimum = 0.1, .real_maximum = 86400,
     .help = "seconds that a request may take (330)"},
    {.name = "pause", .kind = OPTION_REAL, .argument = "S",
     .offset = offsetof(struct judge_values, pause), .real_minimum = 0, .real_maximum = 60,
     .help = "seconds before the second try; doubles with each (1)"},
    {0},
};
/* clang-format on */

static void print_help(void)
{
    char argument[256];

    printf("usage: omma-judge [options]\n\n"
           "Ask an OpenAI-compatible server what lines of standard input say.\n\n");
    for (const struct option_row *row = rows; row->name != NULL; row++) {
        printf("  --%s %s\n      %s\n", row->name, option_argument(row, argument, sizeof argument),
               row->help);
    }
    printf("  -h, --help\n      this text\n\nThe manual: man omma-judge\n");
}

/* The key without white space at its end; one with other control characters could add headers. */
static enum omma_status read_key(const char *file, struct text *key, struct omma_error *error)
{
    const char *given = getenv("OMMA_JUDGE_KEY");

    *key = (struct text){0};
    if (file != NULL) {
        TRY(text_of_file(file, key, error));
    } else if (given != NULL && *given != '\0') {
        TRY(text_copy(given, key, error));
    } else {
        return OMMA_OK;
    }
    while (key->n_bytes > 0 && strchr(" \t\r\n", key->bytes[key->n_bytes - 1]) != NULL) {
        key->bytes[--key->n_bytes] = '\0';
    }
    for (size_t i = 0; i < key->n_bytes; i++) {
        if (key->bytes[i] <= ' ' || key->bytes[i] > '~') {
            return fail(error, OMMA_STATUS_USAGE, "%s: expected a key in one word of ASCII",
                        file != NULL ? file : "OMMA_JUDGE_KEY");
        }
    }
    return key->n_bytes > 0 ? OMMA_OK
                            : fail(error, OMMA_STATUS_USAGE, "%s: expected a key, found nothing",
                                   file != NULL ? file : "OMMA_JUDGE_KEY");
}

/* Lines that have come so far. */
struct lines {
    char *bytes;
    size_t n_bytes;
    bool is_open;
};

/* Read what is there, and hand over the lines that are whole; the end closes the last one. */
static enum omma_status take_lines(struct lines *lines, struct asks *asks, struct omma_error *error)
{
    char *grown = realloc(lines->bytes, lines->n_bytes + READ_BYTES);
    size_t begin = 0;
    ssize_t got;

    if (grown == NULL) {
        return fail_memory(error);
    }
    lines->bytes = grown;
    got = read(STDIN_FILENO, lines->bytes + lines->n_bytes, READ_BYTES - 1);
    if (got < 0 && errno != EINTR && errno != EAGAIN) {
        return fail(error, OMMA_STATUS_USAGE, "standard input: %s", strerror(errno));
    }
    lines->is_open = got != 0;
    lines->n_bytes += got > 0 ? (size_t)got : 0;
    if (!lines->is_open && lines->n_bytes > 0) {
        lines->bytes[lines->n_bytes++] = '\n';
    }
    for (size_t i = begin; i < lines->n_bytes; i++) {
        if (lines->bytes[i] == '\n') {
            if (i > begin) {
                TRY(asks_add(asks, lines->bytes + begin, i - begin, error));
            }
            begin = i + 1;
        }
    }
    lines->n_bytes -= begin;
    memmove(lines->bytes, lines->bytes + begin, lines->n_bytes);
    return lines->n_bytes <= MAX_LINE_BYTES
               ? OMMA_OK
               : fail(error, OMMA_STATUS_USAGE, "standard input: a line is longer than %d bytes",
                      MAX_LINE_BYTES);
}

static enum omma_status ask_all(const struct asks_settings *settings, struct omma_error *error)
{
    struct lines lines = {.is_open = true};
    struct asks *asks = NULL;
    enum omma_status status = asks_create(settings, &asks, error);

    while (status == OMMA_OK && (lines.is_open || asks_waiting(asks) > 0)) {
        bool has_room = asks_waiting(asks) < WAITING_PER_REQUEST * settings->n_parallel;
        bool is_readable;

        status =
            asks_step(asks, lines.is_open && has_room ? STDIN_FILENO : -1, &is_readable, error);
        if (status == OMMA_OK && is_readable) {
            status = take_lines(&lines, asks, error);
        }
    }
    asks_destroy(&asks);
    free(lines.bytes);
    return status;
}

static enum omma_status run(int argc, char **argv, struct omma_error *error)
{
    struct judge_values values = defaults;
    struct option_result options;
    struct text key = {0};
    enum omma_status status;

    TRY(options_parse(rows, &values, argc, argv, &options, error));
    if (options.wants_help) {
        print_help();
        return OMMA_OK;
    }
    if (options.n_operands > 0) {
        return fail(error, OMMA_STATUS_USAGE, "unexpected argument \"%s\"", options.operands[0]);
    }
    status = read_key(values.key_file, &key, error);
    if (status == OMMA_OK) {
        status = ask_all(&(struct asks_settings){.url = values.url,
                                                 .key = key.bytes,
                                                 .ca_file = values.ca_file,
                                                 .n_parallel = values.parallel,
                                                 .n_tries = values.tries,
                                                 .timeout_s = values.timeout,
                                                 .pause_s = values.pause},
                         error);
    }
    if (key.bytes != NULL) {
        explicit_bzero(key.bytes, key.n_bytes);
    }
    text_free(&key);
    return status;
}

int main(int argc, char **argv)
{
    struct messages messages;
    struct omma_error error = {0};
    int code;

    signal(SIGPIPE, SIG_IGN);
    messages_init(&messages);
    snprintf(messages.name, sizeof messages.name, "omma-judge");
    code = (int)run(argc, argv, &error);
    if (error.message[0] != '\0') {
        message_error(&messages, "%s", error.message);
    }
    return code;
}
