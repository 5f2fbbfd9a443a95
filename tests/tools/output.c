/* What a model writes, on a terminal and into a file. */
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/output.h" /* first: cmocka has a macro fail() */
#include "support/support.h"

static const char text[] = "a\x1b[2Jb\tc\n\xC2\x9B"
                           "d\x7F\xC3\xA9\r\xE4\xB9\xA6";

/* In a child whose standard output is the descriptor: write the text. */
static void write_in_child(int descriptor)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct omma_error error;

        dup2(descriptor, STDOUT_FILENO);
        _exit((int)output_write_text(text, sizeof text - 1, &error));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_terminal_is_not_steered(void **state)
{
    static const char expected[] = "a\xEF\xBF\xBD[2Jb\tc\r\n\xEF\xBF\xBD"
                                   "d\xEF\xBF\xBD\xC3\xA9"
                                   "\xEF\xBF\xBD\xE4\xB9\xA6";
    struct termios settings;
    char got[256] = "";
    int outer, inner;
    ssize_t n;

    (void)state;
    assert_int_equal(openpty(&outer, &inner, NULL, NULL, NULL), 0);
    tcgetattr(inner, &settings);
    settings.c_oflag = OPOST | ONLCR; /* tabs stay */
    tcsetattr(inner, TCSANOW, &settings);
    write_in_child(inner);
    n = read(outer, got, sizeof got);
    assert_int_equal(n, sizeof expected - 1);
    assert_memory_equal(got, expected, sizeof expected - 1);
    close(outer);
    close(inner);
}

static void test_pipe_gets_all_bytes(void **state)
{
    char got[256];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    write_in_child(ends[1]);
    assert_int_equal(read(ends[0], got, sizeof got), sizeof text - 1);
    assert_memory_equal(got, text, sizeof text - 1);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal_is_not_steered),
        cmocka_unit_test(test_pipe_gets_all_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
