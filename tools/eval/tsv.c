/* memchr() does the work: cells of pictures have megabytes, and none of the bytes looked for. */
#include "tools/eval/tsv.h"

#include <string.h>

static const char *find(const char *from, const char *end, char c)
{
    const char *found = from < end ? memchr(from, c, (size_t)(end - from)) : NULL;

    return found != NULL ? found : end;
}

/* The end of the line that holds `from`.  A carriage return is looked for up to the line feed only:
 * a file that has none is not read to its end for it. */
static const char *line_end(struct tsv *tsv, const char *from)
{
    if (tsv->line_feed < from) {
        tsv->line_feed = find(from, tsv->end, '\n');
        tsv->line_end = from - 1;
    }
    if (tsv->line_end < from) {
        tsv->line_end = find(from, tsv->line_feed, '\r');
    }
    return tsv->line_end;
}

struct tsv tsv_begin(const char *bytes, size_t n_bytes)
{
    struct tsv tsv;

    bytes = n_bytes > 0 ? bytes : ""; /* an empty file is not mapped */
    tsv.begin = bytes;
    tsv.end = bytes + n_bytes;
    tsv.at = bytes + (n_bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    tsv.line_feed = find(tsv.at, tsv.end, '\n');
    tsv.line_end = find(tsv.at, tsv.line_feed, '\r');
    return tsv;
}

bool tsv_next_record(struct tsv *tsv)
{
    while (tsv->at < tsv->end) {
        const char *p = tsv->at;

        while (p < tsv->end && *p == ' ') {
            p++;
        }
        if (p < tsv->end && *p != '\n' && *p != '\r') {
            return true;
        }
        if (p == tsv->end) {
            tsv->at = p;
            break;
        }
        tsv->at = p + 1;
    }
    return false;
}

/* Behind the closing quote of a cell that begins with one; NULL: there is none. */
static const char *skip_quoted(const struct tsv *tsv, const char *p)
{
    for (p++; (p = find(p, tsv->end, '"')) < tsv->end; p += 2) {
        if (p + 1 == tsv->end || p[1] != '"') {
            return p + 1;
        }
    }
    return NULL;
}

bool tsv_next_cell(struct tsv *tsv, struct tsv_cell *cell)
{
    const char *begin = tsv->at, *rest = begin, *end, *line;

    cell->is_quoted = begin < tsv->end && *begin == '"';
    if (cell->is_quoted && (rest = skip_quoted(tsv, begin)) == NULL) {
        return false;
    }
    line = line_end(tsv, rest);
    end = find(rest, line, '\t');
    cell->bytes = begin;
    cell->n_bytes = (size_t)(end - begin);
    cell->is_last = end == line;
    if (end < tsv->end) {
        end += *end == '\r' && end + 1 < tsv->end && end[1] == '\n' ? 2 : 1;
    }
    tsv->at = end;
    return true;
}

size_t tsv_unquote(const struct tsv_cell *cell, char *bytes)
{
    const char *p = cell->bytes, *end = p + cell->n_bytes;
    size_t n = 0;

    if (cell->is_quoted) {
        for (p++; p < end; p++) {
            if (*p == '"' && (p + 1 == end || p[1] != '"')) {
                p++;
                break;
            }
            p += *p == '"';
            bytes[n++] = *p;
        }
    }
    memcpy(bytes + n, p, (size_t)(end - p));
    return n + (size_t)(end - p);
}
