/*
 * Journals: what is kept and found again, keys that changed, files that are none, two runs at once,
 * readers beside a run, and faults: killed at any moment, fsync(2) that fails, a disk that is full,
 * a network file system.
 *
 * fdatasync(), fsync() and fstatfs() are defined here, so SQLite calls these.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/batch/journal.h" /* first: cmocka has a macro fail() */
#include "support/support.h"

static long n_synchronized, n_until_failure = -1; /* < 0: never */
static long file_system;                          /* 0: as it is */

static int synchronize(long call, int descriptor)
{
    n_synchronized++;
    if (n_until_failure == 0) {
        errno = EIO;
        return -1;
    }
    n_until_failure -= n_until_failure > 0;
    return (int)syscall(call, descriptor);
}

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int fsync(int descriptor)
{
    return synchronize(SYS_fsync, descriptor);
}

EXPORTED int fdatasync(int descriptor)
{
    return synchronize(SYS_fdatasync, descriptor);
}

int fstatfs(int descriptor, struct statfs *statfs)
{
    int result = (int)syscall(SYS_fstatfs, descriptor, statfs);

    if (file_system != 0) {
        statfs->f_type = (__fsword_t)file_system;
    }
    return result;
}

static const struct journal_setting key[] = {
    {"input", "sha256:1"}, {"model", "abc"}, {"tier", "avx2"}, {"precision", "f32"}};

#define N_KEY (sizeof key / sizeof *key)

struct world {
    char *folder, *path;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->folder = omma_test_folder();
    world->path = omma_test_join(world->folder, "out.jsonl.journal");
    n_until_failure = -1;
    file_system = 0;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    free(world->path);
    free(world->folder);
    free(world);
    return 0;
}

/* What journal_each() gave: numbers, and the texts in one. */
struct seen {
    size_t n_rows, n_errors;
    uint64_t numbers[4096];
    char texts[65536];
    size_t n_texts;
};

static enum omma_status see(void *user, const struct journal_row *row, struct omma_error *error)
{
    struct seen *seen = user;

    (void)error;
    seen->n_errors += row->is_error;
    seen->numbers[seen->n_rows++] = row->number;
    seen->n_texts += (size_t)snprintf(seen->texts + seen->n_texts,
                                      sizeof seen->texts - seen->n_texts, "%llu %.40s %s\n",
                                      (unsigned long long)row->number, row->result, row->timings);
    return OMMA_OK;
}

static void read_rows(struct journal *journal, struct seen *seen)
{
    struct omma_error error;

    *seen = (struct seen){0};
    assert_ok(journal_each(journal, see, seen, &error));
}

static enum omma_status add(struct journal *journal, uint64_t number, struct omma_error *error)
{
    char result[64];

    snprintf(result, sizeof result, "{\"id\":%llu}", (unsigned long long)number);
    return journal_add(journal,
                       &(struct journal_row){.number = number,
                                             .is_error = number % 3 == 2,
                                             .result = result,
                                             .timings = "{\"s\":1}"},
                       error);
}

static void test_goes_on(void **state)
{
    const struct world *world = *state;
    struct journal *journal;
    struct seen seen;
    struct omma_error error;
    char *value;

    assert_fails(OMMA_STATUS_USAGE, "there is no journal",
                 journal_open(world->path, key, N_KEY, JOURNAL_RESUME, &journal, &error));
    assert_fails(OMMA_STATUS_USAGE, "No such file",
                 journal_open_reading(world->path, &journal, &error));
    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
    for (uint64_t i = 5; i > 0; i--) {
        assert_ok(add(journal, i - 1, &error));
    }
    assert_ok(journal_set_note(journal, "threads", "2", &error));
    assert_ok(journal_set_note(journal, "threads", "4", &error));
    assert_ok(journal_commit(journal, &error));
    assert_ok(journal_commit(journal, &error)); /* nothing to do */
    assert_fails(OMMA_STATUS_INTERNAL, "row 3 is there already", add(journal, 3, &error));
    assert_ok(add(journal, 7, &error)); /* never committed */
    journal_close(&journal);
    assert_null(journal);
    journal_close(&journal);

    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_RESUME, &journal, &error));
    read_rows(journal, &seen);
    assert_string_equal(seen.texts, "0 {\"id\":0} {\"s\":1}\n1 {\"id\":1} {\"s\":1}\n"
                                    "2 {\"id\":2} {\"s\":1}\n3 {\"id\":3} {\"s\":1}\n"
                                    "4 {\"id\":4} {\"s\":1}\n");
    assert_int_equal(seen.n_errors, 1);
    assert_ok(journal_value(journal, "threads", &value, &error));
    assert_string_equal(value, "4");
    free(value);
    assert_ok(journal_value(journal, "tier", &value, &error));
    assert_string_equal(value, "avx2");
    free(value);
    assert_ok(journal_value(journal, "none", &value, &error));
    assert_null(value);
    assert_ok(journal_drop_errors(journal, &error));
    read_rows(journal, &seen);
    assert_int_equal(seen.n_rows, 4);
    assert_int_equal(seen.n_errors, 0);
    assert_ok(add(journal, 2, &error));
    assert_ok(journal_commit(journal, &error));
    journal_close(&journal);

    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_RESTART, &journal, &error));
    read_rows(journal, &seen);
    assert_int_equal(seen.n_rows, 0);
    assert_ok(journal_value(journal, "threads", &value, &error));
    assert_null(value);
    journal_close(&journal);
}

