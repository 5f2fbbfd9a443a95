/*
 * Messages by MPI.  What is sent stays in memory until MPI has it; whoever sends or receives asks
 * after that.  A process that dies takes the others with it: its launcher ends them, and so does
 * MPI where it notices (MPI_ERRORS_ARE_FATAL).
 */
#include "tools/batch/cluster.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message on its way. */
struct sending {
    MPI_Request request;
    struct sending *next;
    char bytes[];
};

struct cluster {
    int rank, size;
    char host[MPI_MAX_PROCESSOR_NAME];
    struct sending *sendings;
};

/* Whether a launcher started this process; without one, MPI would start a daemon for it. */
static bool is_launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMI_SIZE") != NULL ||
           getenv("PMIX_RANK") != NULL;
}

enum omma_status cluster_open(struct cluster **cluster, struct omma_error *error)
{
    struct cluster *made;
    int provided, n_host;

    *cluster = NULL;
    if (!is_launched()) {
        return OMMA_OK;
    }
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        return fail_memory(error);
    }
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &made->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &made->size);
    MPI_Get_processor_name(made->host, &n_host);
    if (made->size == 1) {
        cluster_close(&made);
        return OMMA_OK;
    }
    if (provided < MPI_THREAD_FUNNELED) {
        cluster_close(&made);
        return fail(error, OMMA_STATUS_RESOURCES, "MPI: it takes no process with threads");
    }
    *cluster = made;
    return OMMA_OK;
}

/* Forget what has been sent; wait: all of it. */
static void settle(struct cluster *cluster, bool waits)
{
    struct sending **at = &cluster->sendings;

    while (*at != NULL) {
        struct sending *sending = *at;
        int is_done = 1;

        if (waits) {
            MPI_Wait(&sending->request, MPI_STATUS_IGNORE);
        } else {
            MPI_Test(&sending->request, &is_done, MPI_STATUS_IGNORE);
        }
        if (is_done) {
            *at = sending->next;
            free(sending);
        } else {
            at = &sending->next;
        }
    }
}

void cluster_close(struct cluster **cluster)
{
    if (*cluster != NULL) {
        settle(*cluster, true);
        MPI_Finalize();
        free(*cluster);
        *cluster = NULL;
    }
}

void cluster_abort(struct cluster *cluster, int code)
{
    (void)cluster;
    MPI_Abort(MPI_COMM_WORLD, code);
}

size_t cluster_rank(const struct cluster *cluster)
{
    return (size_t)cluster->rank;
}

size_t cluster_size(const struct cluster *cluster)
{
    return (size_t)cluster->size;
}

const char *cluster_host(const struct cluster *cluster)
{
    return cluster->host;
}

enum omma_status cluster_send(struct cluster *cluster, size_t to, int kind, const void *bytes,
                              size_t n_bytes, struct omma_error *error)
{
    struct sending *sending;

    if (n_bytes > INT_MAX) {
        return fail(error, OMMA_STATUS_RESOURCES, "a message of %zu bytes: expected at most %d",
                    n_bytes, INT_MAX);
    }
    sending = malloc(sizeof *sending + n_bytes);
    if (sending == NULL) {
        return fail_memory(error);
    }
    if (n_bytes > 0) {
        memcpy(sending->bytes, bytes, n_bytes);
    }
    MPI_Isend(sending->bytes, (int)n_bytes, MPI_BYTE, (int)to, kind, MPI_COMM_WORLD,
              &sending->request);
    sending->next = cluster->sendings;
    cluster->sendings = sending;
    settle(cluster, false);
    return OMMA_OK;
}

enum omma_status cluster_receive(struct cluster *cluster, struct cluster_message *message,
                                 bool *got, struct omma_error *error)
{
    int is_there, n_bytes;
    MPI_Message handle;
    MPI_Status status;

    settle(cluster, false);
    MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &is_there, &handle, &status);
    *got = is_there != 0;
    if (!*got) {
        return OMMA_OK;
    }
    MPI_Get_count(&status, MPI_BYTE, &n_bytes);
    *message = (struct cluster_message){.kind = status.MPI_TAG,
                                        .from = (size_t)status.MPI_SOURCE,
                                        .bytes = malloc((size_t)n_bytes + 1),
                                        .n_bytes = (size_t)n_bytes};
    if (message->bytes == NULL) {
        return fail_memory(error);
    }
    MPI_Mrecv(message->bytes, n_bytes, MPI_BYTE, &handle, MPI_STATUS_IGNORE);
    message->bytes[n_bytes] = '\0';
    return OMMA_OK;
}
