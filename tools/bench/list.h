/*
 * list.h - the lists of numbers that the options of omma bench take: "512,2048".
 */
#ifndef OMMA_BENCH_LIST_H
#define OMMA_BENCH_LIST_H

#include "tools/status.h"

enum { BENCH_MAX_LIST = 16 };

struct bench_list {
    size_t values[BENCH_MAX_LIST];
    size_t n_values; /* 0: the option stands for nothing to measure */
};

/* Numbers from minimum to maximum between commas; "" or "none" is an empty list.  OMMA_STATUS_USAGE
 * with the option's name, the range and what was found. */
enum omma_status bench_list_parse(const char *option, const char *text, size_t minimum,
                                  size_t maximum, struct bench_list *list,
                                  struct omma_error *error);

#endif
