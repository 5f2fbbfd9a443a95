/* Errors as the OpenAI API words them. */
#include "tools/chat/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/json_out.h"

bool problem_set(struct problem *problem, unsigned status, const char *code, const char *param,
                 const char *format, ...)
{
    va_list arguments;

    *problem = (struct problem){.status = status, .code = code};
    snprintf(problem->param, sizeof problem->param, "%s", param != NULL ? param : "");
    va_start(arguments, format);
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    va_end(arguments);
    return false;
}

bool problem_set_memory(struct problem *problem)
{
    return problem_set(problem, 503, "out_of_memory", NULL, "the server is short of memory");
}

bool problem_set_error(struct problem *problem, const char *param, const struct omma_error *error)
{
    switch (error->status) {
    case OMMA_STATUS_IMAGE:
        return problem_set(problem, 400, "invalid_image", param, "%s", error->message);
    case OMMA_STATUS_PROMPT:
    case OMMA_STATUS_USAGE:
        return problem_set(problem, 400, "invalid_prompt", param, "%s", error->message);
    case OMMA_STATUS_BUSY:
        return problem_set(problem, 429, "rate_limit_exceeded", NULL, "%s", error->message);
    case OMMA_STATUS_RESOURCES:
        return problem_set_memory(problem);
    default:
        return problem_set(problem, 500, "internal_error", NULL,
                           "the server failed; its log tells why");
    }
}

static const char *type_of_status(unsigned status)
{
    if (status >= 500) {
        return "server_error";
    }
    return status == 401   ? "authentication_error"
           : status == 429 ? "rate_limit_error"
                           : "invalid_request_error";
}

json_t *problem_json(const struct problem *problem)
{
    return json_pack("{s{so ss ss* so}}", "error", "message",
                     json_out_text(problem->message, strlen(problem->message)), "type",
                     type_of_status(problem->status), "code", problem->code, "param",
                     problem->param[0] != '\0' ? json_string(problem->param) : json_null());
}
