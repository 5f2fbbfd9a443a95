/* Read once from end to end for the digest and the lines; rows are read again when they are due. */
#include "tools/batch/input.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/file_piece.h"

enum { BUFFER_BYTES = 1 << 20 };

/* ------------------------------------------------------------------------------------------------
 * Lines
 * --------------------------------------------------------------------------------------------- */

/* A line under way. */
struct scan {
    struct input_row row;
    bool has_content;
};

static enum omma_status end_line(struct input *input, struct scan *scan, off_t end,
                                 struct omma_error *error)
{
    if (scan->has_content) {
        if (input->n_rows == input->capacity) {
            size_t capacity = 2 * input->capacity + 1024;
            struct input_row *grown = realloc(input->rows, capacity * sizeof *grown);

            if (grown == NULL) {
                return fail_memory(error);
            }
            input->rows = grown;
            input->capacity = capacity;
        }
        scan->row.n_bytes = (size_t)(end - scan->row.offset);
        input->rows[input->n_rows++] = scan->row;
    }
    scan->row = (struct input_row){.offset = end + 1, .line = scan->row.line + 1};
    scan->has_content = false;
    return OMMA_OK;
}

static enum omma_status add_lines(struct input *input, struct scan *scan, const char *bytes,
                                  size_t n_bytes, off_t offset, struct omma_error *error)
{
    for (size_t i = 0; i < n_bytes;) {
        const char *newline = memchr(bytes + i, '\n', n_bytes - i);
        size_t end = newline != NULL ? (size_t)(newline - bytes) : n_bytes;

        while (!scan->has_content && i < end) {
            scan->has_content = strchr(" \t\r", bytes[i]) == NULL || bytes[i] == '\0';
            i++;
        }
        if (newline != NULL) {
            TRY(end_line(input, scan, offset + (off_t)end, error));
        }
        i = end + 1;
    }
    return OMMA_OK;
}

static enum omma_status fail_input(const struct input *input, int number, struct omma_error *error)
{
    return fail(error, OMMA_STATUS_USAGE, "%s: %s", input->path, strerror(number));
}

/* bytes: [BUFFER_BYTES] */
static enum omma_status scan_file(struct input *input, EVP_MD_CTX *digest, char *bytes,
                                  struct omma_error *error)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* of UTF-8, as some editors write it */
    struct scan scan = {.row = {.line = 1}};
    off_t offset = 0;
    ssize_t n;

    while ((n = pread(input->descriptor, bytes, BUFFER_BYTES, offset)) != 0) {
        size_t skipped = offset == 0 && n >= 3 && memcmp(bytes, mark, 3) == 0 ? 3 : 0;

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_input(input, errno, error);
        }
        if (EVP_DigestUpdate(digest, bytes, (size_t)n) != 1) {
            return fail(error, OMMA_STATUS_RESOURCES, "libcrypto: SHA-256 failed");
        }
        scan.row.offset += (off_t)skipped;
        TRY(add_lines(input, &scan, bytes + skipped, (size_t)n - skipped, offset + (off_t)skipped,
                      error));
        offset += n;
    }
    return end_line(input, &scan, offset, error);
}

static enum omma_status scan(struct input *input, struct omma_error *error)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    char *bytes = malloc(BUFFER_BYTES);
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n_hash = 0;
    enum omma_status status;

    if (digest == NULL || bytes == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
        status = fail_memory(error);
    } else {
        status = scan_file(input, digest, bytes, error);
    }
    if (status == OMMA_OK && EVP_DigestFinal_ex(digest, hash, &n_hash) != 1) {
        status = fail(error, OMMA_STATUS_RESOURCES, "libcrypto: SHA-256 failed");
    }
    for (unsigned i = 0; i < n_hash && 2 * i + 2 < sizeof input->sha256; i++) {
        snprintf(input->sha256 + 2 * i, 3, "%02x", hash[i]);
    }
    EVP_MD_CTX_free(digest);
    free(bytes);
    return status;
}

enum omma_status input_open(const char *path, struct input *input, struct omma_error *error)
{
    *input = (struct input){.descriptor = -1};
    input->path = strdup(path);
    if (input->path == NULL) {
        return fail_memory(error);
    }
    input->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (input->descriptor < 0 || fstat(input->descriptor, &input->stat) != 0) {
        return fail_input(input, errno, error);
    }
    if (!S_ISREG(input->stat.st_mode)) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected a regular file, which can be read again by a run that goes on",
                    path);
    }
    return scan(input, error);
}

void input_close(struct input *input)
{
    if (input->path != NULL && input->descriptor >= 0) {
        close(input->descriptor);
    }
    free(input->path);
    free(input->rows);
    *input = (struct input){.descriptor = -1};
}

enum omma_status input_read(const struct input *input, size_t row, char **bytes,
                            struct omma_error *error)
{
    const struct input_row *place = &input->rows[row];

    return file_piece_read(input->descriptor, &input->stat, input->path, (size_t)place->offset,
                           place->n_bytes, bytes, error);
}

/* ------------------------------------------------------------------------------------------------
 * Names
 * --------------------------------------------------------------------------------------------- */

struct name {
    char *text; /* NULL: the row has none */
    size_t line;
};

static int by_text(const void *one, const void *other)
{
    const struct name *a = one, *b = other;
    int order = strcmp(a->text, b->text);

    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static enum omma_status read_name(const struct input *input, size_t row, char **name,
                                  struct omma_error *error)
{
    size_t n_bytes = input->rows[row].n_bytes;
    const char *text;
    char *bytes;
    json_t *root;

    *name = NULL;
    TRY(input_read(input, row, &bytes, error));
    root = memmem(bytes, n_bytes, "\"custom_id\"", 11) != NULL
               ? json_loadb(bytes, n_bytes, JSON_ALLOW_NUL, NULL)
               : NULL;
    text = json_string_value(json_object_get(root, "custom_id"));
    if (text != NULL) {
        *name = strdup(text);
    }
    free(bytes);
    json_decref(root);
    return text != NULL && *name == NULL ? fail_memory(error) : OMMA_OK;
}

enum omma_status input_check_names(const struct input *input, struct omma_error *error)
{
    struct name *names = calloc(input->n_rows + 1, sizeof *names);
    enum omma_status status = names == NULL ? fail_memory(error) : OMMA_OK;
    size_t n = 0;

    for (size_t i = 0; i < input->n_rows && status == OMMA_OK; i++) {
        names[n].line = input->rows[i].line;
        status = read_name(input, i, &names[n].text, error);
        n += names[n].text != NULL;
    }
    if (status == OMMA_OK) {
        qsort(names, n, sizeof *names, by_text);
    }
    for (size_t i = 1; i < n && status == OMMA_OK; i++) {
        if (strcmp(names[i - 1].text, names[i].text) == 0) {
            status = fail(error, OMMA_STATUS_USAGE,
                          "%s:%zu: custom_id \"%.200s\": line %zu has the same", input->path,
                          names[i].line, names[i].text, names[i - 1].line);
        }
    }
    for (size_t i = 0; i < n; i++) {
        free(names[i].text);
    }
    free(names);
    return status;
}
