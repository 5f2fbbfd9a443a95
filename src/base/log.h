/*
 * log.h - messages that are no errors, to the caller's callback.  The library itself never prints.
 */
#ifndef OMMA_BASE_LOG_H
#define OMMA_BASE_LOG_H

#include "api/omma.h"

void omma_log_warning(const struct omma_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void omma_log_info(const struct omma_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
