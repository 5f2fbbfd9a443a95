/* Decimal digits and commas, nothing else. */
#include "tools/bench/list.h"

#include <stdlib.h>
#include <string.h>

static enum omma_status refuse(const char *option, const char *text, size_t minimum, size_t maximum,
                               struct omma_error *error)
{
    return fail(error, OMMA_STATUS_USAGE,
                "--%s: expected at most %d numbers from %zu to %zu between commas, found \"%s\"",
                option, BENCH_MAX_LIST, minimum, maximum, text);
}

enum omma_status bench_list_parse(const char *option, const char *text, size_t minimum,
                                  size_t maximum, struct bench_list *list, struct omma_error *error)
{
    struct bench_list found = {.n_values = 0};
    const char *at = text;

    while (*text != '\0' && strcmp(text, "none") != 0) {
        char *end;
        size_t value = strtoul(at, &end, 10);
        bool is_number = *at >= '0' && *at <= '9' && end - at <= 9;

        if (!is_number || value < minimum || value > maximum || (*end != ',' && *end != '\0') ||
            found.n_values == BENCH_MAX_LIST) {
            return refuse(option, text, minimum, maximum, error);
        }
        found.values[found.n_values++] = value;
        if (*end == '\0') {
            break;
        }
        at = end + 1;
    }
    *list = found;
    return OMMA_OK;
}
