/* Both pipes are served by one poll(2), so that neither side waits for the other for ever. */
#include "tools/eval/judge_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16 };

extern char **environ;

/* "/where/this/program/is/omma-judge", to be freed. */
static enum omma_status find_program(char **path, struct omma_error *error)
{
    char *self = realpath("/proc/self/exe", NULL);
    int n = -1;

    *path = NULL;
    if (self != NULL) {
        *strrchr(self, '/') = '\0';
        n = asprintf(path, "%s/omma-judge", self);
        free(self);
    }
    if (n < 0) {
        *path = NULL;
        return fail_memory(error);
    }
    if (access(*path, X_OK) == 0) {
        return OMMA_OK;
    }
    fail(error, OMMA_STATUS_USAGE,
         "--judge needs %s, which is not there: it is built where libcurl is "
         "(libcurl4-openssl-dev)",
         *path);
    free(*path);
    return OMMA_STATUS_USAGE;
}

static enum omma_status spawn(struct judge_child *child, const char *program,
                              const struct judge_settings *settings, struct omma_error *error)
{
    char parallel[24], tries[24];
    const char *argv[10] = {"omma-judge", "--url",   settings->url, "--parallel",
                            parallel,     "--tries", tries};
    posix_spawn_file_actions_t actions;
    int in[2], out[2], code;

    snprintf(parallel, sizeof parallel, "%zu", settings->parallel);
    snprintf(tries, sizeof tries, "%zu", settings->tries);
    if (settings->key_file != NULL) {
        argv[7] = "--key-file";
        argv[8] = settings->key_file;
    }
    if (pipe2(in, O_CLOEXEC) != 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "pipe: %s", strerror(errno));
    }
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return fail(error, OMMA_STATUS_RESOURCES, "pipe: %s", strerror(errno));
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    code = posix_spawn(&child->pid, program, &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    child->input = in[1];
    child->output = out[0];
    fcntl(child->input, F_SETFL, O_NONBLOCK);
    return code == 0 ? OMMA_OK
                     : fail(error, OMMA_STATUS_RESOURCES, "%s: %s", program, strerror(code));
}

static void close_end(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

/* Write what fits of the line from *at on; fetch the next one when it is out. */
static enum omma_status feed_some(struct judge_child *child, judge_feed_fn feed, void *user,
                                  struct text *line, size_t *at, struct omma_error *error)
{
    ssize_t n;

    if (*at == line->n_bytes) {
        text_free(line);
        *line = (struct text){0};
        *at = 0;
        TRY(feed(user, line, error));
        if (line->bytes == NULL) {
            close_end(&child->input);
            return OMMA_OK;
        }
        line->bytes[line->n_bytes++] = '\n'; /* over the NUL */
    }
    n = write(child->input, line->bytes + *at, line->n_bytes - *at);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        close_end(&child->input); /* it has ended, and its exit code says why */
    }
    *at += n > 0 ? (size_t)n : 0;
    return OMMA_OK;
}

static enum omma_status take_some(struct judge_child *child, judge_take_fn take,
                                  judge_pause_fn pause, void *user, struct omma_error *error)
{
    char *grown = realloc(child->line.bytes, child->line.n_bytes + READ_BYTES), *end;
    size_t begin = 0;
    ssize_t n;

    if (grown == NULL) {
        return fail_memory(error);
    }
    child->line.bytes = grown;
    n = read(child->output, grown + child->line.n_bytes, READ_BYTES);
    if (n < 0) {
        return errno == EINTR
                   ? OMMA_OK
                   : fail(error, OMMA_STATUS_RESOURCES, "omma-judge: %s", strerror(errno));
    }
    if (n == 0) {
        close_end(&child->output);
        return OMMA_OK;
    }
    child->line.n_bytes += (size_t)n;
    while ((end = memchr(grown + begin, '\n', child->line.n_bytes - begin)) != NULL) {
        TRY(take(user, grown + begin, (size_t)(end - grown) - begin, error));
        begin = (size_t)(end - grown) + 1;
    }
    child->line.n_bytes -= begin;
    memmove(grown, grown + begin, child->line.n_bytes);
    return pause(user, error);
}

static enum omma_status exchange(struct judge_child *child, judge_feed_fn feed, judge_take_fn take,
                                 judge_pause_fn pause, void *user, struct omma_error *error)
{
    struct text line = {0};
    size_t at = 0;
    enum omma_status status = OMMA_OK;

    while (status == OMMA_OK && child->output >= 0) {
        struct pollfd items[2] = {{.fd = child->output, .events = POLLIN},
                                  {.fd = child->input, .events = POLLOUT}};

        if (poll(items, 2, -1) < 0 && errno != EINTR) {
            status = fail(error, OMMA_STATUS_RESOURCES, "poll: %s", strerror(errno));
        } else if (items[1].revents != 0) {
            status = feed_some(child, feed, user, &line, &at, error);
        }
        if (status == OMMA_OK && items[0].revents != 0) {
            status = take_some(child, take, pause, user, error);
        }
    }
    text_free(&line);
    return status;
}

enum omma_status judge_child_run(const struct judge_settings *settings, judge_feed_fn feed,
                                 judge_take_fn take, judge_pause_fn pause, void *user,
                                 struct omma_error *error)
{
    struct judge_child child = {.pid = -1, .input = -1, .output = -1};
    char *program;
    enum omma_status status;
    int code = 0;

    TRY(find_program(&program, error));
    status = spawn(&child, program, settings, error);
    if (status == OMMA_OK) {
        status = exchange(&child, feed, take, pause, user, error);
        if (status != OMMA_OK) {
            kill(child.pid, SIGTERM);
        }
        close_end(&child.input);
        while (waitpid(child.pid, &code, 0) < 0 && errno == EINTR) {
            continue;
        }
        if (status == OMMA_OK && code != 0) {
            status = fail(error, OMMA_STATUS_RESOURCES,
                          WIFEXITED(code) ? "omma-judge ended with exit code %d"
                                          : "omma-judge was ended by signal %d",
                          WIFEXITED(code) ? WEXITSTATUS(code) : WTERMSIG(code));
        }
    }
    close_end(&child.input);
    close_end(&child.output);
    text_free(&child.line);
    free(program);
    return status;
}