static void test_changed_key(void **state)
{
    const struct world *world = *state;
    struct journal_setting other[N_KEY + 1];
    struct journal *journal;
    struct omma_error error;

    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
    journal_close(&journal);
    memcpy(other, key, sizeof key);
    other[2].value = "avx512";
    other[3].value = "bf16";
    other[N_KEY] = (struct journal_setting){"seed", "1"};
    assert_fails(OMMA_STATUS_USAGE,
                 "other settings: tier: avx2, now avx512; precision: f32, now bf16; --restart",
                 journal_open(world->path, other, N_KEY, JOURNAL_AUTO, &journal, &error));
    assert_fails(OMMA_STATUS_USAGE, "precision: f32, now none",
                 journal_open(world->path, key, N_KEY - 1, JOURNAL_AUTO, &journal, &error));
    other[2] = key[2];
    other[3] = key[3];
    assert_fails(OMMA_STATUS_USAGE, "settings: fewer, now more",
                 journal_open(world->path, other, N_KEY + 1, JOURNAL_AUTO, &journal, &error));
    assert_ok(journal_open(world->path, other, N_KEY + 1, JOURNAL_RESTART, &journal, &error));
    journal_close(&journal);
    assert_ok(journal_open(world->path, other, N_KEY + 1, JOURNAL_RESUME, &journal, &error));
    journal_close(&journal);
}

static void test_no_journal(void **state)
{
    const struct world *world = *state;
    struct journal *journal;
    struct omma_error error;
    char bytes[8192];

    memset(bytes, 'x', sizeof bytes);
    omma_test_write(world->path, bytes, sizeof bytes);
    assert_fails(OMMA_STATUS_USAGE, "expected a journal of omma",
                 journal_open(world->path, key, N_KEY, JOURNAL_RESTART, &journal, &error));
    assert_fails(OMMA_STATUS_USAGE, "expected a journal of omma",
                 journal_open_reading(world->path, &journal, &error));
    omma_test_write(world->path, "", 0); /* killed just after it was made */
    assert_fails(OMMA_STATUS_USAGE, "nothing was written to it yet",
                 journal_open_reading(world->path, &journal, &error));
    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
    journal_close(&journal);
    assert_fails(OMMA_STATUS_USAGE, "expected a regular file",
                 journal_open("/dev/null", key, N_KEY, JOURNAL_AUTO, &journal, &error));
    assert_fails(OMMA_STATUS_OUTPUT, "No such file",
                 journal_open("/nowhere/journal", key, N_KEY, JOURNAL_AUTO, &journal, &error));
}

static void test_one_run_and_readers(void **state)
{
    const struct world *world = *state;
    struct journal *journal, *other;
    struct seen seen;
    struct omma_error error;

    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
    assert_fails(OMMA_STATUS_USAGE, "another run writes to it",
                 journal_open(world->path, key, N_KEY, JOURNAL_RESTART, &other, &error));
    assert_ok(add(journal, 0, &error));
    assert_ok(journal_commit(journal, &error));
    assert_ok(add(journal, 1, &error));
    assert_ok(journal_open_reading(world->path, &other, &error));
    read_rows(other, &seen);
    assert_int_equal(seen.n_rows, 1);
    assert_fails(OMMA_STATUS_OUTPUT, "readonly", add(other, 9, &error));
    journal_close(&other);
    assert_ok(journal_commit(journal, &error));
    assert_fails(OMMA_STATUS_USAGE, "another run writes to it",
                 journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &other, &error));
    journal_close(&journal);
}

