/*
 * Linked into omma_mpi: a process that dies.  OMMA_TEST_DIES "R N": that of rank R, by SIGKILL,
 * instead of sending its N-th message, from 1.
 */
#include <mpi.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int n_sent;

int MPI_Isend(const void *bytes, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    const char *wish = getenv("OMMA_TEST_DIES");
    int rank, victim, number;

    MPI_Comm_rank(comm, &rank);
    if (wish != NULL && sscanf(wish, "%d %d", &victim, &number) == 2 && victim == rank &&
        atomic_fetch_add(&n_sent, 1) + 1 == number) {
        raise(SIGKILL);
    }
    return PMPI_Isend(bytes, n, type, to, tag, comm, request);
}
