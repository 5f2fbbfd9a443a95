/* Failures of the program's own. */
#include "tools/status.h"

#include <stdarg.h>
#include <stdio.h>

enum omma_status fail(struct omma_error *error, enum omma_status status, const char *format, ...)
{
    va_list arguments;

    error->status = status;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

enum omma_status fail_memory(struct omma_error *error)
{
    return fail(error, OMMA_STATUS_RESOURCES, "out of memory");
}
