/*
 * omma run with a person at the other end: conversations on a pseudo terminal, Ctrl-C, SIGHUP,
 * SIGTERM, and a model that is cut short while it answers (faults rows J10 and J15).
 *
 * struct process is a running omma whose output is read through one descriptor; expect() waits for
 * a text in it.  The demo model's answers are those of share/omma/demo/pictures/shapes.json.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "support/support.h"

enum {
    PATIENCE_MS = 120000
}; /* for sanitizers on a loaded machine; a test that passes never waits */

#define QUESTION "How many shapes are there?"
#define ANSWER   "Two."

struct process {
    pid_t pid;
    int descriptor;     /* the terminal's other end, or that of a socket */
    char output[65536]; /* all that was read, a NUL behind it */
    size_t n_output;
    size_t n_matched; /* expect() looks behind */
};

static char *program(void)
{
    const char *folder = getenv("OMMA_TEST_BUILDDIR");

    return omma_test_join(folder != NULL ? folder : ".", "omma");
}

/* In the child: run omma with the arguments, signals as a shell gives them to a program in front.
 */
static void run_program(const char *const *arguments)
{
    const char *argv[24] = {"omma"};
    char *path = program();

    for (size_t i = 0; arguments[i] != NULL && i < 22; i++) {
        argv[i + 1] = arguments[i];
    }
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    setenv("TERM", "xterm", 1);        /* no padding with NUL bytes, unlike vt100 */
    setenv("HOME", "/nonexistent", 1); /* no .editrc */
    execv(path, (char *const *)argv);
    _exit(127);
}

/* As terminals of UTF-8 do: what is typed before the editor takes over is edited by the kernel,
 * which erases whole characters only then. */
static void make_terminal_utf8(void)
{
    struct termios settings;

    if (tcgetattr(STDIN_FILENO, &settings) == 0) {
        settings.c_iflag |= IUTF8;
        tcsetattr(STDIN_FILENO, TCSANOW, &settings);
    }
}

/* On a terminal of its own. */
static void start_on_terminal(struct process *process, const char *const *arguments)
{
    *process = (struct process){0};
    process->pid = forkpty(&process->descriptor, NULL, NULL, NULL);
    assert_true(process->pid >= 0);
    if (process->pid == 0) {
        make_terminal_utf8();
        run_program(arguments);
    }
}

/* Standard output and error to us, standard input from /dev/null.  The pipe is small: a long answer
 * waits in it for us. */
static void start_on_pipe(struct process *process, const char *const *arguments)
{
    int ends[2];

    *process = (struct process){0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0) {
        dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        run_program(arguments);
    }
    close(ends[1]);
    process->descriptor = ends[0];
}

/* What was read last, as much as a message of cmocka holds. */
static const char *tail(const struct process *process)
{
    return process->output + (process->n_output > 700 ? process->n_output - 700 : 0);
}

/* Read what there is; false at the end. */
static bool read_more(struct process *process)
{
    struct pollfd waiting = {.fd = process->descriptor, .events = POLLIN};
    size_t room = sizeof process->output - process->n_output - 1;
    ssize_t n;

    assert_true(room > 0);
    if (poll(&waiting, 1, PATIENCE_MS) != 1) {
        kill(process->pid, SIGKILL);
        fail_msg("nothing more came after: %s", tail(process));
    }
    n = read(process->descriptor, process->output + process->n_output, room);
    if (n <= 0) { /* EIO: the program let go of the terminal */
        return false;
    }
    process->n_output += (size_t)n;
    process->output[process->n_output] = '\0';
    return true;
}

static void expect(struct process *process, const char *text)
{
    const char *found;

    while ((found = strstr(process->output + process->n_matched, text)) == NULL) {
        if (!read_more(process)) {
            fail_msg("ended without \"%s\": %s", text, tail(process));
        }
    }
    process->n_matched = (size_t)(found - process->output) + strlen(text);
}

/* The prompt, and the line editor in charge of the terminal: what is typed before, the kernel edits
 * and may lose when the editor takes over. */
