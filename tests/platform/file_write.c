/* Writing.  pwrite() is the linker's --wrap here: it is interrupted, takes few bytes at a time, and
 * fails as a full disk does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/file_write.h"
#include "support/support.h"

ssize_t __real_pwrite(int fd, const void *bytes, size_t n_bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n_bytes, off_t offset);

static struct {
    bool is_on;
    size_t n_calls;
    size_t fail_at; /* the call that finds the disk full; 0: none */
} tricks;

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n_bytes, off_t offset)
{
    tricks.n_calls++;
    if (tricks.fail_at == tricks.n_calls) {
        errno = ENOSPC;
        return -1;
    }
    if (tricks.is_on && tricks.n_calls % 2 == 1) {
        errno = EINTR;
        return -1;
    }
    return __real_pwrite(fd, bytes, tricks.is_on && n_bytes > 3 ? 3 : n_bytes, offset);
}

static void reset(bool is_on, size_t fail_at)
{
    tricks.is_on = is_on;
    tricks.n_calls = 0;
    tricks.fail_at = fail_at;
}

static void expect_content(const char *dir, const char *name, const char *expected)
{
    char *path = omma_test_join(dir, name), *text;
    size_t n_bytes;

    text = omma_test_read(path, &n_bytes);
    assert_int_equal(n_bytes, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
    free(path);
}

static void test_interrupted_and_short_writes(void **state)
{
    char *dir = omma_test_folder();
    struct omma_error error;

    (void)state;
    reset(true, 0);
    assert_ok(omma_file_replace(dir, "x", "a text of more bytes than three", 31, &error));
    assert_true(tricks.n_calls > 10);
    reset(false, 0);
    expect_content(dir, "x", "a text of more bytes than three");
    free(dir);
}

static void test_the_old_file_stays_where_writing_fails(void **state)
{
    char *dir = omma_test_folder(), *partial = omma_test_join(dir, "x.partial");
    struct omma_error error;

    (void)state;
    reset(false, 0);
    omma_test_put(dir, "x.partial", "of a run that was killed, and longer");
    assert_ok(omma_file_replace(dir, "x", "old", 3, &error));
    expect_content(dir, "x", "old");
    reset(true, 4); /* within the text */
    assert_fails(OMMA_STATUS_OUTPUT, "x.partial: cannot write: No space left on device",
                 omma_file_replace(dir, "x", "newer", 5, &error));
    reset(false, 0);
    expect_content(dir, "x", "old");
    assert_false(omma_file_exists(partial));
    assert_ok(omma_file_replace(dir, "x", "newer", 5, &error));
    expect_content(dir, "x", "newer");
    free(partial);
    free(dir);
}

static void test_create_wants_no_file(void **state)
{
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "x");
    struct omma_error error;
    int fd = -1;

    (void)state;
    reset(false, 0);
    assert_ok(omma_file_create(path, &fd, &error));
    assert_ok(omma_file_write_at(fd, path, "abc", 3, 2, &error));
    assert_ok(omma_file_sync(fd, path, &error));
    assert_int_equal(omma_file_close(fd, path, OMMA_OK, &error), OMMA_OK);
    assert_fails(OMMA_STATUS_OUTPUT, "cannot create: File exists",
                 omma_file_create(path, &fd, &error));
    assert_ok(omma_file_open_write(path, &fd, &error));
    assert_ok(omma_file_write_at(fd, path, "12", 2, 0, &error));
    assert_ok(omma_file_close(fd, path, OMMA_OK, &error));
    expect_content(dir, "x", "12abc");
    assert_int_equal(omma_file_close(-1, path, OMMA_STATUS_MODEL, &error), OMMA_STATUS_MODEL);
    assert_fails(OMMA_STATUS_OUTPUT, "cannot write", omma_file_close(-1, path, OMMA_OK, &error));
    free(path);
    free(dir);
}

static void test_folders(void **state)
{
    char *dir = omma_test_folder(), *made = omma_test_join(dir, "made");
    char *deep = omma_test_join(dir, "no/where");
    struct omma_error error;
    bool is_empty = false;

    (void)state;
    reset(false, 0);
    assert_ok(omma_folder_make(made, &is_empty, &error));
    assert_true(is_empty);
    assert_ok(omma_folder_make(made, &is_empty, &error));
    assert_true(is_empty);
    omma_test_put(made, ".hidden", "x");
    assert_ok(omma_folder_make(made, &is_empty, &error));
    assert_false(is_empty);
    assert_fails(OMMA_STATUS_OUTPUT, "cannot make the folder: No such file",
                 omma_folder_make(deep, &is_empty, &error));
    omma_test_put(dir, "file", "x");
    free(deep);
    deep = omma_test_join(dir, "file");
    assert_fails(OMMA_STATUS_OUTPUT, "cannot open the folder: Not a directory",
                 omma_folder_make(deep, &is_empty, &error));
    assert_fails(OMMA_STATUS_OUTPUT, "cannot rename to y",
                 omma_file_rename(dir, "none", "y", &error));
    free(deep);
    free(made);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted_and_short_writes),
        cmocka_unit_test(test_the_old_file_stays_where_writing_fails),
        cmocka_unit_test(test_create_wants_no_file),
        cmocka_unit_test(test_folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
