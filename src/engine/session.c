/* The caller's side of a session: made, given requests, asked for events, cancelled, destroyed. */
#include "engine/session.h"

#include <stdlib.h>
#include <string.h>

#include "engine/generation.h"
#include "tensor/attention.h"

static enum omma_status choose_context(const struct omma_model *model,
                                       const struct omma_session_options *options,
                                       size_t *n_context, struct omma_error *error)
{
    const struct omma_language_config *language = &model->config.language;

    *n_context = options->n_context != 0 ? options->n_context : model->info.default_context;
    if (*n_context > language->max_positions && language->rope_scaling != OMMA_ROPE_DYNAMIC) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "context: expected at most %zu tokens (the model's, without dynamic "
                         "scaling), found %zu",
                         language->max_positions, *n_context);
    }
    return OMMA_OK;
}

enum omma_status omma_session_create(struct omma_engine *engine,
                                     const struct omma_session_options *options,
                                     struct omma_session **session, struct omma_error *error)
{
    const struct omma_language_config *language = &engine->model->config.language;
    enum omma_status status;
    static const struct omma_session_options defaults = {0};
    struct omma_session *made = calloc(1, sizeof *made);
    size_t n_partials;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a session");
    }
    options = options != NULL ? options : &defaults;
    made->engine = engine;
    OMMA_TRY_OR(status, free_session,
                choose_context(engine->model, options, &made->n_context, error));
    OMMA_TRY_OR(status, free_session,
                omma_events_init(options->notify, options->user, &made->events, error));
    OMMA_TRY_OR(
        status, fini_events,
        omma_kv_store_add(engine->kv_store, made->n_context, engine->team, &made->kv, error));
    n_partials = omma_attention_partials(language->n_heads, language->head_dim, made->n_context);
    made->partials = malloc(n_partials * sizeof *made->partials);
    if (made->partials == NULL) {
        status = omma_fail_memory(error, n_partials * sizeof *made->partials, "a session");
        goto remove_kv;
    }
    *session = made;
    return OMMA_OK;

remove_kv:
    omma_kv_store_remove(engine->kv_store, &made->kv);
fini_events:
    omma_events_fini(&made->events);
free_session:
    free(made);
    return status;
}

void omma_session_destroy(struct omma_session **session)
{
    struct omma_session *gone = *session;

    if (gone == NULL) {
        return;
    }
    omma_session_cancel(gone);
    while (gone->is_active) {
        struct omma_event event;

        omma_session_poll(gone, -1, &event, NULL);
    }
    omma_events_fini(&gone->events);
    omma_kv_store_remove(gone->engine->kv_store, &gone->kv);
    free(gone->partials);
    free(gone);
    *session = NULL;
}

enum omma_status omma_session_submit(struct omma_session *session,
                                     const struct omma_request *request, struct omma_error *error)
{
    struct omma_generation *generation;
    enum omma_status status;

    if (session->is_active) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "a request is running on this session: poll it to its end first");
    }
    OMMA_TRY(omma_generation_create(session, request, &generation, error));
    session->end_status = OMMA_OK;
    atomic_store(&session->cancelled, false);
    status = omma_scheduler_submit(session->engine->scheduler, generation, error);
    if (status != OMMA_OK) {
        omma_generation_destroy(&generation);
    }
    session->is_active = status == OMMA_OK;
    return status;
}

enum omma_status omma_session_poll(struct omma_session *session, int timeout_ms,
                                   struct omma_event *event, struct omma_error *error)
{
    if (!session->is_active) {
        *event = (struct omma_event){.type = OMMA_EVENT_NONE};
        return OMMA_OK;
    }
    omma_events_take(&session->events, timeout_ms, event);
    if (event->type != OMMA_EVENT_DONE) {
        return OMMA_OK;
    }
    session->is_active = false;
    if (session->end_status != OMMA_OK) {
        return omma_fail(error, session->end_status, "%s", session->end_error.message);
    }
    return OMMA_OK;
}

void omma_session_cancel(struct omma_session *session)
{
    atomic_store(&session->cancelled, true);
}

const char *omma_finish_name(enum omma_finish finish)
{
    switch (finish) {
    case OMMA_FINISH_STOP:
        return "stop";
    case OMMA_FINISH_LENGTH:
        return "length";
    case OMMA_FINISH_CANCELLED:
        return "cancelled";
    case OMMA_FINISH_ERROR:
        return "error";
    case OMMA_FINISH_DEADLINE:
        return "deadline";
    }
    return "unknown";
}
