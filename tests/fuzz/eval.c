/*
 * A file of predictions, scored by the rule that its first byte chooses, with all reports of it;
 * the same bytes as a list written as Python writes it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/eval/report.h"

static void score(const char *path, const char *suite)
{
    struct run_folder run = {.predictions = (char *)path, .suite = (char *)suite};
    struct scores scores;
    struct report report = {.run = &run, .scores = &scores};
    struct omma_error error;
    FILE *out;

    if (scores_open(path, suite, &scores, &error) != OMMA_OK) {
        return;
    }
    out = fopen("/dev/null", "w");
    if (out != NULL) {
        report_json(&report, out, &error);
        report_markdown(&report, out, &error);
        report_html(&report, out, &error);
        fclose(out);
    }
    scores_close(&scores);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const suites[] = {"SEEDBench_IMG", "MMMU_DEV_VAL", "MMBench",
                                         "MathVista_MINI"};
    struct literal_list list;
    struct omma_error error;
    bool is_list;
    char path[64];
    int file = n_bytes > 0 ? memfd_create("predictions", MFD_CLOEXEC) : -1;

    if (file < 0) {
        return 0;
    }
    if (write(file, bytes + 1, n_bytes - 1) == (ssize_t)(n_bytes - 1)) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        score(path, suites[bytes[0] % 4]);
    }
    close(file);
    if (literal_list_parse((struct slice){(const char *)bytes, n_bytes}, &list, &is_list, &error) ==
        OMMA_OK) {
        literal_list_free(&list);
    }
    return 0;
}
