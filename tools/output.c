/* Standard output.  SIGPIPE is ignored (signals.c), so a closed pipe is EPIPE here. */
#include "tools/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/utf8.h"

enum omma_status output_flush(struct omma_error *error)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return fail(error, OMMA_STATUS_OUTPUT, "standard output: %s",
                    errno != 0 ? strerror(errno) : "writing failed");
    }
    return OMMA_OK;
}

enum omma_status output_write(const char *bytes, size_t n_bytes, struct omma_error *error)
{
    fwrite(bytes, 1, n_bytes, stdout);
    return output_flush(error);
}

static bool is_control(uint32_t character)
{
    return (character < 0x20 && character != '\n' && character != '\t') ||
           (character >= 0x7F && character <= 0x9F);
}

enum omma_status output_write_text(const char *text, size_t n_bytes, struct omma_error *error)
{
    if (!isatty(STDOUT_FILENO)) {
        return output_write(text, n_bytes, error);
    }
    for (size_t i = 0; i < n_bytes;) {
        uint32_t character = 0;
        size_t n = utf8_character(text + i, n_bytes - i, &character);

        if (n == 0 || is_control(character)) {
            fputs("\xEF\xBF\xBD", stdout);
        } else {
            fwrite(text + i, 1, n, stdout);
        }
        i += n > 0 ? n : 1;
    }
    return output_flush(error);
}
