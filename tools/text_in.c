/* Reading texts whole or line by line; a text may hold any bytes. */
#include "tools/text_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

enum omma_status text_copy(const char *string, struct text *text, struct omma_error *error)
{
    char *bytes = strdup(string);

    if (bytes == NULL) {
        return fail_memory(error);
    }
    *text = (struct text){.bytes = bytes, .n_bytes = strlen(bytes)};
    return OMMA_OK;
}

enum omma_status text_read(FILE *stream, const char *name, struct text *text,
                           struct omma_error *error)
{
    size_t capacity = 1 << 16, n = 0;
    char *bytes = malloc(capacity);

    while (bytes != NULL) {
        size_t n_read = fread(bytes + n, 1, capacity - n - 1, stream);
        char *larger;

        n += n_read;
        if (n_read == 0) {
            break;
        }
        if (n + 1 < capacity) {
            continue;
        }
        larger = realloc(bytes, capacity *= 2);
        if (larger == NULL) {
            free(bytes);
        }
        bytes = larger;
    }
    if (bytes == NULL) {
        return fail_memory(error);
    }
    if (ferror(stream)) {
        free(bytes);
        return fail(error, OMMA_STATUS_PROMPT, "%s: %s", name, strerror(errno));
    }
    bytes[n] = '\0';
    *text = (struct text){.bytes = bytes, .n_bytes = n};
    return OMMA_OK;
}

void text_chomp(struct text *text)
{
    if (text->n_bytes > 0 && text->bytes[text->n_bytes - 1] == '\n') {
        text->bytes[--text->n_bytes] = '\0';
    }
}

enum omma_status text_of_file(const char *path, struct text *text, struct omma_error *error)
{
    FILE *file = fopen(path, "rbe");
    enum omma_status status;

    if (file == NULL) {
        return fail(error, OMMA_STATUS_PROMPT, "%s: %s", path, strerror(errno));
    }
    status = text_read(file, path, text, error);
    fclose(file);
    return status;
}

enum omma_status text_of_argument(const char *argument, struct text *text, struct omma_error *error)
{
    if (*argument != '@') {
        return text_copy(argument, text, error);
    }
    TRY(text_of_file(argument + 1, text, error));
    text_chomp(text);
    return OMMA_OK;
}

enum omma_status text_read_line(FILE *stream, const char *name, struct text *text, bool *got,
                                struct omma_error *error)
{
    size_t capacity = 0;
    char *line = NULL;
    ssize_t n;

    errno = 0;
    n = getline(&line, &capacity, stream);
    if (n < 0 && (ferror(stream) || errno == ENOMEM)) {
        free(line);
        return fail(error, errno == ENOMEM ? OMMA_STATUS_RESOURCES : OMMA_STATUS_PROMPT, "%s: %s",
                    name, strerror(errno));
    }
    *got = n >= 0;
    text_free(text);
    if (n < 0) {
        free(line);
        return OMMA_OK;
    }
    *text = (struct text){.bytes = line, .n_bytes = (size_t)n};
    text_chomp(text);
    return OMMA_OK;
}
