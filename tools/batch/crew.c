/* The words of a crew are kinds of messages; numbers in them are as the machine has them. */
#include "tools/batch/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/batch/cluster.h"
#include "tools/clock.h"

enum kind {
    KIND_BEGIN, /* from rank 0: the key */
    KIND_WANT,
    KIND_ROWS,
    KIND_ROW,
    KIND_DONE,
    KIND_SIGNAL,
    KIND_STOP,
    KIND_FAILED, /* a status and a message */
    KIND_END,    /* from rank 0: it is all over */
    KIND_BYE,    /* the answer to that: no message follows */
};

/* Between two looks for messages; and how long rank 0 waits for the last ones. */
enum { WAIT_NS = 2000000, MOST_PATIENCE_S = 120 };

struct crew {
    struct cluster *cluster;
    bool is_over; /* a hand: rank 0 said so */
};

enum omma_status crew_open(struct crew **crew, struct omma_error *error)
{
    struct cluster *cluster;
    enum omma_status status;

    *crew = NULL;
    TRY(cluster_open(&cluster, error));
    if (cluster == NULL) {
        return OMMA_OK;
    }
    *crew = calloc(1, sizeof **crew);
    if (*crew == NULL) {
        status = fail_memory(error);
        cluster_abort(cluster, (int)status);
        return status;
    }
    (*crew)->cluster = cluster;
    return OMMA_OK;
}

bool crew_is_hand(const struct crew *crew)
{
    return crew != NULL && cluster_rank(crew->cluster) > 0;
}

size_t crew_size(const struct crew *crew)
{
    return crew != NULL ? cluster_size(crew->cluster) : 1;
}

static void pause_shortly(void)
{
    const struct timespec time = {.tv_nsec = WAIT_NS};

    nanosleep(&time, NULL);
}

static enum omma_status tell(struct crew *crew, enum kind kind, const void *bytes, size_t n_bytes,
                             struct omma_error *error)
{
    return cluster_send(crew->cluster, 0, (int)kind, bytes, n_bytes, error);
}

