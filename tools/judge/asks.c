/*
 * One thread, libcurl's multi interface: asks wait in a list until they are due and there is room,
 * then each is a transfer until its reply is judged.
 */
#include "tools/judge/asks.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tools/clock.h"
#include "tools/json_out.h"

enum { MAX_REPLY_BYTES = 16 << 20, MAX_PAUSE_S = 60, MAX_RETRY_AFTER_S = 600, CONNECT_S = 30 };

#define COMPLETIONS "/chat/completions"

struct ask {
    json_t *id;
    char *url, *body;
    size_t n_tries;
    double due_s;
    CURL *transfer; /* NULL: it waits */
    char *reply;
    size_t n_reply;
    char trouble[CURL_ERROR_SIZE];
    struct ask *next;
};

struct asks {
    struct asks_settings settings;
    CURLM *multi;
    struct curl_slist *headers;
    struct ask *first, **end; /* in the order they came */
    size_t n_waiting, n_running;
};

/* What a reply is. */
struct verdict {
    bool is_final;
    long status; /* of HTTP; 0: there was none */
    double retry_after_s;
    json_t *answer; /* the reply, if it has a text */
    char *text;     /* of the answer, or what is wrong */
};

enum omma_status asks_create(const struct asks_settings *settings, struct asks **result,
                             struct omma_error *error)
{
    struct asks *asks = calloc(1, sizeof *asks);
    struct curl_slist *headers;
    char *line = NULL;

    *result = NULL;
    if (asks == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        free(asks);
        return fail_memory(error);
    }
    asks->settings = *settings;
    asks->end = &asks->first;
    asks->multi = curl_multi_init();
    asks->headers = curl_slist_append(NULL, "Content-Type: application/json");
    *result = asks;
    if (asks->multi == NULL || asks->headers == NULL ||
        (settings->key != NULL && asprintf(&line, "Authorization: Bearer %s", settings->key) < 0)) {
        return fail_memory(error);
    }
    if (line != NULL) {
        headers = curl_slist_append(asks->headers, line);
        explicit_bzero(line, strlen(line));
        free(line);
        if (headers == NULL) {
            return fail_memory(error);
        }
    }
    return OMMA_OK;
}

static void free_ask(struct asks *asks, struct ask *ask)
{
    if (ask->transfer != NULL) {
        curl_multi_remove_handle(asks->multi, ask->transfer);
        curl_easy_cleanup(ask->transfer);
    }
    json_decref(ask->id);
    free(ask->url);
    free(ask->body);
    free(ask->reply);
    free(ask);
}

void asks_destroy(struct asks **asks)
{
    if (*asks == NULL) {
        return;
    }
    while ((*asks)->first != NULL) {
        struct ask *ask = (*asks)->first;

        (*asks)->first = ask->next;
        free_ask(*asks, ask);
    }
    curl_multi_cleanup((*asks)->multi);
    curl_slist_free_all((*asks)->headers);
    free(*asks);
    *asks = NULL;
    curl_global_cleanup();
}

size_t asks_waiting(const struct asks *asks)
{
    return asks->n_waiting;
}

static enum omma_status write_out(struct json_out *out, struct omma_error *error)
{
    TRY(json_out_write(out, stdout, true, error));
    return fflush(stdout) == 0 ? OMMA_OK
                               : fail(error, OMMA_STATUS_OUTPUT, "standard output is closed");
}

/* {"id", "error"} */
static enum omma_status refuse(const json_t *id, const char *why, struct omma_error *error)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "id", id != NULL ? json_deep_copy(id) : json_null());
    json_out_set(&out, "error", json_out_string(why));
    return write_out(&out, error);
}

/* "http://h:1/v1" and "http://h:1/v1/chat/completions" are the same. */
static char *url_of(const char *base)
{
    size_t n = strlen(base), n_end = strlen(COMPLETIONS);
    char *url;

    while (n > 0 && base[n - 1] == '/') {
        n--;
    }
    if (n >= n_end && memcmp(base + n - n_end, COMPLETIONS, n_end) == 0) {
        return strndup(base, n);
    }
    return asprintf(&url, "%.*s" COMPLETIONS, (int)n, base) < 0 ? NULL : url;
}

enum omma_status asks_add(struct asks *asks, const char *line, size_t n_bytes,
                          struct omma_error *error)
{
    json_error_t where;
    json_t *request = json_loadb(line, n_bytes, JSON_REJECT_DUPLICATES, &where);
    const json_t *id = json_object_get(request, "id");
    const char *url = json_string_value(json_object_get(request, "url"));
    struct ask *ask;
    enum omma_status status = OMMA_OK;

