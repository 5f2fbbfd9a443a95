/* Escaping. */
#include "tools/eval/excerpt.h"

#include <string.h>

#include "tools/utf8.h"

static const char replacement[] = "\xEF\xBF\xBD";

/* Bytes of the character at bytes, or of what is none. */
static size_t step(const char *bytes, size_t n_bytes, uint32_t *c)
{
    size_t n = utf8_character(bytes, n_bytes, c);

    if (n == 0) {
        *c = 0;
        return 1;
    }
    return n;
}

void excerpt_cut(struct text *text, size_t n_characters)
{
    size_t at = 0;
    uint32_t c;

    for (size_t i = 0; i < n_characters && at < text->n_bytes; i++) {
        size_t n = step(text->bytes + at, text->n_bytes - at, &c);

        if (c < 0x20) {
            text->bytes[at] = ' ';
        }
        at += n;
    }
    text->n_bytes = at;
    text->bytes[at] = '\0';
}

void excerpt_markdown(FILE *out, const char *bytes, size_t n_bytes)
{
    uint32_t c;
    size_t n;

    for (size_t at = 0; at < n_bytes; at += n) {
        n = step(bytes + at, n_bytes - at, &c);
        if (c < 0x20 || c == 0x7F) {
            putc(' ', out);
        } else if (c == '<' || c == '>' || c == '&') {
            fputs(c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;", out);
        } else {
            if (c < 0x80 && strchr("\\`*_{}[]()#+-.!|~$:@", (int)c) != NULL) {
                putc('\\', out);
            }
            fwrite(bytes + at, 1, n, out);
        }
    }
}

void excerpt_html(FILE *out, const char *bytes, size_t n_bytes)
{
    uint32_t c;
    size_t n;

    for (size_t at = 0; at < n_bytes; at += n) {
        n = step(bytes + at, n_bytes - at, &c);
        switch (c) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            if ((c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7F && c < 0xA0) ||
                (c & 0xFFFE) == 0xFFFE) {
                fputs(replacement, out);
            } else {
                fwrite(bytes + at, 1, n, out);
            }
        }
    }
}
