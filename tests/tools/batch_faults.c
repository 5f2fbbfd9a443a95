/*
 * To be preloaded (LD_PRELOAD): fsync(2) that fails with EIO from the call on that
 * OMMA_TEST_FSYNC_FAILS counts, from 0; files that lie on the file system with the magic number
 * OMMA_TEST_FILE_SYSTEM.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static atomic_long n_calls;

static int synchronize(long call, int descriptor)
{
    const char *limit = getenv("OMMA_TEST_FSYNC_FAILS");

    if (limit != NULL && atomic_fetch_add(&n_calls, 1) >= atol(limit)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, descriptor);
}

EXPORTED int fsync(int descriptor)
{
    return synchronize(SYS_fsync, descriptor);
}

EXPORTED int fdatasync(int descriptor)
{
    return synchronize(SYS_fdatasync, descriptor);
}

EXPORTED int fstatfs(int descriptor, struct statfs *statfs)
{
    const char *magic = getenv("OMMA_TEST_FILE_SYSTEM");
    int result = (int)syscall(SYS_fstatfs, descriptor, statfs);

    if (magic != NULL) {
        statfs->f_type = (__fsword_t)atol(magic);
    }
    return result;
}
