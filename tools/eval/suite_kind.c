/*
 * Names are looked up one after the other: it is done once a row beside the decoding of a picture.
 */
#include "tools/eval/suite_kind.h"

#include <stddef.h>
#include <string.h>

/* DATASET_TYPE(), and whether the suite's rows and pictures are read in the way of all. */
enum suite_kind suite_kind_of(const char *suite)
{
    static const struct {
        const char *suite;
        enum suite_kind kind;
    } kinds[] = {
#define SUITE_KIND(name, kind) {name, KIND_##kind},
#include "tools/eval/suite_kinds.def"
#undef SUITE_KIND
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(suite, kinds[i].suite) == 0) {
            return kinds[i].kind;
        }
    }
    return strcasestr(suite, "bmmr") != NULL || strcasestr(suite, "mmsivideo") != NULL ? KIND_OWN
           : strcasestr(suite, "openended") != NULL ? KIND_QUESTION
                                                    : KIND_CHOICE;
}
