/* Status names and the one place where error messages are formatted. */
#include "base/status.h"

#include <stdio.h>
#include <string.h>

const char *omma_status_name(enum omma_status status)
{
    switch (status) {
    case OMMA_OK:
        return "ok";
    case OMMA_STATUS_USAGE:
        return "usage";
    case OMMA_STATUS_MODEL:
        return "model";
    case OMMA_STATUS_IMAGE:
        return "image";
    case OMMA_STATUS_PROMPT:
        return "prompt";
    case OMMA_STATUS_RESOURCES:
        return "resources";
    case OMMA_STATUS_OUTPUT:
        return "output";
    case OMMA_STATUS_CHANGED:
        return "changed";
    case OMMA_STATUS_BUSY:
        return "busy";
    case OMMA_STATUS_INTERNAL:
        return "internal";
    }
    return "unknown";
}

/* End a message that did not fit: back over a cut UTF-8 character, then dots. */
static void mark_cut(char *message, size_t capacity)
{
    static const char dots[] = "...";
    size_t end = capacity - sizeof dots;

    while (end > 0 && ((unsigned char)message[end] & 0xC0) == 0x80) {
        end--;
    }
    memcpy(message + end, dots, sizeof dots);
}

/* Names in messages come from files: none may move a terminal's cursor. */
static void replace_controls(char *message)
{
    for (char *at = message; *at != '\0'; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7F) {
            *at = '?';
        }
    }
}

enum omma_status omma_fail(struct omma_error *error, enum omma_status status, const char *format,
                           ...)
{
    if (error != NULL) {
        va_list arguments;
        int n;

        error->status = status;
        va_start(arguments, format);
        n = vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        if (n >= (int)sizeof error->message) {
            mark_cut(error->message, sizeof error->message);
        }
        replace_controls(error->message);
    }
    return status;
}

enum omma_status omma_fail_memory(struct omma_error *error, size_t n_bytes, const char *what)
{
    return omma_fail(error, OMMA_STATUS_RESOURCES, "out of memory: %zu bytes for %s", n_bytes,
                     what);
}
