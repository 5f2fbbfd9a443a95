# OMMA_MPI
# --with-mpi: the program computes rows of a run with others that mpirun started, and needs libmpi for
# it.  Without, MPI that is there serves the tests alone.  HAVE_MPI: it is there; WITH_MPI: for the program.
AC_DEFUN([OMMA_MPI], [
    AC_ARG_WITH([mpi], [AS_HELP_STRING([--with-mpi],
        [omma batch in several processes, by MPI (no)])], [], [with_mpi=no])
    PKG_CHECK_MODULES([MPI], [ompi-c >= 4], [omma_have_MPI=yes], [omma_have_MPI=no])
    AS_IF([test "$with_mpi" != no && test "$omma_have_MPI" = no],
        [AC_MSG_ERROR([--with-mpi needs Open MPI: its pkg-config module ompi-c was not found

On Debian:  apt-get install libopenmpi-dev openmpi-bin
])])
    AS_IF([test "$with_mpi" = no], [omma_notes="$omma_notes
    no omma batch under mpirun: --with-mpi, with libopenmpi-dev and openmpi-bin"],
        [omma_libraries="$omma_libraries
    mpi: $($PKG_CONFIG --modversion ompi-c)"])
    AM_CONDITIONAL([HAVE_MPI], [test "$omma_have_MPI" = yes])
    AM_CONDITIONAL([WITH_MPI], [test "$with_mpi" != no])
])
