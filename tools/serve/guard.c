/* Keys and names. */
#include "tools/serve/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/chat/base64.h"

enum { MAX_KEY_FILE = 65536, MAX_CREDENTIALS = 4096, MIN_KEY = 8 };

/* Lines to texts ended by NULs; empty ones are dropped. */
static enum omma_status split_keys(const char *path, struct guard *guard, size_t n_bytes,
                                   struct omma_error *error)
{
    size_t n = 0, line = 0;

    for (size_t i = 0; i <= n_bytes; i++) {
        char c = i < n_bytes ? guard->keys[i] : '\n';

        if (c != '\n' && c != '\r') {
            guard->keys[n++] = c;
        } else if (n > line) {
            if (n - line < MIN_KEY) {
                return fail(error, OMMA_STATUS_USAGE,
                            "--api-key-file: %s: expected keys of at least %d bytes, found %zu",
                            path, MIN_KEY, n - line);
            }
            guard->keys[n++] = '\0';
            guard->n_keys++;
            line = n;
        }
    }
    guard->n_key_bytes = n;
    if (guard->n_keys == 0) {
        return fail(error, OMMA_STATUS_USAGE, "--api-key-file: %s: expected a key, found none",
                    path);
    }
    return OMMA_OK;
}

static enum omma_status read_keys(int descriptor, const char *path, struct guard *guard,
                                  struct omma_error *error)
{
    struct stat stat;
    ssize_t n_bytes;

    if (fstat(descriptor, &stat) == 0 && S_ISREG(stat.st_mode) && (stat.st_mode & 077) != 0) {
        return fail(error, OMMA_STATUS_USAGE,
                    "--api-key-file: %s: expected a file that its owner alone may read (chmod 600)",
                    path);
    }
    guard->keys = calloc(1, MAX_KEY_FILE + 2);
    if (guard->keys == NULL) {
        return fail_memory(error);
    }
    n_bytes = read(descriptor, guard->keys, MAX_KEY_FILE);
    if (n_bytes < 0 || n_bytes == MAX_KEY_FILE) {
        return fail(error, OMMA_STATUS_USAGE, "--api-key-file: %s: %s", path,
                    n_bytes < 0 ? strerror(errno) : "expected a file of less than 65536 bytes");
    }
    return split_keys(path, guard, (size_t)n_bytes, error);
}

enum omma_status guard_open(const char *key_file, struct guard *guard, struct omma_error *error)
{
    enum omma_status status;
    int descriptor;

    *guard = (struct guard){0};
    if (key_file == NULL) {
        return OMMA_OK;
    }
    descriptor = open(key_file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return fail(error, OMMA_STATUS_USAGE, "--api-key-file: %s: %s", key_file, strerror(errno));
    }
    status = read_keys(descriptor, key_file, guard, error);
    close(descriptor);
    return status;
}

void guard_close(struct guard *guard)
{
    if (guard->keys != NULL) {
        explicit_bzero(guard->keys, guard->n_key_bytes);
    }
    free(guard->keys);
    *guard = (struct guard){0};
}

/* Without the port and a v6 address's brackets; false if it does not fit. */
static bool name_of_host(const char *host, char *name, size_t capacity)
{
    const char *end;

    if (*host == '[') {
        host++;
        end = strchr(host, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
            return false;
        }
    } else {
        end = strchr(host, ':');
        end = end != NULL ? end : host + strlen(host);
    }
    if ((size_t)(end - host) >= capacity) {
        return false;
    }
    memcpy(name, host, (size_t)(end - host));
    name[end - host] = '\0';
    return true;
}

bool guard_allows_host(const struct guard *guard, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    char name[256];

    if (host == NULL) {
        return true; /* HTTP/1.0, which no browser speaks */
    }
    if (!name_of_host(host, name, sizeof name)) {
        return false;
    }
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1 ||
        strcasecmp(name, "localhost") == 0) {
        return true;
    }
    for (size_t i = 0; i < guard->n_names; i++) {
        if (strcasecmp(name, guard->names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* All bytes of the shorter are compared, whatever the first ones are. */
static bool is_same(const char *key, size_t n_key, const char *given, size_t n_given)
{
    unsigned difference = n_key != n_given;

    for (size_t i = 0; i < n_given; i++) {
        difference |= (unsigned char)key[n_key > 0 ? i % n_key : 0] ^ (unsigned char)given[i];
    }
    return difference == 0;
}

static bool is_key(const struct guard *guard, const char *given, size_t n_given)
{
    const char *key = guard->keys;
    bool found = false;

    for (size_t i = 0; i < guard->n_keys; i++) {
        size_t n_key = strlen(key);

        found |= is_same(key, n_key, given, n_given);
        key += n_key + 1;
    }
    return found;
}

static bool is_password(const struct guard *guard, const char *text)
{
    uint8_t bytes[MAX_CREDENTIALS];
    size_t n_bytes, bad;
    const char *colon;

    if (strlen(text) > MAX_CREDENTIALS ||
        !base64_decode(text, strlen(text), bytes, &n_bytes, &bad)) {
        return false;
    }
    colon = memchr(bytes, ':', n_bytes);
    return colon != NULL &&
           is_key(guard, colon + 1, n_bytes - 1 - (size_t)(colon - (const char *)bytes));
}

bool guard_allows_key(const struct guard *guard, const char *authorization)
{
    if (guard->n_keys == 0) {
        return true;
    }
    if (authorization == NULL) {
        return false;
    }
    if (strncasecmp(authorization, "Basic ", 6) == 0) {
        return is_password(guard, authorization + 6);
    }
    return strncasecmp(authorization, "Bearer ", 7) == 0 &&
           is_key(guard, authorization + 7, strlen(authorization + 7));
}
