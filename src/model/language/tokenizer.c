/*
 * The Qwen2 tokenizer (spec 6.1): normalise, split at added tokens, split by the expression, merge
 * bytes.
 *
 * A name of an added token in the text counts as that token only where the caller says so; the
 * longest name that begins at a place wins.
 */
#include "model/language/tokenizer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "model/language/bpe.h"
#include "model/language/normalize.h"
#include "model/language/pretokenizer.h"
#include "model/language/tokenizer_files.h"
#include "model/language/tokenizer_text.h"
#include "base/utf8.h"
#include "model/language/vocabulary.h"
#include "model/schema/token_trie.h"

struct added {
    int32_t id;
    bool is_markup;
    const char *name; /* in the vocabulary */
    size_t n_name;
};

/* What is made when it is first needed. */
struct late {
    pthread_mutex_t lock;
    struct omma_token_trie *trie; /* NULL: not yet */
};

struct omma_tokenizer {
    struct late *late;
    struct omma_vocabulary vocabulary;
    struct omma_bpe bpe;
    struct omma_pretokenizer *pretokenizer;
    struct added *added; /* [n_added] longest names first */
    size_t n_added;
    bool begins_added[256]; /* whether a name begins with the byte */
    struct omma_template_ids template_ids;
};

/* ----------------------------------------------------------------------------------------------
 * Opening
 * ------------------------------------------------------------------------------------------- */

static int compare_added(const void *a, const void *b)
{
    size_t n_a = ((const struct added *)a)->n_name, n_b = ((const struct added *)b)->n_name;

    return (n_a < n_b) - (n_a > n_b);
}

static bool is_markup(const char *name, size_t n_bytes)
{
    static const char *const markup[] = {"<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>"};

    for (size_t i = 0; i < sizeof markup / sizeof *markup; i++) {
        if (n_bytes == strlen(markup[i]) && memcmp(name, markup[i], n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

static enum omma_status list_added(struct omma_tokenizer *tokenizer, struct omma_error *error)
{
    const struct omma_vocabulary *vocabulary = &tokenizer->vocabulary;
    size_t n = 0;

    for (size_t id = 0; id < vocabulary->n_ids; id++) {
        n += vocabulary->entries[id].kind == OMMA_TOKEN_ADDED;
    }
    tokenizer->added = calloc(n + 1, sizeof *tokenizer->added);
    if (tokenizer->added == NULL) {
        return omma_fail_memory(error, n * sizeof *tokenizer->added, "added tokens");
    }
    for (size_t id = 0; id < vocabulary->n_ids; id++) {
        const struct omma_vocabulary_entry *entry = &vocabulary->entries[id];
        const char *name = vocabulary->bytes + entry->offset;

        if (entry->kind == OMMA_TOKEN_ADDED) {
            tokenizer->added[tokenizer->n_added++] =
                (struct added){(int32_t)id, is_markup(name, entry->n_bytes), name, entry->n_bytes};
            tokenizer->begins_added[(uint8_t)*name] = true;
        }
    }
    qsort(tokenizer->added, n, sizeof *tokenizer->added, compare_added);
    return OMMA_OK;
}

static int32_t find_added(const struct omma_tokenizer *tokenizer, const char *name)
{
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const struct added *added = &tokenizer->added[i];

        if (added->n_name == strlen(name) && memcmp(added->name, name, added->n_name) == 0) {
            return added->id;
        }
    }
    return -1;
}

static enum omma_status find_template_ids(struct omma_tokenizer *tokenizer, const char *dir,
                                          struct omma_error *error)
{
    struct omma_template_ids *ids = &tokenizer->template_ids;
    const struct {
        const char *name;
        int32_t *id;
        bool is_optional;
    } wanted[] = {
        {"<|endoftext|>", &ids->end_of_text, true}, {"<|im_start|>", &ids->im_start, false},
        {"<|im_end|>", &ids->im_end, false},        {"<img>", &ids->image_start, false},
        {"</img>", &ids->image_end, false},         {"<IMG_CONTEXT>", &ids->context, false},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].id = find_added(tokenizer, wanted[i].name);
        if (*wanted[i].id == -1 && !wanted[i].is_optional) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: tokenizer: expected an added token %s, found none", dir,
                             wanted[i].name);
        }
    }
    return OMMA_OK;
}

