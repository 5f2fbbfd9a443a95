# OMMA_REQUIRE_PKG(VARIABLE, MODULE, DEBIAN-PACKAGE, PURPOSE)
# Look for a pkg-config module that omma cannot do without.  What is missing is collected and named
# together by OMMA_REPORT_MISSING, so that nobody installs libraries one configure run at a time.
# OMMA_VARIABLE_VERSION in config.h is the version found, for omma --version.
AC_DEFUN([OMMA_REQUIRE_PKG], [
    PKG_CHECK_MODULES([$1], [$2], [
        omma_found=$($PKG_CONFIG --modversion "m4_car(m4_unquote(m4_split([$2])))")
        AC_DEFINE_UNQUOTED([OMMA_$1_VERSION], ["$omma_found"], [Version of this library at build time.])
        omma_libraries="$omma_libraries
    m4_translit([$1], [A-Z], [a-z]): $omma_found"], [
        omma_missing="$omma_missing
    $3: $2, for $4"
        omma_missing_packages="$omma_missing_packages $3"])
])

# OMMA_OPTIONAL_PKG(VARIABLE, MODULE, DEBIAN-PACKAGE, PURPOSE)
# The same for a module whose lack only switches PURPOSE off; sets the conditional HAVE_VARIABLE.
AC_DEFUN([OMMA_OPTIONAL_PKG], [
    PKG_CHECK_MODULES([$1], [$2], [omma_have_$1=yes], [
        omma_have_$1=no
        omma_notes="$omma_notes
    no $4: install $3 ($2)"])
    AM_CONDITIONAL([HAVE_$1], [test "$omma_have_$1" = yes])
])

# OMMA_REQUIRE_OPENMP
# OpenMP comes with the compiler, not with pkg-config.
AC_DEFUN([OMMA_REQUIRE_OPENMP], [
    AC_OPENMP
    AC_MSG_CHECKING([whether OpenMP programs link])
    omma_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $OPENMP_CFLAGS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <omp.h>]], [[return omp_get_max_threads() < 0;]])],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         omma_missing="$omma_missing
    libgomp1 (gcc) or libomp-dev (clang): OpenMP, for the threads"
         omma_missing_packages="$omma_missing_packages libgomp1"])
    CFLAGS=$omma_saved_CFLAGS
])

# OMMA_OPTIONAL_SIMDE
# Headers alone: with them, tiers that this machine lacks are tested in software.
AC_DEFUN([OMMA_OPTIONAL_SIMDE], [
    AC_CHECK_HEADER([simde/x86/avx512.h], [omma_have_simde=yes], [
        omma_have_simde=no
        omma_notes="$omma_notes
    no tests of kernels that this CPU lacks: install libsimde-dev"])
    AM_CONDITIONAL([HAVE_SIMDE], [test "$omma_have_simde" = yes])
    AC_SUBST([HAVE_SIMDE], [$omma_have_simde])
])

# OMMA_REPORT_MISSING
# Stop with one message that names every missing library and the command that installs them.
AC_DEFUN([OMMA_REPORT_MISSING], [
    AS_IF([test -n "$omma_missing"], [AC_MSG_ERROR([these libraries are missing:$omma_missing

On Debian:  apt-get install$omma_missing_packages
])])
])
