/* Files read whole and mapped.  read() is the linker's --wrap here: it is interrupted and gives few
 * bytes at a time (row J14). */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/mapping.h"
#include "support/support.h"

ssize_t __real_read(int fd, void *bytes, size_t n_bytes);
ssize_t __wrap_read(int fd, void *bytes, size_t n_bytes);

static struct {
    bool is_on;
    size_t n_calls;
    int failure;      /* errno of the next call; 0: none */
    const char *grow; /* a path to append to at the next call */
} tricks;

ssize_t __wrap_read(int fd, void *bytes, size_t n_bytes)
{
    tricks.n_calls++;
    if (tricks.grow != NULL) {
        int other = open(tricks.grow, O_WRONLY | O_APPEND);

        assert_int_equal(write(other, "more", 4), 4);
        close(other);
        tricks.grow = NULL;
    }
    if (tricks.failure != 0) {
        errno = tricks.failure;
        tricks.failure = 0;
        return -1;
    }
    if (tricks.is_on && tricks.n_calls % 2 == 1) {
        errno = EINTR;
        return -1;
    }
    return __real_read(fd, bytes, tricks.is_on && n_bytes > 3 ? 3 : n_bytes);
}

static char *make_file(const char *text)
{
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "x");

    omma_test_write(path, text, strlen(text));
    free(dir);
    return path;
}

static void test_j14_interrupted_and_short_reads(void **state)
{
    char *path = make_file("a text of more bytes than three"), *bytes = NULL;
    struct omma_error error;
    size_t n_bytes = 0;

    (void)state;
    tricks.is_on = true;
    tricks.n_calls = 0;
    assert_ok(omma_file_read(path, 100, &bytes, &n_bytes, &error));
    tricks.is_on = false;
    assert_string_equal(bytes, "a text of more bytes than three");
    assert_int_equal(n_bytes, 31);
    assert_true(tricks.n_calls > 20);
    free(bytes);
    free(path);
}

static void test_failures(void **state)
{
    char *path = make_file("text"), *bytes = NULL;
    struct omma_error error;
    size_t n_bytes = 0;

    (void)state;
    assert_fails(OMMA_STATUS_MODEL, "expected at most 3 bytes, found 4",
                 omma_file_read(path, 3, &bytes, &n_bytes, &error));
    tricks.failure = EIO;
    assert_fails(OMMA_STATUS_MODEL, "@0: cannot read: Input/output error",
                 omma_file_read(path, 4, &bytes, &n_bytes, &error));
    tricks.grow = path;
    assert_fails(OMMA_STATUS_CHANGED, "changed while it was read",
                 omma_file_read(path, 4, &bytes, &n_bytes, &error));
    assert_null(bytes);
    assert_fails(OMMA_STATUS_MODEL, "/dev/null: expected a file, found a device",
                 omma_file_read("/dev/null", 4, &bytes, &n_bytes, &error));
    unlink(path);
    assert_fails(OMMA_STATUS_MODEL, "cannot open: No such file",
                 omma_file_read(path, 4, &bytes, &n_bytes, &error));
    assert_false(omma_file_exists(path));
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_true(omma_file_exists(path)); /* so that the message names it */
    free(path);
}

static void test_mapping(void **state)
{
    char *path = make_file("content"), *empty = make_file("");
    struct omma_mapping mapping;
    struct omma_error error;
    int fd = open(path, O_RDONLY);

    (void)state;
    assert_ok(omma_mapping_open(path, &mapping, &error));
    assert_int_equal(mapping.n_bytes, 7);
    assert_memory_equal(mapping.bytes, "content", 7);
    assert_string_equal(mapping.path, path);
    assert_ok(omma_mapping_check(&mapping, &error));
    assert_int_equal(truncate(path, 3), 0);
    assert_fails(OMMA_STATUS_CHANGED, "expected 7 bytes, found 3",
                 omma_mapping_check(&mapping, &error));
    omma_mapping_close(&mapping);
    assert_ok(omma_mapping_open_fd(fd, "a name", &mapping, &error));
    assert_int_equal(fcntl(fd, F_GETFD), 0); /* still open */
    assert_int_equal(mapping.n_bytes, 3);
    assert_ok(omma_mapping_check(&mapping, &error)); /* nothing of that name */
    omma_mapping_close(&mapping);
    close(fd);
    assert_ok(omma_mapping_open(empty, &mapping, &error));
    assert_null(mapping.bytes);
    assert_int_equal(mapping.n_bytes, 0);
    assert_ok(omma_mapping_check(&mapping, &error));
    omma_mapping_close(&mapping);
    free(path);
    free(empty);
}

/* A relative path means the same file after the process moved to another folder. */
static void test_mapping_of_a_relative_path(void **state)
{
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "x");
    struct omma_mapping mapping;
    struct omma_error error;
    int before = open(".", O_RDONLY | O_DIRECTORY);

    (void)state;
    omma_test_write(path, "content", 7);
    assert_int_equal(chdir(dir), 0);
    assert_ok(omma_mapping_open("x", &mapping, &error));
    assert_int_equal(fchdir(before), 0);
    close(before);
    assert_ok(omma_mapping_check(&mapping, &error));
    assert_int_equal(truncate(path, 3), 0);
    assert_fails(OMMA_STATUS_CHANGED, "x: changed while in use",
                 omma_mapping_check(&mapping, &error));
    omma_mapping_close(&mapping);
    free(path);
    free(dir);
}

/* Dropped pages come back from the file; the page cache has none of them, unless the file system is
 * the page cache. */
static void test_pages_that_are_dropped(void **state)
{
    enum { N_BYTES = 3 << 20 };
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "x"), *bytes = malloc(N_BYTES);
    unsigned char resident[N_BYTES / 4096];
    struct omma_mapping mapping;
    struct statfs system;
    struct omma_error error;
    int fd;

    (void)state;
    memset(bytes, 'a', N_BYTES);
    omma_test_write(path, bytes, N_BYTES);
    fd = open(path, O_RDONLY);
    assert_int_equal(fsync(fd), 0);
    assert_ok(omma_mapping_open(path, &mapping, &error));
    assert_memory_equal(mapping.bytes, bytes, N_BYTES);
    omma_mapping_drop_pages(&mapping);
    assert_int_equal(fstatfs(fd, &system), 0);
    if (system.f_type == EXT4_SUPER_MAGIC || system.f_type == XFS_SUPER_MAGIC) {
        assert_int_equal(mincore((void *)mapping.bytes, N_BYTES, resident), 0);
        assert_int_equal(resident[0] & 1, 0);
        assert_int_equal(resident[sizeof resident - 1] & 1, 0);
    }
    assert_memory_equal(mapping.bytes, bytes, N_BYTES);
    omma_mapping_close(&mapping);
    close(fd);
    free(bytes);
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_j14_interrupted_and_short_reads),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_mapping_of_a_relative_path),
        cmocka_unit_test(test_pages_that_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
