/* Formats a message on the stack and hands it to the caller's callback. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void write_message(const struct omma_log *log, enum omma_log_level level, const char *format,
                          va_list arguments) __attribute__((format(printf, 3, 0)));

static void write_message(const struct omma_log *log, enum omma_log_level level, const char *format,
                          va_list arguments)
{
    char message[1024];

    if (log == NULL || log->write == NULL) {
        return;
    }
    vsnprintf(message, sizeof message, format, arguments);
    log->write(log->user, level, message);
}

void omma_log_warning(const struct omma_log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_message(log, OMMA_LOG_WARNING, format, arguments);
    va_end(arguments);
}

void omma_log_info(const struct omma_log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_message(log, OMMA_LOG_INFO, format, arguments);
    va_end(arguments);
}