static enum omma_status tell_all(struct crew *crew, enum kind kind, const void *bytes,
                                 size_t n_bytes, struct omma_error *error)
{
    for (size_t i = 1; i < cluster_size(crew->cluster); i++) {
        TRY(cluster_send(crew->cluster, i, (int)kind, bytes, n_bytes, error));
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Beginning
 * --------------------------------------------------------------------------------------------- */

/* "name: value", a line each; to be freed, NULL: memory lacks. */
static char *text_of_key(const struct journal_setting *key, size_t n_key, size_t *n_bytes)
{
    FILE *stream;
    char *text = NULL;

    stream = open_memstream(&text, n_bytes);
    for (size_t i = 0; stream != NULL && i < n_key; i++) {
        fprintf(stream, "%s: %s\n", key[i].name, key[i].value);
    }
    if (stream == NULL || fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The first line in which two keys differ. */
static enum omma_status compare_keys(const char *theirs, const char *ours, struct omma_error *error)
{
    while (*theirs != '\0' || *ours != '\0') {
        size_t n_theirs = strcspn(theirs, "\n"), n_ours = strcspn(ours, "\n");

        if (n_theirs != n_ours || strncmp(theirs, ours, n_ours) != 0) {
            return fail(error, OMMA_STATUS_USAGE,
                        "all processes must compute alike: expected \"%.*s\" as process 0 has, "
                        "found \"%.*s\"",
                        (int)n_theirs, theirs, (int)n_ours, ours);
        }
        theirs += n_theirs + (theirs[n_theirs] != '\0');
        ours += n_ours + (ours[n_ours] != '\0');
    }
    return OMMA_OK;
}

/* A hand's wait for rank 0 to begin, or to end. */
static enum omma_status await_beginning(struct crew *crew, const char *key, bool *goes_on,
                                        struct omma_error *error)
{
    struct cluster_message message;
    enum omma_status status = OMMA_OK;
    bool got = false;

    while (!got) {
        TRY(cluster_receive(crew->cluster, &message, &got, error));
        if (!got) {
            pause_shortly();
        }
    }
    crew->is_over = message.kind == KIND_END;
    *goes_on = !crew->is_over;
    if (message.kind == KIND_BEGIN) {
        status = compare_keys(message.bytes, key, error);
    }
    free(message.bytes);
    return status;
}

enum omma_status crew_agree(struct crew *crew, const struct journal_setting *key, size_t n_key,
                            bool *goes_on, struct omma_error *error)
{
    enum omma_status status;
    size_t n_bytes;
    char *text;

    *goes_on = true;
    if (crew == NULL) {
        return OMMA_OK;
    }
    text = text_of_key(key, n_key, &n_bytes);
    if (text == NULL) {
        return fail_memory(error);
    }
    status = crew_is_hand(crew) ? await_beginning(crew, text, goes_on, error)
                                : tell_all(crew, KIND_BEGIN, text, n_bytes, error);
    free(text);
    return status;
}

/* ------------------------------------------------------------------------------------------------
 * Rows
 * --------------------------------------------------------------------------------------------- */

/* What is sent of a row, before its texts: result, timings, message, each with its NUL. */
struct row_header {
    uint64_t number, n_tokens;
    uint64_t n_result, n_timings, n_message;
    uint32_t problem_status;
    int32_t finish;
};

enum omma_status crew_send_row(struct crew *crew, const struct row *row, struct omma_error *error)
{
    const struct row_header header = {
        .number = row->number,
        .n_tokens = row->usage.completion_tokens,
        .n_result = strlen(row->result) + 1,
        .n_timings = strlen(row->timings_text) + 1,
        .n_message = strlen(row->problem.message) + 1,
        .problem_status = row->problem.status,
        .finish = (int32_t)row->finish,
    };
    size_t n = sizeof header + header.n_result + header.n_timings + header.n_message;
    char *bytes = malloc(n), *at = bytes + sizeof header;
    enum omma_status status;

    if (bytes == NULL) {
        return fail_memory(error);
    }
    memcpy(bytes, &header, sizeof header);
    memcpy(at, row->result, header.n_result);
    memcpy(at + header.n_result, row->timings_text, header.n_timings);
    memcpy(at + header.n_result + header.n_timings, row->problem.message, header.n_message);
    status = tell(crew, KIND_ROW, bytes, n, error);
    free(bytes);
    return status;
}

static enum omma_status read_row(const struct cluster_message *message, struct row **row,
                                 struct omma_error *error)
{
    const char *at = message->bytes + sizeof(struct row_header);
    struct row *made = calloc(1, sizeof *made);
    struct row_header header;

    memcpy(&header, message->bytes, sizeof header);
    if (made == NULL || (made->result = strdup(at)) == NULL ||
        (made->timings_text = strdup(at + header.n_result)) == NULL) {
        free(made != NULL ? made->result : NULL);
        free(made);
        return fail_memory(error);
    }
    snprintf(made->problem.message, sizeof made->problem.message, "%s",
             at + header.n_result + header.n_timings);
    made->number = header.number;
    made->problem.status = header.problem_status;
    made->finish = (enum omma_finish)header.finish;
    made->usage.completion_tokens = header.n_tokens;
    *row = made;
    return OMMA_OK;
}

enum omma_status crew_want(struct crew *crew, size_t n, struct omma_error *error)
{
    return tell(crew, KIND_WANT, &n, sizeof n, error);
}

enum omma_status crew_give(struct crew *crew, size_t to, const uint64_t *numbers, size_t n,
                           struct omma_error *error)
{
    return cluster_send(crew->cluster, to, KIND_ROWS, numbers, n * sizeof *numbers, error);
}

/* What a hand sent, and where it ran. */
struct farewell {
    size_t n_rows;
    char host[256];
};

enum omma_status crew_send_done(struct crew *crew, size_t n_rows, struct omma_error *error)
{
    struct farewell farewell = {.n_rows = n_rows};

    snprintf(farewell.host, sizeof farewell.host, "%s", cluster_host(crew->cluster));
    return tell(crew, KIND_DONE, &farewell, sizeof farewell, error);
}

enum omma_status crew_send_signal(struct crew *crew, int number, struct omma_error *error)
{
    size_t n = (size_t)number;

    return tell(crew, KIND_SIGNAL, &n, sizeof n, error);
}

enum omma_status crew_stop(struct crew *crew, bool cancels, struct omma_error *error)
{
    size_t n = cancels;

    return tell_all(crew, KIND_STOP, &n, sizeof n, error);
}

/* A hand's failure: the status, where it is, the message. */
struct failure {
    int32_t status;
    char where[256];
    char message[OMMA_ERROR_MESSAGE_BYTES];
};

static enum omma_status report_failure(const struct cluster_message *message,
                                       struct omma_error *error)
{
    struct failure failure;

    memcpy(&failure, message->bytes, sizeof failure);
    return fail(error, (enum omma_status)failure.status, "process %zu on %s: %s", message->from,
                failure.where, failure.message);
}

static enum omma_status read_news(struct crew *crew, struct cluster_message *message,
                                  struct crew_news *news, struct omma_error *error)
{
    struct farewell farewell;

    news->from = message->from;
    switch ((enum kind)message->kind) {
    case KIND_WANT:
    case KIND_SIGNAL:
    case KIND_STOP:
        news->kind = message->kind == KIND_WANT     ? CREW_WANTED
                     : message->kind == KIND_SIGNAL ? CREW_SIGNAL
                                                    : CREW_STOP;
        memcpy(&news->n, message->bytes, sizeof news->n);
        return OMMA_OK;
    case KIND_ROW:
        news->kind = CREW_ROW;
        return read_row(message, &news->row, error);
    case KIND_DONE:
        memcpy(&farewell, message->bytes, sizeof farewell);
        news->kind = CREW_DONE;
        news->n = farewell.n_rows;
        memcpy(news->host, farewell.host, sizeof news->host);
        return OMMA_OK;
    case KIND_ROWS:
        news->kind = CREW_ROWS;
        news->n = message->n_bytes / sizeof *news->numbers;
        news->numbers = (uint64_t *)(void *)message->bytes;
        message->bytes = NULL;
        return OMMA_OK;
    case KIND_END:
        news->kind = CREW_END;
        crew->is_over = true;
        return OMMA_OK;
    case KIND_FAILED:
        return report_failure(message, error);
    case KIND_BEGIN:
    case KIND_BYE:
        break;
    }
    return fail(error, OMMA_STATUS_INTERNAL, "process %zu: a message of kind %d", message->from,
                message->kind);
}

enum omma_status crew_next(struct crew *crew, struct crew_news *news, struct omma_error *error)
{
    struct cluster_message message;
    enum omma_status status;
    bool got;

    *news = (struct crew_news){.kind = CREW_NOTHING};
    TRY(cluster_receive(crew->cluster, &message, &got, error));
    if (!got) {
        return OMMA_OK;
    }
    status = read_news(crew, &message, news, error);
    free(message.bytes);
    return status;
}

/* ------------------------------------------------------------------------------------------------
 * End
 * --------------------------------------------------------------------------------------------- */

static void tell_failure(struct crew *crew, enum omma_status status, struct omma_error *error)
{
    struct failure failure = {.status = (int32_t)status};
    struct omma_error send_error;

    snprintf(failure.where, sizeof failure.where, "%s", cluster_host(crew->cluster));
    snprintf(failure.message, sizeof failure.message, "%s", error->message);
    if (tell(crew, KIND_FAILED, &failure, sizeof failure, &send_error) != OMMA_OK) {
        cluster_abort(crew->cluster, (int)status);
    }
    error->message[0] = '\0';
}

/* A hand waits for the end and answers it; rank 0 for all answers.  Messages that come meanwhile
 * say nothing any more. */
static bool part(struct crew *crew, struct omma_error *error)
{
    bool is_hand = crew_is_hand(crew);
    size_t n_left = is_hand ? 1 : cluster_size(crew->cluster) - 1;
    double began_s = now_s();

    n_left -= is_hand && crew->is_over;
    while (n_left > 0) {
        struct cluster_message message;
        bool got;

        if (cluster_receive(crew->cluster, &message, &got, error) != OMMA_OK ||
            (!is_hand && now_s() - began_s > MOST_PATIENCE_S)) {
            return false;
        }
        if (got) {
            n_left -= message.kind == (is_hand ? KIND_END : KIND_BYE);
            free(message.bytes);
        } else {
            pause_shortly();
        }
    }
    return !is_hand || tell(crew, KIND_BYE, NULL, 0, error) == OMMA_OK;
}

enum omma_status crew_close(struct crew **crew, enum omma_status status, struct omma_error *error)
{
    struct crew *gone = *crew;
    struct omma_error end_error;
    bool parts;

    if (gone == NULL) {
        return status;
    }
    if (crew_is_hand(gone)) {
        if (status != OMMA_OK) {
            tell_failure(gone, status, error);
            status = OMMA_OK;
        }
        parts = part(gone, &end_error);
    } else {
        parts = tell_all(gone, KIND_END, NULL, 0, &end_error) == OMMA_OK && part(gone, &end_error);
    }
    if (!parts) {
        cluster_abort(gone->cluster, status != OMMA_OK ? (int)status : OMMA_STATUS_INTERNAL);
    }
    cluster_close(&gone->cluster);
    free(gone);
    *crew = NULL;
    return status;
}
