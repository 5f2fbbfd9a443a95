/* Standard output.  SIGPIPE is ignored (signals.c), so a closed pipe is EPIPE here. */
#include "tools/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
