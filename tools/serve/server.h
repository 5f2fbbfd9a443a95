/*
 * server.h - the parts of omma serve and what they share.
 *
 * Threads:
 *   http      libmicrohttpd's own: headers, bodies, replies; waits for nothing but the lock
 *   intake    two: a body becomes a job: JSON, pictures, tokens
 *   dispatch  one: hands jobs to sessions, takes their events, wakes connections that wait for
 *             them, notices clients that went away and those that are too slow
 *   main      waits for signals
 *
 * A request is an exchange from its headers until its reply is sent.  A connection whose request is
 * worked on is suspended; dispatch alone resumes it.  Until then its descriptor stays open, so
 * dispatch may watch it.  The lock is held for moments, never while something is computed, decoded,
 * sent or waited for.
 */
#ifndef OMMA_TOOLS_SERVE_SERVER_H
#define OMMA_TOOLS_SERVE_SERVER_H

#include <microhttpd.h>
#include <pthread.h>

#include "tools/message.h"
#include "tools/serve/guard.h"
#include "tools/serve/job.h"
#include "tools/chat/picture_in.h"

enum { SERVE_N_INTAKE = 2, SERVE_N_STATUSES = 12 };

struct serve_settings {
    const char *model_name; /* in replies */
    size_t n_parallel, max_queue;
    size_t n_context;
    size_t max_tokens; /* of an answer */
    size_t max_body_bytes, max_connections;
    size_t max_images;
    size_t max_tiles_total; /* 0: no bound */
    struct omma_image_options image;
    size_t drain_s;
    double deadline_s; /* of a request, its waiting included; 0: none */
};

enum connection_phase {
    CONNECTION_IDLE,    /* between requests, or its headers come */
    CONNECTION_BODY,    /* a body comes */
    CONNECTION_WORKING, /* worked on, or answered as the answer grows */
    CONNECTION_SENDING, /* the whole reply is there */
};

/* A client's connection; under the lock. */
struct connection {
    int descriptor;
    enum connection_phase phase;
    double deadline_s; /* of the phase, by the clock of dispatch; 0: none */
    size_t n_requests;
    bool is_surplus; /* beyond max_connections: told so and closed */
    struct connection *previous, *next;
};

enum route {
    ROUTE_PAGE,
    ROUTE_HEALTH,
    ROUTE_READY,
    ROUTE_METRICS,
    ROUTE_MODELS,
    ROUTE_TOKENIZE,
    ROUTE_CHAT,
    ROUTE_NONE,
};

enum stream_stage { STREAM_ROLE, STREAM_TEXT, STREAM_USAGE, STREAM_DONE, STREAM_END };

/* A request and its reply. */
struct exchange {
    struct server *server;
    struct MHD_Connection *mhd;
    struct connection *connection;
    enum route route;
    uint64_t number;
    double began_s;
    char *body; /* http's, then the intake's */
    size_t n_body, body_capacity;
    bool is_body_refused;
    bool is_admitted; /* counted in n_in_flight */

    /* under the lock */
    bool is_suspended;
    bool is_taken;          /* by an intake thread, or waits for one */
    bool is_gone;           /* the client is */
    struct problem problem; /* or: */
    char *reply;            /* of a request that needs no engine, or: */
    size_t n_reply;
    struct job *job;
    bool is_streamed, includes_usage;
    struct exchange *previous, *next; /* of all */
    struct exchange *next_waiting;    /* for the intake */

    /* http's */
    bool has_reply;
    unsigned status;
    enum stream_stage stage;
    size_t n_streamed; /* of the job's text */
    size_t n_tokens_streamed;
    char *out; /* an event that is partly sent */
    size_t n_out, n_out_sent;
};

/* A session and what it computes; dispatch's. */
struct slot {
    struct omma_session *session;
    struct job *job;    /* NULL: free */
    struct job *last;   /* whose prompt its cache begins with; NULL: none */
    uint64_t last_used; /* the number of a job: they grow */
};

struct server {
    const struct serve_settings *settings;
    struct messages *messages;
    struct omma_model *model;
    struct omma_engine *engine;
    struct media_folder media;
    struct guard guard;
    struct MHD_Daemon *daemon;
    pthread_t dispatch, intake[SERVE_N_INTAKE];
    size_t n_intake; /* that run */
    bool has_dispatch;
    int wake; /* eventfd: dispatch is to look */
    int call; /* eventfd: main is */
    struct slot *slots;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t came;  /* for the intake */
    struct exchange *exchanges;
    size_t n_exchanges;
    size_t n_in_flight;                      /* chat requests that are not answered yet */
    struct exchange *first_body, *last_body; /* for the intake */
    struct connection *connections;
    size_t n_connections;
    struct job *first_waiting, *last_waiting;
    struct job *jobs;                       /* not done */
    uint64_t n_made;                        /* exchanges so far: they are numbered */
    size_t n_body_bytes;                    /* of all bodies */
    uint64_t n_by_status[SERVE_N_STATUSES]; /* replies; see metrics.c */
    uint64_t n_joined, n_abandoned;
    bool is_draining, is_stopping;
    enum omma_status fatal; /* the server must end with it */
};

/* dispatch.c.  With the lock held: */
void dispatch_wake(struct server *server); /* needs no lock */
void dispatch_queue(struct server *server, struct job *job);
void job_release(struct job *job);
void exchange_drop_body(struct exchange *exchange);
/* Every job that is not done fails, as the server ends. */
void dispatch_abort(struct server *server);
void exchange_leave_job(struct exchange *exchange);
/* Without: */
enum omma_status dispatch_start(struct server *server, struct omma_error *error);
void dispatch_stop(struct server *server); /* once nothing is suspended */

/* intake.c */
enum omma_status intake_start(struct server *server, struct omma_error *error);
void intake_stop(struct server *server);
/* With the lock held: the body is complete. */
void intake_add(struct server *server, struct exchange *exchange);

/* http.c */
enum omma_status http_start(struct server *server, int listener, struct omma_error *error);
/* Take no new connections; those that there are get 503 for new requests. */
void http_drain(struct server *server);
/* End all requests, then the threads. */
void http_stop(struct server *server);

#endif
