/* Results are objects on one line, so their last byte is the bracket that timings come before. */
#include "tools/batch/export.h"

#include <stdio.h>
#include <string.h>

#include "tools/batch/replacement.h"

struct writer {
    FILE *stream;
    bool has_timings;
    struct export_counts *counts;
};

static enum omma_status write_row(void *user, const struct journal_row *row,
                                  struct omma_error *error)
{
    const struct writer *writer = user;
    size_t n = strlen(row->result);

    (void)error; /* of writing: replacement_end() tells */
    writer->counts->n_rows++;
    writer->counts->n_failed += row->is_error;
    if (writer->has_timings && !row->is_error && n > 0) {
        fprintf(writer->stream, "%.*s,\"timings\":%s}\n", (int)(n - 1), row->result, row->timings);
    } else {
        fprintf(writer->stream, "%s\n", row->result);
    }
    return OMMA_OK;
}

enum omma_status export_rows(struct journal *journal, const char *path, bool has_timings,
                             struct export_counts *counts, struct omma_error *error)
{
    struct replacement file;
    struct writer writer = {.has_timings = has_timings, .counts = counts};
    enum omma_status status, end_status;
    struct omma_error end_error;

    *counts = (struct export_counts){0};
    TRY(replacement_begin(path, &file, error));
    writer.stream = file.stream;
    status = journal_each(journal, write_row, &writer, error);
    end_status = replacement_end(&file, status == OMMA_OK, &end_error);
    if (status == OMMA_OK && end_status != OMMA_OK) {
        *error = end_error;
        status = end_status;
    }
    return status;
}