enum omma_status omma_tokenizer_open(const char *dir, struct omma_tokenizer **tokenizer,
                                     struct omma_error *error)
{
    struct omma_tokenizer *made = calloc(1, sizeof *made);
    enum omma_status status;

    if (made == NULL || (made->late = calloc(1, sizeof *made->late)) == NULL) {
        free(made);
        return omma_fail_memory(error, sizeof *made, "the tokenizer");
    }
    pthread_mutex_init(&made->late->lock, NULL);
    OMMA_TRY_OR(status, fail, omma_tokenizer_files_read(dir, &made->vocabulary, &made->bpe, error));
    OMMA_TRY_OR(status, fail, list_added(made, error));
    OMMA_TRY_OR(status, fail, find_template_ids(made, dir, error));
    OMMA_TRY_OR(status, fail, omma_pretokenizer_create(&made->pretokenizer, error));
    *tokenizer = made;
    return OMMA_OK;
fail:
    omma_tokenizer_close(&made);
    return status;
}

void omma_tokenizer_close(struct omma_tokenizer **tokenizer)
{
    struct omma_tokenizer *old = *tokenizer;

    if (old != NULL) {
        omma_vocabulary_free(&old->vocabulary);
        omma_bpe_free(&old->bpe);
        omma_pretokenizer_destroy(&old->pretokenizer);
        free(old->added);
        omma_token_trie_destroy(&old->late->trie);
        pthread_mutex_destroy(&old->late->lock);
        free(old->late);
        free(old);
        *tokenizer = NULL;
    }
}

/* ----------------------------------------------------------------------------------------------
 * Questions
 * ------------------------------------------------------------------------------------------- */

const struct omma_template_ids *omma_tokenizer_template_ids(const struct omma_tokenizer *tokenizer)
{
    return &tokenizer->template_ids;
}

size_t omma_tokenizer_n_ids(const struct omma_tokenizer *tokenizer)
{
    return tokenizer->vocabulary.n_ids;
}

size_t omma_tokenizer_memory_bytes(const struct omma_tokenizer *tokenizer)
{
    return sizeof *tokenizer + tokenizer->vocabulary.capacity +
           (tokenizer->vocabulary.limit + 1) * sizeof *tokenizer->vocabulary.entries +
           tokenizer->bpe.n_slots * sizeof *tokenizer->bpe.slots +
           (tokenizer->n_added + 1) * sizeof *tokenizer->added;
}

enum omma_status omma_tokenizer_trie(const struct omma_tokenizer *tokenizer,
                                     const struct omma_token_trie **trie, struct omma_error *error)
{
    struct late *late = tokenizer->late;
    enum omma_status status = OMMA_OK;

    pthread_mutex_lock(&late->lock);
    if (late->trie == NULL) {
        status = omma_token_trie_create(tokenizer, &late->trie, error);
    }
    *trie = late->trie;
    pthread_mutex_unlock(&late->lock);
    return status;
}

bool omma_tokenizer_is_skipped(const struct omma_tokenizer *tokenizer, int32_t id)
{
    const struct omma_vocabulary_entry *entry = omma_vocabulary_entry(&tokenizer->vocabulary, id);

    return entry != NULL && entry->is_skipped;
}

const char *omma_token_bytes(const struct omma_tokenizer *tokenizer, int32_t id, size_t *n_bytes,
                             bool *is_added)
{
    const struct omma_vocabulary_entry *entry = omma_vocabulary_entry(&tokenizer->vocabulary, id);

    *n_bytes = entry != NULL ? entry->n_bytes : 0;
    if (is_added != NULL) {
        *is_added = entry != NULL && entry->kind == OMMA_TOKEN_ADDED;
    }
    return entry != NULL ? tokenizer->vocabulary.bytes + entry->offset : "";
}

/* ----------------------------------------------------------------------------------------------
 * Encoding
 * ------------------------------------------------------------------------------------------- */

/* The first name of an added token in text from `at` on; *begin is where, n_bytes if there is none.
 */
static const struct added *next_added(const struct omma_tokenizer *tokenizer, const char *text,
                                      size_t n_bytes, size_t at, enum omma_recognise recognise,
                                      size_t *begin)
{
    *begin = n_bytes;
    if (recognise == OMMA_RECOGNISE_NONE) {
        return NULL;
    }
    for (; at < n_bytes; at++) {
        if (!tokenizer->begins_added[(uint8_t)text[at]]) {
            continue;
        }
        for (size_t i = 0; i < tokenizer->n_added; i++) {
            const struct added *added = &tokenizer->added[i];

            if (added->n_name <= n_bytes - at &&
                (added->is_markup || recognise == OMMA_RECOGNISE_ALL) &&
                memcmp(added->name, text + at, added->n_name) == 0) {
                *begin = at;
                return added;
            }
        }
    }
    return NULL;
}

