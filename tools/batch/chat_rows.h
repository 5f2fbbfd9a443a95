/*
 * chat_rows.h - lines with chat requests as rows of a run, and the lines that answer them.
 *
 * A line is the body of a request of the OpenAI API with an optional custom_id, or the form of its
 * batch files, {"custom_id", "method", "url", "body"}.  What answers it is
 *
 *     {"id", "line", "text", "finish_reason", "usage"}     and, from run to run another, "timings"
 *     {"id", "line", "error": {"code", "param", "message"}}
 *
 * id is the custom_id, or the number of the line, from 1, if it has none.
 */
#ifndef OMMA_TOOLS_BATCH_CHAT_ROWS_H
#define OMMA_TOOLS_BATCH_CHAT_ROWS_H

#include "tools/batch/input.h"
#include "tools/batch/runner.h"
#include "tools/chat/picture_in.h"

struct chat_rows {
    const struct omma_model *model;
    const struct input *input;
    const struct media_folder *media;
    struct picture_bounds bounds;
    size_t max_tokens; /* of an answer */
    uint64_t seed;     /* row i draws with seed + i, if it names none */
};

/* The source of a runner; a row's number is its index in the input.  *rows must outlive it. */
struct row_source chat_rows_source(struct chat_rows *rows);

#endif