static void test_network(void **state)
{
    const struct world *world = *state;
    struct journal *journal;
    struct omma_error error;

    file_system = 0x6969;
    assert_fails(OMMA_STATUS_USAGE, "(NFS): write to a local disk, with --shard I/N",
                 journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
    file_system = (long)0xFF534D42;
    assert_fails(OMMA_STATUS_USAGE, "(CIFS)",
                 journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
}

/* Every commit waits for the disk, and one that could not is no commit. */
static void test_failed_fsync(void **state)
{
    const struct world *world = *state;
    struct journal *journal;
    struct seen seen;
    struct omma_error error;
    long before;

    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
    assert_ok(add(journal, 0, &error));
    before = n_synchronized;
    assert_ok(journal_commit(journal, &error));
    assert_true(n_synchronized > before);
    assert_ok(add(journal, 1, &error));
    n_until_failure = 0;
    assert_fails(OMMA_STATUS_OUTPUT,
                 "disk I/O error (fsync failed); rows committed before are kept",
                 journal_commit(journal, &error));
    journal_close(&journal);
    assert_fails(OMMA_STATUS_OUTPUT, "Input/output error",
                 journal_open(world->path, key, N_KEY, JOURNAL_RESUME, &journal, &error));
    n_until_failure = -1;
    before = n_synchronized;
    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_RESUME, &journal, &error));
    read_rows(journal, &seen);
    assert_true(seen.n_rows >= 1);
    assert_int_equal(seen.numbers[0], 0);
    /* a row that is there although its commit failed was synchronised anew */
    assert_true(n_synchronized > before + 1);
    journal_close(&journal);
}

/* In a process of its own, which ends with the number of rows that were committed. */
static int fill_disk(const char *path)
{
    struct rlimit limit = {.rlim_cur = 200000, .rlim_max = 200000};
    struct omma_error error;
    struct journal *journal;
    char *result = malloc(20001);

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    memset(result, 'x', 20000);
    result[20000] = '\0';
    if (journal_open(path, key, N_KEY, JOURNAL_AUTO, &journal, &error) != OMMA_OK) {
        return 100;
    }
    for (int i = 0; i < 50; i++) {
        const struct journal_row row = {.number = (uint64_t)i, .result = result, .timings = "{}"};
        enum omma_status status = journal_add(journal, &row, &error);

        if (status == OMMA_OK) {
            status = journal_commit(journal, &error);
        }
        if (status != OMMA_OK) {
            journal_close(&journal);
            free(result);
            return status == OMMA_STATUS_OUTPUT && strstr(error.message, "are kept") != NULL ? i
                                                                                             : 101;
        }
    }
    return 102;
}

static void test_full_disk(void **state)
{
    const struct world *world = *state;
    struct journal *journal;
    struct seen *seen = calloc(1, sizeof *seen);
    struct omma_error error;
    pid_t child = fork();
    int status, n;

    if (child == 0) {
        _exit(fill_disk(world->path));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    n = WEXITSTATUS(status);
    assert_in_range(n, 1, 49);
    assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_RESUME, &journal, &error));
    read_rows(journal, seen);
    assert_int_equal(seen->n_rows, n);
    assert_int_equal(seen->numbers[n - 1], n - 1);
    journal_close(&journal);
    free(seen);
}

/* Add rows until killed, and tell of each once it is committed. */
static void add_for_ever(const char *path, uint64_t first, int pipe)
{
    struct omma_error error;
    struct journal *journal;

    if (journal_open(path, key, N_KEY, JOURNAL_AUTO, &journal, &error) != OMMA_OK) {
        _exit(1);
    }
    for (uint64_t i = first; i < 4096; i++) {
        if (add(journal, i, &error) != OMMA_OK || journal_commit(journal, &error) != OMMA_OK ||
            write(pipe, &i, sizeof i) != sizeof i) {
            _exit(1);
        }
    }
    pause();
}

static void test_killed(void **state)
{
    const struct world *world = *state;
    struct seen *seen = calloc(1, sizeof *seen);
    uint64_t n_acknowledged = 0, random = 1;
    struct journal *journal;
    struct omma_error error;

    for (int round = 0; round < 30; round++) {
        int pipes[2], status;
        uint64_t number;
        pid_t child;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            add_for_ever(world->path, seen->n_rows, pipes[1]);
        }
        close(pipes[1]);
        usleep((useconds_t)(omma_test_random(&random) % 20000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(pipes[0], &number, sizeof number) == sizeof number) {
            n_acknowledged = number + 1;
        }
        close(pipes[0]);
        assert_ok(journal_open(world->path, key, N_KEY, JOURNAL_AUTO, &journal, &error));
        read_rows(journal, seen);
        journal_close(&journal);
        assert_in_range(seen->n_rows, n_acknowledged, n_acknowledged + 1);
        for (size_t i = 0; i < seen->n_rows; i++) {
            assert_int_equal(seen->numbers[i], i);
        }
        n_acknowledged = seen->n_rows;
    }
    assert_true(n_acknowledged > 0);
    free(seen);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_goes_on),    TEST(test_changed_key),
        TEST(test_no_journal), TEST(test_one_run_and_readers),
        TEST(test_network),    TEST(test_failed_fsync),
        TEST(test_full_disk),  TEST(test_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
