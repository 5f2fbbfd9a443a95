/* Without MPI a process is alone, and says so where it was not meant to be. */
#include "tools/batch/cluster.h"

#include <stdlib.h>

/* How many processes a launcher says there are; 1 if none says so. */
static unsigned long n_started(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");

    if (size == NULL) {
        size = getenv("PMI_SIZE");
    }
    if (size == NULL && getenv("PMIX_RANK") != NULL) {
        size = getenv("SLURM_STEP_NUM_TASKS");
    }
    return size != NULL ? strtoul(size, NULL, 10) : 1;
}

enum omma_status cluster_open(struct cluster **cluster, struct omma_error *error)
{
    unsigned long n = n_started();

    *cluster = NULL;
    return n <= 1 ? OMMA_OK
                  : fail(error, OMMA_STATUS_USAGE,
                         "started as one of %lu processes, and this omma was built without MPI "
                         "(configure --with-mpi); --shard splits rows without it",
                         n);
}

void cluster_close(struct cluster **cluster)
{
    *cluster = NULL;
}

void cluster_abort(struct cluster *cluster, int code)
{
    (void)cluster;
    exit(code);
}

size_t cluster_rank(const struct cluster *cluster)
{
    (void)cluster;
    return 0;
}

size_t cluster_size(const struct cluster *cluster)
{
    (void)cluster;
    return 1;
}

const char *cluster_host(const struct cluster *cluster)
{
    (void)cluster;
    return "";
}

enum omma_status cluster_send(struct cluster *cluster, size_t to, int kind, const void *bytes,
                              size_t n_bytes, struct omma_error *error)
{
    (void)cluster;
    (void)bytes;
    return fail(error, OMMA_STATUS_INTERNAL,
                "a message of kind %d, %zu bytes to process %zu: there "
                "is none",
                kind, n_bytes, to);
}

enum omma_status cluster_receive(struct cluster *cluster, struct cluster_message *message,
                                 bool *got, struct omma_error *error)
{
    (void)cluster;
    (void)message;
    (void)error;
    *got = false;
    return OMMA_OK;
}
