/* TCP on one address, or a Unix socket that its owner alone may connect to. */
#include "tools/serve/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;

        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;

        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
    return false;
}

static enum omma_status bind_address(const struct listen_place *place,
                                     const struct addrinfo *address, int *descriptor, size_t *port,
                                     struct omma_error *error)
{
    const int on = 1;
    struct sockaddr_storage taken;
    socklen_t n_taken = sizeof taken;
    int made;

    if (!place->allows_others && !is_loopback(address->ai_addr)) {
        return fail(error, OMMA_STATUS_USAGE,
                    "--host %s: other machines can reach that: give --api-key-file too",
                    place->host);
    }
    made = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "a socket: %s", strerror(errno));
    }
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(made, address->ai_addr, address->ai_addrlen) != 0 ||
        getsockname(made, (struct sockaddr *)&taken, &n_taken) != 0) {
        int reason = errno;

        close(made);
        return fail(error, OMMA_STATUS_RESOURCES, "%s port %zu: %s", place->host, place->port,
                    strerror(reason));
    }
    *port = ntohs(taken.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&taken)->sin6_port
                                              : ((struct sockaddr_in *)&taken)->sin_port);
    *descriptor = made;
    return OMMA_OK;
}

/* A socket that nobody listens on any more is in the way; anything else stays. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat stat;
    int probe;

    if (lstat(address->sun_path, &stat) != 0 || !S_ISSOCK(stat.st_mode)) {
        return;
    }
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno == ECONNREFUSED) {
        unlink(address->sun_path);
    }
    if (probe >= 0) {
        close(probe);
    }
}

static enum omma_status bind_path(const char *path, int *descriptor, struct omma_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int made, result;

    if (strlen(path) >= sizeof address.sun_path) {
        return fail(error, OMMA_STATUS_USAGE, "--unix: %s: expected a path of less than %zu bytes",
                    path, sizeof address.sun_path);
    }
    strcpy(address.sun_path, path);
    made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "a socket: %s", strerror(errno));
    }
    remove_stale(&address);
    mask = umask(0177);
    result = bind(made, (struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (result != 0) {
        int reason = errno;

        close(made);
        return fail(error, OMMA_STATUS_RESOURCES, "--unix: %s: %s", path, strerror(reason));
    }
    *descriptor = made;
    return OMMA_OK;
}

enum omma_status listen_bind(const struct listen_place *place, int *descriptor, size_t *port,
                             struct omma_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *addresses;
    char service[24];
    enum omma_status status;
    int result;

    if (place->path != NULL) {
        return bind_path(place->path, descriptor, error);
    }
    snprintf(service, sizeof service, "%zu", place->port);
    result = getaddrinfo(place->host, service, &hints, &addresses);
    if (result != 0) {
        return fail(error, OMMA_STATUS_USAGE, "--host %s: %s", place->host, gai_strerror(result));
    }
    status = bind_address(place, addresses, descriptor, port, error);
    freeaddrinfo(addresses);
    return status;
}

enum omma_status listen_begin(int descriptor, struct omma_error *error)
{
    if (listen(descriptor, BACKLOG) != 0) {
        return fail(error, OMMA_STATUS_RESOURCES, "listen: %s", strerror(errno));
    }
    return OMMA_OK;
}

void listen_end(const struct listen_place *place, int descriptor)
{
    if (descriptor < 0) {
        return;
    }
    close(descriptor);
    if (place->path != NULL) {
        unlink(place->path);
    }
}
