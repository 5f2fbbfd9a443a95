/*
 * A file of gigabytes is read once to know its rows; its MD5, which takes seconds, is computed by a
 * thread meanwhile.  What a journal belongs to is known before: where each row begins, which no
 * two files have in common that differ in the length of a row, and the first megabyte.
 */
#include "tools/eval/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* LONGEST_MISSING: more than the words for missing values have, with quotes. */
enum { PIECE = 1 << 20, LONGEST_MISSING = 64 };

/* From VLMEvalKit e8e78f0, vlmeval/dataset. */
static const struct {
    const char *suite, *md5;
} KNOWN[] = {
    {"MMMU_DEV_VAL", "585e8ad75e73f75dcad265dfd0417d64"},
    {"MMMU_TEST", "c19875d11a2d348d07e5eb4bdf33166d"},
    {"MathVista_MINI", "f199b98e178e5a2a20e7048f5dcb0464"},
    {"SEEDBench_IMG", "68017231464752261a2526d6ca3a10c0"},
};

static void write_hex(const unsigned char *bytes, size_t n_bytes, char *text)
{
    for (size_t i = 0; i < n_bytes; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* ------------------------------------------------------------------------------------------------
 * The file
 * --------------------------------------------------------------------------------------------- */

/* DATA/NAME.tsv, whatever the case of its name; to be freed. */
static enum omma_status find_file(const char *data, const char *name, char **path,
                                  struct omma_error *error)
{
    DIR *folder = opendir(data);
    struct dirent *entry;
    size_t n = strlen(name);

    *path = NULL;
    if (folder == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s", data, strerror(errno));
    }
    while (*path == NULL && (entry = readdir(folder)) != NULL) {
        if (strncasecmp(entry->d_name, name, n) == 0 &&
            strcasecmp(entry->d_name + n, ".tsv") == 0 &&
            asprintf(path, "%s/%s", data, entry->d_name) < 0) {
            *path = NULL;
            closedir(folder);
            return fail_memory(error);
        }
    }
    closedir(folder);
    return *path != NULL ? OMMA_OK
                         : fail(error, OMMA_STATUS_USAGE, "%s: expected %s.tsv in it", data, name);
}

/* The file's name without folder and ".tsv". */
static char *name_of(const char *path)
{
    const char *base = strrchr(path, '/');
    size_t n;

    base = base != NULL ? base + 1 : path;
    n = strlen(base);
    n -= n > 4 && strcmp(base + n - 4, ".tsv") == 0 ? 4 : 0;
    return strndup(base, n);
}

static enum omma_status take_fingerprint(struct suite *suite, struct omma_error *error)
{
    const struct table *table = &suite->table;
    size_t n_head = table->n_bytes < PIECE ? table->n_bytes : PIECE;
    unsigned char hash[EVP_MAX_MD_SIZE], *head = malloc(n_head + 1);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned n_hash;
    char hex[33];
    bool is_good =
        head != NULL && digest != NULL &&
        pread(table->descriptor, head, n_head, 0) == (ssize_t)n_head &&
        EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(digest, head, n_head) == 1 &&
        EVP_DigestUpdate(digest, table->offsets, table->n_rows * sizeof *table->offsets) == 1 &&
        EVP_DigestFinal_ex(digest, hash, &n_hash) == 1;

    free(head);
    EVP_MD_CTX_free(digest);
    if (!is_good) {
        return fail(error, OMMA_STATUS_RESOURCES, "%s: cannot be hashed", table->path);
    }
    write_hex(hash, 16, hex);
    snprintf(suite->fingerprint, sizeof suite->fingerprint, "%zu bytes, %zu rows, %s",
             table->n_bytes, table->n_rows, hex);
    return OMMA_OK;
}

/* A thread's: the MD5 of the file, by a descriptor of its own. */
static void *hash_file(void *user)
{
    struct suite *suite = user;
    unsigned char hash[EVP_MAX_MD_SIZE], *bytes = malloc(PIECE);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool is_good =
        bytes != NULL && digest != NULL && EVP_DigestInit_ex(digest, EVP_md5(), NULL) == 1;
    off_t at = 0;
    ssize_t n = 1;

    while (is_good && n > 0) {
        n = pread(suite->table.descriptor, bytes, PIECE, at);
        is_good = n >= 0 && EVP_DigestUpdate(digest, bytes, (size_t)n) == 1;
        at += n;
    }
    if (is_good && EVP_DigestFinal_ex(digest, hash, NULL) == 1) {
        write_hex(hash, 16, suite->md5);
    } else {
        suite->hash_error = errno != 0 ? errno : ENOMEM;
    }
    free(bytes);
    EVP_MD_CTX_free(digest);
    return NULL;
}

static enum omma_status open_table(const char *path, const char *name, struct suite *suite,
                                   struct omma_error *error)
{
    suite->name = name != NULL ? strdup(name) : name_of(path);
    if (suite->name == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (strcasecmp(KNOWN[i].suite, suite->name) == 0) {
            suite->known_md5 = KNOWN[i].md5;
            memcpy(suite->name, KNOWN[i].suite, strlen(suite->name));
        }
    }
    TRY(table_open(path, &suite->table, error));
    TRY(take_fingerprint(suite, error));
    if (pthread_create(&suite->hasher, NULL, hash_file, suite) != 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "a thread cannot be had");
    }
    suite->is_hashing = true;
    return pictures_open(&suite->table, &suite->pictures, error);
}

enum omma_status suite_open(const char *path, const char *name, const char *data,
                            struct suite *suite, struct omma_error *error)
{
    enum omma_status status;
    char *found = NULL;

    if (path != NULL) {
        return open_table(path, name, suite, error);
    }
    TRY(find_file(data, name, &found, error));
    status = open_table(found, NULL, suite, error);
    free(found);
    return status;
}

enum omma_status suite_await_md5(struct suite *suite, struct omma_error *error)
{
    if (suite->is_hashing) {
        pthread_join(suite->hasher, NULL);
        suite->is_hashing = false;
    }
    return suite->hash_error == 0 ? OMMA_OK
                                  : fail(error, OMMA_STATUS_CHANGED, "%s: %s", suite->table.path,
                                         strerror(suite->hash_error));
}

void suite_close(struct suite *suite)
{
    struct omma_error error;

    suite_await_md5(suite, &error);
    pictures_close(&suite->pictures);
    table_close(&suite->table);
    free(suite->name);
    free(suite->chosen);
    *suite = (struct suite){.table.descriptor = -1};
}

/* ------------------------------------------------------------------------------------------------
 * Rows
 * --------------------------------------------------------------------------------------------- */

static bool is_among(const struct option_list *categories, const struct text *text)
{
    for (size_t i = 0; i < categories->n_items; i++) {
        if (strlen(categories->items[i]) == text->n_bytes &&
            memcmp(categories->items[i], text->bytes, text->n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a cell has a value; a long one has, without a look at all of it. */
static enum omma_status has_value(const struct table *table, const struct table_row *row,
                                  size_t column, bool *has, struct omma_error *error)
{
    struct tsv tsv = tsv_begin(row->bytes, row->n_bytes);
    struct tsv_cell cell = {0};
    struct text text = {0};
    bool is_in_row = column != TABLE_NO_COLUMN && tsv_next_record(&tsv);

    for (size_t i = 0; is_in_row && i <= column; i++) {
        is_in_row = !cell.is_last && tsv_next_cell(&tsv, &cell);
    }
    if (is_in_row && cell.n_bytes > LONGEST_MISSING) {
        *has = true;
        return OMMA_OK;
    }
    TRY(table_cell(table, row, column, &text, has, error));
    text_free(&text);
    return OMMA_OK;
}

/* Whether a row is wanted.  VLMEvalKit leaves out rows without a picture. */
static enum omma_status is_wanted(struct suite *suite, const struct suite_choice *choice,
                                  size_t number, bool *is, struct omma_error *error)
{
    size_t image = table_column(&suite->table, "image");
    size_t category = table_column(&suite->table, "category");
    struct table_row row;
    struct text text = {0};
    enum omma_status status;
    bool has;

    TRY(table_row_read(&suite->table, number, &row, error));
    status = has_value(&suite->table, &row, image, &has, error);
    if (status == OMMA_OK && image != TABLE_NO_COLUMN && !has) {
        suite->n_without_picture++;
        *is = false;
    } else if (status == OMMA_OK && choice->categories->n_items > 0) {
        status = table_cell(&suite->table, &row, category, &text, &has, error);
        *is = status == OMMA_OK && has && is_among(choice->categories, &text);
        text_free(&text);
    } else {
        *is = true;
    }
    table_row_free(&row);
    return status;
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Fisher and Yates. */
static void shuffle(uint64_t *rows, size_t n, uint64_t seed)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(draw(&seed) % i);
        uint64_t row = rows[i - 1];

        rows[i - 1] = rows[j];
        rows[j] = row;
    }
}

enum omma_status suite_choose(struct suite *suite, const struct suite_choice *choice,
                              struct omma_error *error)
{
    if (choice->categories->n_items > 0 &&
        table_column(&suite->table, "category") == TABLE_NO_COLUMN) {
        return fail(error, OMMA_STATUS_USAGE, "--category: %s has no column \"category\"",
                    suite->table.path);
    }
    suite->chosen = calloc(suite->table.n_rows + 1, sizeof *suite->chosen);
    if (suite->chosen == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < suite->table.n_rows; i++) {
        bool is;

        TRY(is_wanted(suite, choice, i, &is, error));
        if (is) {
            suite->chosen[suite->n_chosen++] = i;
        }
    }
    if (choice->is_shuffled) {
        shuffle(suite->chosen, suite->n_chosen, choice->seed);
    }
    if (choice->limit > 0 && choice->limit < suite->n_chosen) {
        suite->n_chosen = choice->limit;
    }
    return suite->n_chosen > 0
               ? OMMA_OK
               : fail(error, OMMA_STATUS_USAGE, "%s: no row is left to ask", suite->table.path);
}
