/*
 * The rows are scored in rounds: each time the answers there are go to the rules, and what they ask
 * for beyond is a question; until nothing is asked any more.  As in VLMEvalKit a choice is asked
 * for three times at most, MathVista's extraction once.
 */
#include "tools/eval/judge.h"

#include <openssl/evp.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/eval/judge_child.h"
#include "tools/eval/judge_prompt.h"
#include "tools/json_out.h"

enum { MAX_ASKED = 3, MAX_TOKENS = 2048 }; /* the reference's retry, and its client's max_tokens */
enum { MAX_IN_VAIN = 16 }; /* questions, before it is clear that there is no answering server */

struct question {
    uint64_t key;
    struct text prompt;
};

/* What became of a question; without a text: it is asked, or was in vain. */
struct kept {
    uint64_t key;
    char *text;
};

struct judge {
    const char *suite;
    const struct judge_settings *settings;
    struct messages *messages;
    struct journal *journal;
    void *kept;                 /* a tree of struct kept, by key */
    struct question *questions; /* of this round */
    size_t n_questions, capacity, n_fed, n_answered, n_failed;
    bool is_asking;
    char complaint[256]; /* the first error */
};

static int by_key(const void *a, const void *b)
{
    const struct kept *one = a, *other = b;

    return (one->key > other->key) - (one->key < other->key);
}

/* The one with this key, added if there is none. */
static enum omma_status keep(struct judge *judge, uint64_t key, struct kept **kept,
                             struct omma_error *error)
{
    struct kept *made = calloc(1, sizeof *made);
    struct kept **found;

    if (made == NULL) {
        return fail_memory(error);
    }
    made->key = key;
    found = tsearch(made, &judge->kept, by_key);
    if (found == NULL || *found != made) {
        free(made);
    }
    *kept = found != NULL ? *found : NULL;
    return found != NULL ? OMMA_OK : fail_memory(error);
}

/* An answer, which belongs to the judge afterwards. */
static enum omma_status keep_text(struct judge *judge, uint64_t key, const char *text,
                                  struct omma_error *error)
{
    struct kept *kept;

    TRY(keep(judge, key, &kept, error));
    free(kept->text);
    kept->text = strdup(text);
    return kept->text != NULL ? OMMA_OK : fail_memory(error);
}

static enum omma_status load_row(void *user, const struct journal_row *row,
                                 struct omma_error *error)
{
    return keep_text(user, row->number, row->result, error);
}

/* 62 bits of a SHA-256 of who is asked, what, and how often it was before. */
static enum omma_status key_of(const struct judge *judge, const struct text *prompt, size_t i,
                               uint64_t *key, struct omma_error *error)
{
    const struct judge_settings *settings = judge->settings;
    const unsigned char times = (unsigned char)i;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    bool is_done = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestUpdate(hash, settings->url, strlen(settings->url) + 1) == 1 &&
                   EVP_DigestUpdate(hash, settings->model, strlen(settings->model) + 1) == 1 &&
                   EVP_DigestUpdate(hash, &times, 1) == 1 &&
                   EVP_DigestUpdate(hash, prompt->bytes, prompt->n_bytes) == 1 &&
                   EVP_DigestFinal_ex(hash, digest, NULL) == 1;

    EVP_MD_CTX_free(hash);
    if (!is_done) {
        return fail_memory(error);
    }
    memcpy(key, digest, sizeof *key);
    *key >>= 2;
    return OMMA_OK;
}

/* Takes the prompt. */
static enum omma_status add_question(struct judge *judge, uint64_t key, struct text *prompt,
                                     struct omma_error *error)
{
    if (judge->n_questions == judge->capacity) {
        size_t capacity = 2 * judge->capacity + 64;
        struct question *grown = reallocarray(judge->questions, capacity, sizeof *grown);

        if (grown == NULL) {
            return fail_memory(error);
        }
        judge->questions = grown;
        judge->capacity = capacity;
    }
    judge->questions[judge->n_questions++] = (struct question){key, *prompt};
    *prompt = (struct text){0};
    return OMMA_OK;
}

/* score_judge_fn.  What is in the tree without an answer is asked no second time in this run. */
static enum omma_status find_answer(void *user, const struct score_doubt *doubt, size_t i,
                                    struct slice *answer, bool *has_answer,
                                    struct omma_error *error)
{
    struct judge *judge = user;
    struct text prompt = {0};
    struct kept **found, *kept;
    uint64_t key = 0;
    enum omma_status status;

    *has_answer = false;
    if (i >= MAX_ASKED) {
        return OMMA_OK;
    }
    TRY(judge_prompt(judge->suite, doubt, &prompt, error));
    TRY_OR(status, done, key_of(judge, &prompt, i, &key, error));
    found = tfind(&(struct kept){.key = key}, &judge->kept, by_key);
    if (found != NULL && (*found)->text != NULL) {
        *has_answer = true;
        *answer = slice_of((*found)->text);
    } else if (found == NULL && judge->is_asking) {
        TRY_OR(status, done, keep(judge, key, &kept, error));
        status = add_question(judge, key, &prompt, error);
    }
done:
    text_free(&prompt);
    return status;
}

struct score_judge judge_answers(struct judge *judge)
{
    return (struct score_judge){judge != NULL ? find_answer : NULL, judge};
}

/* Models that think count their thoughts as completion, and take no temperature. */
static bool is_thinking(const char *model)
{
    return strstr(model, "o1") != NULL || strstr(model, "o3") != NULL ||
           strstr(model, "o4") != NULL || strstr(model, "gpt-5") != NULL;
}