enum omma_status omma_tokenizer_check_text(const struct omma_tokenizer *tokenizer, const char *name,
                                           const char *text, size_t n_bytes,
                                           enum omma_special special, struct omma_error *error)
{
    const struct added *added;
    size_t at;

    if (n_bytes > INT32_MAX) {
        return omma_fail(error, OMMA_STATUS_PROMPT, "%s: expected fewer than 2^31 bytes, found %zu",
                         name, n_bytes);
    }
    OMMA_TRY(omma_utf8_check(name, text, n_bytes, error));
    if (special != OMMA_SPECIAL_REJECT) {
        return OMMA_OK;
    }
    added = next_added(tokenizer, text, n_bytes, 0, OMMA_RECOGNISE_ALL, &at);
    if (added != NULL) {
        return omma_fail(error, OMMA_STATUS_PROMPT,
                         "%s @%zu: expected no special token, found %.*s", name, at,
                         (int)added->n_name, added->name);
    }
    return OMMA_OK;
}

/* Text without added tokens; lookahead ends where it ends. */
static enum omma_status append_plain(const struct omma_tokenizer *tokenizer,
                                     struct omma_pretokenizer_scan *scan,
                                     struct omma_bpe_scratch *scratch, const char *text,
                                     size_t n_bytes, struct omma_token_list *list,
                                     struct omma_error *error)
{
    size_t end;

    for (size_t at = 0; at < n_bytes; at = end) {
        OMMA_TRY(omma_pretokenizer_next(scan, text, n_bytes, at, &end, error));
        OMMA_TRY(omma_bpe_encode(&tokenizer->bpe, scratch, text + at, end - at, list, error));
    }
    return OMMA_OK;
}

enum omma_status omma_tokenizer_append(const struct omma_tokenizer *tokenizer, const char *text,
                                       size_t n_bytes, enum omma_recognise recognise,
                                       struct omma_token_list *list, struct omma_error *error)
{
    struct omma_pretokenizer_scan *scan = NULL;
    struct omma_bpe_scratch scratch = {0};
    const char *normal;
    char *owned = NULL;
    size_t n_normal, at = 0;
    enum omma_status status;

    OMMA_TRY_OR(status, done, omma_normalize_nfc(text, n_bytes, &normal, &n_normal, &owned, error));
    OMMA_TRY_OR(status, done, omma_pretokenizer_scan_create(tokenizer->pretokenizer, &scan, error));
    while (at < n_normal) {
        size_t begin;
        const struct added *added = next_added(tokenizer, normal, n_normal, at, recognise, &begin);

        OMMA_TRY_OR(status, done,
                    append_plain(tokenizer, scan, &scratch, normal + at, begin - at, list, error));
        at = begin;
        if (added != NULL) {
            OMMA_TRY_OR(status, done, omma_token_list_add(list, added->id, 1, error));
            at += added->n_name;
        }
    }
done:
    omma_bpe_scratch_free(&scratch);
    omma_pretokenizer_scan_destroy(&scan);
    free(owned);
    return status;
}

enum omma_status omma_tokenize(const struct omma_tokenizer *tokenizer, const char *text,
                               size_t n_bytes, enum omma_special special,
                               struct omma_tokens *tokens, struct omma_error *error)
{
    struct omma_token_list list = {0};
    enum omma_status status;

    OMMA_TRY(omma_tokenizer_check_text(tokenizer, "text", text, n_bytes, special, error));
    status = omma_tokenizer_append(
        tokenizer, text, n_bytes,
        special == OMMA_SPECIAL_REFERENCE ? OMMA_RECOGNISE_ALL : OMMA_RECOGNISE_NONE, &list, error);
    if (status != OMMA_OK) {
        omma_token_list_free(&list);
        return status;
    }
    omma_token_list_give(&list, tokens);
    return OMMA_OK;
}

void omma_tokens_free(struct omma_tokens *tokens)
{
    free(tokens->ids);
    tokens->ids = NULL;
    tokens->n_tokens = 0;
}
