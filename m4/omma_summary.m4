# OMMA_SUMMARY
# What was found and what make will build.
AC_DEFUN([OMMA_SUMMARY], [
    AC_MSG_NOTICE([

omma $PACKAGE_VERSION
  compiler:      $CC $CFLAGS
  kernel tiers:  scalar$omma_tiers
  sanitizers:    $enable_sanitizers
  prefix:        $prefix
  libraries:$omma_libraries
  notes:${omma_notes:- none}

Next:  make && make check && make install
])
])
