/*
 * Handlers.  They use async-signal-safe calls alone: write, _exit, omma_session_cancel,
 * omma_model_locate, and lock-free atomics.
 */
#include "tools/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Atomic(const struct omma_model *) watched_model;
static _Atomic(struct omma_session *) watched_session;
static atomic_bool is_noting;
static atomic_int n_interrupts; /* SIGINT since the last signals_forget_interrupt() */
static atomic_int end_signal;   /* SIGHUP or SIGTERM */
static int wake_pipe[2] = {-1, -1};

/* Make signals_descriptor() readable. */
static void wake(void)
{
    int saved = errno;

    if (wake_pipe[1] >= 0 && write(wake_pipe[1], "", 1) < 0) {
        errno = saved; /* full: it is readable already */
    }
    errno = saved;
}

static void on_end(int number)
{
    struct omma_session *session = atomic_load(&watched_session);
    bool is_second = number == SIGINT && atomic_fetch_add(&n_interrupts, 1) > 0;

    if (number != SIGINT) {
        atomic_store(&end_signal, number);
    }
    if ((session == NULL && !atomic_load(&is_noting)) || (session != NULL && is_second)) {
        _exit(128 + number);
    }
    if (session != NULL) {
        omma_session_cancel(session);
    }
    wake();
}

/* A line for standard error, put together without stdio. */
struct line {
    char text[1024];
    size_t n;
};

static void add(struct line *line, const char *text)
{
    while (*text != '\0' && line->n < sizeof line->text) {
        line->text[line->n++] = *text++;
    }
}

static void add_number(struct line *line, uint64_t number)
{
    char digits[24];
    size_t i = sizeof digits - 1;

    digits[i] = '\0';
    do {
        digits[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(line, digits + i);
}

/* A fault outside the model's files is a bug: the handler is gone by then (SA_RESETHAND), and the
 * instruction that is run again ends the program with a core dump. */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
    const struct omma_model *model = atomic_load(&watched_model);
    const char *file, *tensor;
    uint64_t offset;
    struct line line = {.n = 0};

    (void)number;
    (void)context;
    if (model == NULL || !omma_model_locate(model, info->si_addr, &file, &tensor, &offset)) {
        return;
    }
    add(&line, "omma: error: ");
    add(&line, file);
    if (tensor != NULL) {
        add(&line, ": tensor ");
        add(&line, tensor);
    }
    add(&line, " @");
    add_number(&line, offset);
    add(&line,
        ": expected readable data, found SIGBUS: the file was cut short, or its disk fails\n");
    if (write(STDERR_FILENO, line.text, line.n) < 0) {
        _exit(OMMA_STATUS_CHANGED); /* nobody to tell */
    }
    _exit(OMMA_STATUS_CHANGED);
}

void signals_init(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    static const int ends[] = {SIGINT, SIGHUP, SIGTERM};

    sigaction(SIGPIPE, &action, NULL);
    if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        wake_pipe[0] = wake_pipe[1] = -1;
    }
    /* Writes go on after a signal; poll(2) returns all the same. */
    action = (struct sigaction){.sa_handler = on_end, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction old;

        /* nohup(1) and shells without job control start programs with signals ignored. */
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(ends[i], &action, NULL);
        }
    }
    action = (struct sigaction){.sa_sigaction = on_bus_error,
                                .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

void signals_watch_model(const struct omma_model *model)
{
    atomic_store(&watched_model, model);
}

void signals_watch_session(struct omma_session *session)
{
    atomic_store(&watched_session, session);
}

void signals_note(bool on)
{
    atomic_store(&is_noting, on);
}

int signals_noted(void)
{
    int number = atomic_load(&end_signal);

    if (number != 0) {
        return number;
    }
    return atomic_load(&n_interrupts) > 0 ? SIGINT : 0;
}

void signals_forget(void)
{
    atomic_store(&end_signal, 0);
    signals_forget_interrupt();
}

void signals_forget_interrupt(void)
{
    char bytes[64];

    while (wake_pipe[0] >= 0 && read(wake_pipe[0], bytes, sizeof bytes) > 0) {
        continue;
    }
    atomic_store(&n_interrupts, 0);
}

int signals_descriptor(void)
{
    return wake_pipe[0];
}