    url = url != NULL ? url : asks->settings.url;
    if (!json_is_object(request)) {
        status = refuse(NULL, request == NULL ? where.text : "expected a JSON object", error);
    } else if (id == NULL) {
        status = refuse(NULL, "id: expected one", error);
    } else if (url == NULL) {
        status = refuse(id, "url: expected one, here or by --url", error);
    } else if (!json_is_array(json_object_get(request, "messages"))) {
        status = refuse(id, "messages: expected an array", error);
    } else if ((ask = calloc(1, sizeof *ask)) == NULL) {
        status = fail_memory(error);
    } else {
        ask->id = json_deep_copy(id);
        ask->url = url_of(url);
        json_object_del(request, "id");
        json_object_del(request, "url");
        ask->body = json_dumps(request, JSON_COMPACT);
        *asks->end = ask;
        asks->end = &ask->next;
        asks->n_waiting++;
        if (ask->id == NULL || ask->url == NULL || ask->body == NULL) {
            status = fail_memory(error);
        }
    }
    json_decref(request);
    return status;
}

static size_t receive(char *bytes, size_t size, size_t n, void *user)
{
    struct ask *ask = user;
    char *grown;

    n *= size;
    if (n > MAX_REPLY_BYTES - ask->n_reply) {
        return 0;
    }
    grown = realloc(ask->reply, ask->n_reply + n + 1);
    if (grown == NULL) {
        return 0;
    }
    memcpy(grown + ask->n_reply, bytes, n);
    ask->reply = grown;
    ask->n_reply += n;
    return n;
}

static enum omma_status start(struct asks *asks, struct ask *ask, struct omma_error *error)
{
    CURL *transfer = curl_easy_init();
    const struct asks_settings *settings = &asks->settings;
    bool is_set;

    if (transfer == NULL) {
        return fail_memory(error);
    }
    ask->transfer = transfer;
    ask->n_tries++;
    ask->n_reply = 0;
    ask->trouble[0] = '\0';
    is_set =
        curl_easy_setopt(transfer, CURLOPT_URL, ask->url) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_TIMEOUT_MS, (long)(settings->timeout_s * 1e3)) ==
            CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_HTTPHEADER, asks->headers) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_POSTFIELDS, ask->body) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_POSTFIELDSIZE, (long)strlen(ask->body)) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_WRITEDATA, ask) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_ERRORBUFFER, ask->trouble) == CURLE_OK &&
        curl_easy_setopt(transfer, CURLOPT_PRIVATE, ask) == CURLE_OK &&
        (settings->ca_file == NULL ||
         curl_easy_setopt(transfer, CURLOPT_CAINFO, settings->ca_file) == CURLE_OK) &&
        curl_multi_add_handle(asks->multi, transfer) == CURLM_OK;
    if (!is_set) {
        return fail(error, OMMA_STATUS_RESOURCES, "libcurl %s takes no more requests",
                    curl_version_info(CURLVERSION_NOW)->version);
    }
    asks->n_running++;
    return OMMA_OK;
}

/* choices[0].message.content without white space around it; NULL: none. */
static char *text_of(const json_t *reply)
{
    const json_t *choice = json_array_get(json_object_get(reply, "choices"), 0);
    const json_t *content = json_object_get(json_object_get(choice, "message"), "content");
    const char *text = json_string_value(content);
    size_t n;

    if (text == NULL) {
        return NULL;
    }
    text += strspn(text, " \t\r\n\v\f");
    n = strlen(text);
    while (n > 0 && strchr(" \t\r\n\v\f", text[n - 1]) != NULL) {
        n--;
    }
    return n > 0 ? strndup(text, n) : NULL;
}

/* What the server says is wrong: the error of its API, or the beginning of its reply. */
static char *complaint_of(const struct ask *ask, const json_t *reply, long status)
{
    const json_t *told = json_object_get(reply, "error");
    const char *message = json_is_string(told)
                              ? json_string_value(told)
                              : json_string_value(json_object_get(told, "message"));
    char *text;
    int n = message != NULL ? asprintf(&text, "HTTP %ld: %.500s", status, message)
            : ask->n_reply > 0
                ? asprintf(&text, "HTTP %ld: no answer in \"%.*s\"", status,
                           (int)(ask->n_reply < 200 ? ask->n_reply : 200), ask->reply)
                : asprintf(&text, "HTTP %ld: an empty reply", status);

    return n < 0 ? NULL : text;
}

/* Whether trying again cannot help. */
static bool is_lasting(CURLcode code)
{
    return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_WRITE_ERROR;
}

static void judge(const struct ask *ask, CURLcode code, struct verdict *verdict)
{
    json_t *reply;
    curl_off_t wait = 0;

    *verdict = (struct verdict){0};
    if (code != CURLE_OK) {
        verdict->is_final = is_lasting(code);
        verdict->text = strdup(ask->trouble[0] != '\0' ? ask->trouble : curl_easy_strerror(code));
        return;
    }
    curl_easy_getinfo(ask->transfer, CURLINFO_RESPONSE_CODE, &verdict->status);
    curl_easy_getinfo(ask->transfer, CURLINFO_RETRY_AFTER, &wait);
    verdict->retry_after_s = (double)wait;
    reply = ask->n_reply > 0 ? json_loadb(ask->reply, ask->n_reply, 0, NULL) : NULL;
    if (verdict->status >= 200 && verdict->status < 300) {
        verdict->text = text_of(reply);
        if (verdict->text != NULL) {
            verdict->is_final = true;
            verdict->answer = reply;
            return;
        }
    } else {
        verdict->is_final =
            verdict->status != 429 && verdict->status != 408 && verdict->status < 500;
    }
    verdict->text = complaint_of(ask, reply, verdict->status);
    json_decref(reply);
}

