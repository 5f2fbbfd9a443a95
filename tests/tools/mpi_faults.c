/*
 * Linked into omma_mpi, by MPI's interface for profiling: rank 0 begins when the others are ready,
 * so that they get rows of a short run; and a process that dies.  OMMA_TEST_DIES "R N": that of
 * rank R, by SIGKILL, instead of sending its N-th message, from 1.
 */
#include <mpi.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int n_sent, n_asked;

static int rank_in(MPI_Comm comm)
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    return rank;
}

int MPI_Isend(const void *bytes, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    const char *wish = getenv("OMMA_TEST_DIES");
    int number = atomic_fetch_add(&n_sent, 1) + 1, rank = rank_in(comm), victim, last;

    if (wish != NULL && sscanf(wish, "%d %d", &victim, &last) == 2 && victim == rank &&
        number == last) {
        raise(SIGKILL);
    }
    if (rank == 0 && number == 1) {
        PMPI_Barrier(comm);
    }
    return PMPI_Isend(bytes, n, type, to, tag, comm, request);
}

int MPI_Improbe(int source, int tag, MPI_Comm comm, int *is_there, MPI_Message *message,
                MPI_Status *status)
{
    if (rank_in(comm) > 0 && atomic_fetch_add(&n_asked, 1) == 0) {
        PMPI_Barrier(comm);
    }
    return PMPI_Improbe(source, tag, comm, is_there, message, status);
}
