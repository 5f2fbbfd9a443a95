/* The loop over lines, common to the commands that have --jsonl. */
#include "tools/jsonl.h"

#include "tools/output.h"
#include "tools/text_in.h"

static enum omma_status answer_line(const struct text *line, jsonl_fn each, void *user,
                                    struct json_out *answer, struct omma_error *error)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY;
    json_error_t reason;
    json_t *value = json_loadb(line->bytes, line->n_bytes, flags, &reason);
    enum omma_status status;

    if (value == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "column %d: %s", reason.column, reason.text);
    }
    status = json_is_object(value) ? each(user, value, answer, error)
                                   : fail(error, OMMA_STATUS_USAGE, "expected an object");
    json_decref(value);
    return status;
}

int jsonl_run(jsonl_fn each, void *user, struct omma_error *error)
{
    struct text line = {0};
    enum omma_status status;
    bool has_failed = false, got = true;

    for (;;) {
        struct omma_error line_error = {0};
        struct json_out answer;

        status = text_read_line(stdin, "standard input", &line, &got, error);
        if (status != OMMA_OK || !got) {
            break;
        }
        answer = json_out_object();
        if (answer_line(&line, each, user, &answer, &line_error) != OMMA_OK) {
            has_failed = true;
            json_object_clear(answer.value);
            json_out_set(&answer, "error", json_out_string(line_error.message));
        }
        status = json_out_write(&answer, stdout, true, error);
        if (status != OMMA_OK) {
            break;
        }
    }
    text_free(&line);
    if (status == OMMA_OK) {
        status = output_flush(error);
    }
    return status == OMMA_OK && has_failed ? EXIT_SOME_FAILED : (int)status;
}