/* judge_feed_fn: the request of VLMEvalKit's client. */
static enum omma_status feed(void *user, struct text *line, struct omma_error *error)
{
    struct judge *judge = user;
    const struct question *question = &judge->questions[judge->n_fed];
    const char *model = judge->settings->model;
    json_t *text, *request;

    if (judge->n_fed == judge->n_questions ||
        (judge->n_answered == 0 && judge->n_failed >= MAX_IN_VAIN)) {
        return OMMA_OK;
    }
    judge->n_fed++;
    text = json_out_text(question->prompt.bytes, question->prompt.n_bytes);
    request =
        json_pack("{s:I, s:s, s:[{s:s, s:[{s:s, s:o}]}], s:i}", "id", (json_int_t)question->key,
                  "model", model, "messages", "role", "user", "content", "type", "text", "text",
                  text, is_thinking(model) ? "max_completion_tokens" : "max_tokens", MAX_TOKENS);
    if (request != NULL && !is_thinking(model)) {
        json_object_set_new(request, "temperature", json_integer(0));
    }
    line->bytes = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (line->bytes == NULL) {
        return fail_memory(error);
    }
    line->n_bytes = strlen(line->bytes);
    return OMMA_OK;
}

/* judge_take_fn */
static enum omma_status take(void *user, const char *line, size_t n_bytes, struct omma_error *error)
{
    struct judge *judge = user;
    json_t *said = json_loadb(line, n_bytes, 0, NULL);
    const json_t *id = json_object_get(said, "id");
    const char *text = json_string_value(json_object_get(said, "text"));
    const char *trouble = json_string_value(json_object_get(said, "error"));
    uint64_t key = (uint64_t)json_integer_value(id);
    enum omma_status status = OMMA_OK;

    if (!json_is_integer(id) || (text == NULL && trouble == NULL)) {
        status = fail(error, OMMA_STATUS_RESOURCES, "omma-judge: expected an answer, found %.*s",
                      (int)(n_bytes < 200 ? n_bytes : 200), line);
    } else if (text == NULL) {
        judge->n_failed++;
        if (judge->complaint[0] == '\0') {
            snprintf(judge->complaint, sizeof judge->complaint, "%s", trouble);
        }
    } else {
        judge->n_answered++;
        status = keep_text(judge, key, text, error);
        if (status == OMMA_OK) {
            status =
                journal_add(judge->journal,
                            &(struct journal_row){key, false, text, judge->settings->model}, error);
        }
    }
    json_decref(said);
    return status;
}

/* judge_pause_fn */
static enum omma_status commit(void *user, struct omma_error *error)
{
    struct judge *judge = user;

    TRY(journal_commit(judge->journal, error));
    message_progress(judge->messages, "judged %zu of %zu", judge->n_answered + judge->n_failed,
                     judge->n_questions);
    return OMMA_OK;
}

static void forget_questions(struct judge *judge)
{
    for (size_t i = 0; i < judge->n_questions; i++) {
        text_free(&judge->questions[i].prompt);
    }
    judge->n_questions = judge->n_fed = judge->n_answered = judge->n_failed = 0;
}

static enum omma_status ask(struct judge *judge, const char *predictions, struct omma_error *error)
{
    const struct score_judge answers = judge_answers(judge);

    size_t n_unanswered = 0;

    judge->is_asking = true;
    for (;;) {
        struct scores scores;

        TRY(scores_open_judged(predictions, judge->suite, &answers, &scores, error));
        scores_close(&scores);
        if (judge->n_questions == 0) {
            break;
        }
        TRY(judge_child_run(judge->settings, feed, take, commit, judge, error));
        message_progress_end(judge->messages);
        n_unanswered += judge->n_questions - judge->n_answered;
        forget_questions(judge);
    }
    judge->is_asking = false;
    if (n_unanswered > 0) {
        message_warning(judge->messages,
                        "the judge did not answer %zu questions, whose rows stay undecided (%s); "
                        "the same command asks them again",
                        n_unanswered, judge->complaint);
    }
    return OMMA_OK;
}

enum omma_status judge_open(const char *predictions, const char *suite,
                            const struct judge_settings *settings, struct messages *messages,
                            struct judge **result, struct omma_error *error)
{
    struct judge *judge = calloc(1, sizeof *judge);
    const struct journal_setting key[] = {{"holds", "answers of judges"}};
    char *path = NULL;
    enum omma_status status;

    *result = judge;
    if (judge == NULL || asprintf(&path, "%s.judge", predictions) < 0) {
        return fail_memory(error);
    }
    judge->suite = suite;
    judge->settings = settings;
    judge->messages = messages;
    TRY_OR(status, done, journal_open(path, key, 1, JOURNAL_AUTO, &judge->journal, error));
    TRY_OR(status, done, journal_each(judge->journal, load_row, judge, error));
    status = ask(judge, predictions, error);
done:
    free(path);
    if (status != OMMA_OK) {
        judge_close(result);
    }
    return status;
}

static void free_kept(void *kept)
{
    free(((struct kept *)kept)->text);
    free(kept);
}

void judge_close(struct judge **judge)
{
    if (*judge == NULL) {
        return;
    }
    forget_questions(*judge);
    tdestroy((*judge)->kept, free_kept);
    free((*judge)->questions);
    journal_close(&(*judge)->journal);
    free(*judge);
    *judge = NULL;
}