static enum omma_status report(const struct ask *ask, const struct verdict *verdict,
                               struct omma_error *error)
{
    struct json_out out = json_out_object();
    json_t *model = json_object_get(verdict->answer, "model");
    json_t *usage = json_object_get(verdict->answer, "usage");

    json_out_set(&out, "id", json_deep_copy(ask->id));
    json_out_set(&out, verdict->answer != NULL ? "text" : "error", json_out_string(verdict->text));
    if (verdict->answer == NULL && verdict->status != 0) {
        json_out_set(&out, "status", json_integer(verdict->status));
    }
    if (model != NULL) {
        json_out_set(&out, "model", json_deep_copy(model));
    }
    if (usage != NULL) {
        json_out_set(&out, "usage", json_deep_copy(usage));
    }
    json_out_set(&out, "tries", json_integer((json_int_t)ask->n_tries));
    return write_out(&out, error);
}

/* The pause before the next try, at random within its second half: many that were refused together
 * do not come back together. */
static double pause_before(const struct asks *asks, const struct ask *ask, double retry_after_s)
{
    double pause_s = asks->settings.pause_s;
    unsigned char chance = 0;

    for (size_t i = 1; i < ask->n_tries && pause_s < MAX_PAUSE_S; i++) {
        pause_s *= 2;
    }
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance) {
        chance = 0;
    }
    pause_s = (pause_s < MAX_PAUSE_S ? pause_s : MAX_PAUSE_S) * (1 - chance / 512.0);
    retry_after_s = retry_after_s < MAX_RETRY_AFTER_S ? retry_after_s : MAX_RETRY_AFTER_S;
    return pause_s > retry_after_s ? pause_s : retry_after_s;
}

static void remove_ask(struct asks *asks, struct ask *ask)
{
    struct ask **at = &asks->first;

    while (*at != ask) {
        at = &(*at)->next;
    }
    *at = ask->next;
    if (ask->next == NULL) {
        asks->end = at;
    }
    asks->n_waiting--;
    free_ask(asks, ask);
}

/* A transfer has ended. */
static enum omma_status finish(struct asks *asks, struct ask *ask, CURLcode code,
                               struct omma_error *error)
{
    struct verdict verdict;
    enum omma_status status = OMMA_OK;

    judge(ask, code, &verdict);
    curl_multi_remove_handle(asks->multi, ask->transfer);
    curl_easy_cleanup(ask->transfer);
    ask->transfer = NULL;
    asks->n_running--;
    if (verdict.text == NULL) {
        status = fail_memory(error);
    } else if (verdict.is_final || ask->n_tries >= asks->settings.n_tries) {
        status = report(ask, &verdict, error);
        remove_ask(asks, ask);
    } else {
        ask->due_s = now_s() + pause_before(asks, ask, verdict.retry_after_s);
    }
    json_decref(verdict.answer);
    free(verdict.text);
    return status;
}

/* Start what is due as long as there is room; *wait_s becomes shorter if something is due soon. */
static enum omma_status start_due(struct asks *asks, double *wait_s, struct omma_error *error)
{
    double now = now_s();

    for (struct ask *ask = asks->first; ask != NULL; ask = ask->next) {
        if (asks->n_running == asks->settings.n_parallel) {
            break;
        }
        if (ask->transfer == NULL && ask->due_s <= now) {
            TRY(start(asks, ask, error));
        } else if (ask->transfer == NULL && ask->due_s - now < *wait_s) {
            *wait_s = ask->due_s - now;
        }
    }
    return OMMA_OK;
}

enum omma_status asks_step(struct asks *asks, int descriptor, bool *is_readable,
                           struct omma_error *error)
{
    struct curl_waitfd extra = {.fd = descriptor, .events = CURL_WAIT_POLLIN};
    CURLMsg *message;
    double wait_s = 1;
    int n_left;

    *is_readable = false;
    TRY(start_due(asks, &wait_s, error));
    curl_multi_perform(asks->multi, &n_left);
    if (curl_multi_poll(asks->multi, &extra, descriptor >= 0, (int)(wait_s * 1e3) + 1, NULL) !=
        CURLM_OK) {
        return fail(error, OMMA_STATUS_RESOURCES, "waiting for the server failed");
    }
    *is_readable = extra.revents != 0;
    curl_multi_perform(asks->multi, &n_left);
    while ((message = curl_multi_info_read(asks->multi, &n_left)) != NULL) {
        char *ask = NULL;

        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ask);
            TRY(finish(asks, (struct ask *)(void *)ask, message->data.result, error));
        }
    }
    return OMMA_OK;
}