static void expect_prompt(struct process *process)
{
    struct termios settings;

    expect(process, "> ");
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms++) {
        if (tcgetattr(process->descriptor, &settings) == 0 && !(settings.c_lflag & ICANON)) {
            return;
        }
        usleep(1000);
    }
    fail_msg("the line editor does not take the terminal: %s", tail(process));
}

static void send(struct process *process, const char *text)
{
    assert_int_equal(write(process->descriptor, text, strlen(text)), strlen(text));
}

/* Read to the end; the exit code, or 1000 + the signal that ended it. */
static int finish(struct process *process)
{
    int status;

    while (read_more(process)) {
        continue;
    }
    close(process->descriptor);
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static char *demo(void)
{
    return omma_test_source("share/omma/demo");
}

static char *picture(void)
{
    return omma_test_source("share/omma/demo/pictures/shapes.png");
}

/* An answer that goes on for thousands of tokens: a penalty below 1 makes the model repeat itself.
 */
#define LONG_ANSWER   "--repetition-penalty", "0.01", "-n", "7900", "-t", "1"
#define LONG_QUESTION "Please describe the image."

/* ---------------------------------------------------------------------------------------------- */

static void test_conversation(void **state)
{
    char *model = demo(), *image = picture(), *command = NULL;
    struct process process;

    (void)state;
    assert_true(asprintf(&command, "/image %s\r", image) > 0);
    start_on_terminal(&process, (const char *[]){"run", "-m", model, NULL});
    expect(&process, "/help tells the commands");
    expect_prompt(&process);
    send(&process, command);
    expect(&process, "448 x 448 pixels, 1 tiles, 256 tokens");
    expect_prompt(&process);
    send(&process, QUESTION "\r");
    expect(&process, "\r\n");
    expect(&process, ANSWER "\r\n");
    expect(&process, "3 tokens in");
    expect_prompt(&process);
    send(&process, "\033[A\r"); /* cursor up: the last line again */
    expect(&process, QUESTION);
    expect(&process, "cached) in");
    expect_prompt(&process);
    send(&process, "/help\r");
    expect(&process, "/save FILE");
    expect_prompt(&process);
    send(&process, "/nothing\r");
    expect(&process, "\033[1;31merror:\033[0m /nothing: no such command");
    expect_prompt(&process);
    send(&process,
         "/image \xC3\xA4\xE4\xB9\xA6\x7F\xE7\x94\x9F.png\r"); /* one character taken back */
    expect(&process, "error:\033[0m \xC3\xA4\xE7\x94\x9F.png: No such file or directory");
    expect_prompt(&process);
    send(&process, "\004"); /* Ctrl-D */
    assert_int_equal(finish(&process), 0);
    free(command);
    free(image);
    free(model);
}

static void test_interrupts_at_the_prompt(void **state)
{
    char *model = demo();
    struct process process;

    (void)state;
    start_on_terminal(&process, (const char *[]){"run", "-m", model, NULL});
    expect_prompt(&process);
    send(&process, "half a question\003"); /* Ctrl-C */
    expect(&process, "Ctrl-C again ends the program");
    expect_prompt(&process);
    send(&process, QUESTION "\r");
    expect(&process, "tokens in"); /* the line was dropped; the program goes on */
    expect_prompt(&process);
    send(&process, "\003");
    expect(&process, "Ctrl-C again ends the program");
    expect_prompt(&process);
    send(&process, "\003");
    assert_int_equal(finish(&process), 130);
    free(model);
}

static void test_interrupt_of_an_answer_in_a_conversation(void **state)
{
    char *model = demo();
    struct process process;

    (void)state;
    start_on_terminal(&process, (const char *[]){"run", "-m", model, LONG_ANSWER, NULL});
    expect_prompt(&process);
    send(&process, LONG_QUESTION "\r");
    expect(&process, "TheTheThe");
    send(&process, "\003");
    expect(&process, "; cancelled");
    expect_prompt(&process);
    send(&process, "\003");
    assert_int_equal(finish(&process), 130);
    free(model);
}

static void check_signal(int number, int code)
{
    char *model = demo();
    struct process process;

    start_on_pipe(&process, (const char *[]){"run", "-m", model, "-v", "-p", LONG_QUESTION,
                                             LONG_ANSWER, NULL});
    expect(&process, "TheTheThe");
    kill(process.pid, number);
    assert_int_equal(finish(&process), code);
    assert_non_null(strstr(process.output, "cancelled"));
    assert_int_equal(process.output[process.n_output - 1], '\n');
    free(model);
}

static void test_signals_end_an_answer(void **state)
{
    (void)state;
    check_signal(SIGINT, 130);
    check_signal(SIGHUP, 129);
    check_signal(SIGTERM, 143);
}

/* The first is noted while the program waits for its reader, the second does not wait for it. */
static void test_second_interrupt_ends_the_program(void **state)
{
    char *model = demo();
    struct process process;
    int n_waiting = 0, status;

    (void)state;
    start_on_pipe(&process, (const char *[]){"run", "-m", model, "-v", "-p", LONG_QUESTION,
                                             LONG_ANSWER, NULL});
    expect(&process, "TheTheThe");
    for (int waited_ms = 0; n_waiting < 4000 && waited_ms < PATIENCE_MS; waited_ms += 10) {
        usleep(10000);
        assert_int_equal(ioctl(process.descriptor, FIONREAD, &n_waiting), 0);
    }
    assert_true(n_waiting >= 4000); /* the pipe is full */
    usleep(50000);
    kill(process.pid, SIGINT);
    usleep(50000); /* two at the same moment are one */
    kill(process.pid, SIGINT);
    assert_int_equal(waitpid(process.pid, &status, 0), process.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    while (read_more(&process)) {
        continue;
    }
    assert_null(strstr(process.output, "cancelled"));
    close(process.descriptor);
    free(model);
}

static void test_no_color(void **state)
{
    struct process process;

    (void)state;
    start_on_terminal(&process, (const char *[]){"bogus", NULL});
    assert_int_equal(finish(&process), OMMA_STATUS_USAGE);
    assert_non_null(strstr(process.output, "omma: \033[1;31merror:\033[0m unknown command"));
    setenv("NO_COLOR", "1", 1);
    start_on_terminal(&process, (const char *[]){"bogus", NULL});
    unsetenv("NO_COLOR");
    assert_int_equal(finish(&process), OMMA_STATUS_USAGE);
    assert_non_null(strstr(process.output, "omma: error: unknown command"));
}

/* At the prompt, where nothing runs. */
static void test_hangup(void **state)
{
    char *model = demo();
    struct process process;

    (void)state;
    start_on_terminal(&process, (const char *[]){"run", "-m", model, NULL});
    expect_prompt(&process);
    kill(process.pid, SIGHUP);
    assert_int_equal(finish(&process), 129);
    start_on_terminal(&process, (const char *[]){"run", "-m", model, NULL});
    expect_prompt(&process);
    kill(process.pid, SIGTERM);
    assert_int_equal(finish(&process), 143);
    free(model);
}

/* J10: the pages behind the new end are gone, and the next token needs them. */
static void test_model_cut_short(void **state)
{
    char *model = omma_test_folder(), *from = demo();
    char *weights = omma_test_join(model, "model.safetensors");
    struct process process;

    (void)state;
    omma_test_copy_folder(from, model);
    start_on_pipe(&process, (const char *[]){"run", "-m", model, "-v", "-p", LONG_QUESTION,
                                             LONG_ANSWER, NULL});
    expect(&process, "TheTheThe");
    assert_int_equal(truncate(weights, 8192), 0);
    assert_int_equal(finish(&process), OMMA_STATUS_CHANGED);
    assert_non_null(strstr(process.output, weights));
    print_message("%s", process.output + process.n_matched);
    free(weights);
    free(from);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_interrupts_at_the_prompt),
        cmocka_unit_test(test_interrupt_of_an_answer_in_a_conversation),
        cmocka_unit_test(test_signals_end_an_answer),
        cmocka_unit_test(test_second_interrupt_ends_the_program),
        cmocka_unit_test(test_no_color),
        cmocka_unit_test(test_hangup),
        cmocka_unit_test(test_model_cut_short),
    };

    unsetenv("NO_COLOR");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
