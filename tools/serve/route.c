/* The table of routes, and the checks in their order. */
#include "tools/serve/route.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *path, *method;
    enum route route;
    bool is_open; /* asks for no key */
} routes[] = {
    {"/", "GET", ROUTE_PAGE, false},
    {"/health", "GET", ROUTE_HEALTH, true},
    {"/ready", "GET", ROUTE_READY, true},
    {"/metrics", "GET", ROUTE_METRICS, false},
    {"/v1/models", "GET", ROUTE_MODELS, false},
    {"/tokenize", "POST", ROUTE_TOKENIZE, false},
    {"/v1/chat/completions", "POST", ROUTE_CHAT, false},
};
enum { N_ROUTES = sizeof routes / sizeof *routes };

const char *route_method(enum route route)
{
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (routes[i].route == route) {
            return routes[i].method;
        }
    }
    return NULL;
}

const char *route_name(enum route route)
{
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (routes[i].route == route) {
            return routes[i].path;
        }
    }
    return "an unknown path";
}

static const char *header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, name);
}

size_t route_body_bytes(const struct exchange *exchange)
{
    const char *length = header(exchange, "Content-Length");

    return length != NULL ? strtoull(length, NULL, 10) : 0;
}

/* How often a header occurs. */
struct header_count {
    const char *name;
    size_t n;
};

static enum MHD_Result count_header(void *user, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct header_count *count = user;

    (void)kind;
    (void)value;
    count->n += strcasecmp(name, count->name) == 0;
    return MHD_YES;
}

static size_t n_headers(const struct exchange *exchange, const char *name)
{
    struct header_count count = {.name = name};

    MHD_get_connection_values(exchange->mhd, MHD_HEADER_KIND, count_header, &count);
    return count.n;
}

/* What two readers could understand in two ways is refused. */
static bool check_framing(const struct exchange *exchange, struct problem *problem)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t n_lengths = n_headers(exchange, "Content-Length");
    size_t n_encodings = n_headers(exchange, "Transfer-Encoding");

    if (info == NULL || info->header_size > ROUTE_MAX_HEADER_BYTES) {
        return problem_set(problem, 431, "headers_too_large", NULL,
                           "headers: expected at most %d bytes", ROUTE_MAX_HEADER_BYTES);
    }
    if (n_lengths + n_encodings > 1 || n_headers(exchange, "Host") > 1) {
        return problem_set(problem, 400, "invalid_request", NULL,
                           "headers: expected one Host, and one Content-Length or "
                           "Transfer-Encoding");
    }
    return true;
}

static bool check_type(const struct exchange *exchange, struct problem *problem)
{
    const char *type = header(exchange, "Content-Type");
    size_t n = type != NULL ? strcspn(type, "; \t") : 0;

    if (n != strlen("application/json") || strncasecmp(type, "application/json", n) != 0) {
        return problem_set(problem, 415, "unsupported_media_type", NULL,
                           "Content-Type: expected application/json");
    }
    if (header(exchange, "Content-Encoding") != NULL) {
        return problem_set(problem, 415, "unsupported_media_type", NULL,
                           "Content-Encoding: expected none");
    }
    return true;
}

static bool find_route(struct exchange *exchange, const char *path, const char *method,
                       bool *is_open, struct problem *problem)
{
    bool is_known = false;

    exchange->route = ROUTE_NONE;
    *is_open = false;
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (strcmp(path, routes[i].path) == 0) {
            is_known = true;
            exchange->route = routes[i].route;
            *is_open = routes[i].is_open;
            break;
        }
    }
    if (!is_known) {
        return problem_set(problem, 404, "not_found", NULL, "no such path");
    }
    if (strcmp(method, route_method(exchange->route)) != 0 &&
        !(strcmp(method, "HEAD") == 0 && strcmp(route_method(exchange->route), "GET") == 0)) {
        return problem_set(problem, 405, "method_not_allowed", NULL, "expected the method %s",
                           route_method(exchange->route));
    }
    return true;
}

static bool check_size(const struct exchange *exchange, struct problem *problem)
{
    size_t limit = exchange->server->settings->max_body_bytes;

    if (route_body_bytes(exchange) > limit) {
        return problem_set(problem, 413, "body_too_large", NULL,
                           "body: expected at most %zu bytes, found %zu", limit,
                           route_body_bytes(exchange));
    }
    return true;
}

bool route_check(struct exchange *exchange, const char *path, const char *method,
                 struct problem *problem)
{
    const struct server *server = exchange->server;
    bool is_open;
    bool is_found = find_route(exchange, path, method, &is_open, problem);
    struct problem missing = *problem;

    if (!check_framing(exchange, problem)) {
        return false;
    }
    if (!guard_allows_host(&server->guard, header(exchange, "Host"))) {
        return problem_set(problem, 400, "invalid_host", NULL,
                           "Host: expected an address, localhost or a --server-name");
    }
    if (exchange->connection->is_surplus && exchange->route != ROUTE_HEALTH) {
        return problem_set(problem, 503, "too_many_connections", NULL,
                           "the server has as many connections as it takes");
    }
    if (!is_open && !guard_allows_key(&server->guard, header(exchange, "Authorization"))) {
        return problem_set(problem, 401, "invalid_api_key", NULL,
                           "Authorization: expected Bearer and a key of this server");
    }
    if (!is_found) {
        *problem = missing;
        return false;
    }
    return strcmp(route_method(exchange->route), "POST") != 0 ||
           (check_type(exchange, problem) && check_size(exchange, problem));
}
