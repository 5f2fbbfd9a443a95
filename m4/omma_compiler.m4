# OMMA_WARNINGS
# The warnings that the project keeps at zero.  -ffp-contract=off: a compiler that fuses a multiplication
# and an addition on its own would make the result depend on its mood; fused ones are written as such.
AC_DEFUN([OMMA_WARNINGS], [
    AC_SUBST([OMMA_CFLAGS], ["-std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -ffp-contract=off -fno-math-errno -fvisibility=hidden"])
    AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make compiler warnings errors])],
        [AS_IF([test "$enableval" = yes], [OMMA_CFLAGS="$OMMA_CFLAGS -Werror"])])
])

# OMMA_SANITIZERS
# --enable-sanitizers: AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer over library, program and tests.
AC_DEFUN([OMMA_SANITIZERS], [
    AC_ARG_ENABLE([sanitizers],
        [AS_HELP_STRING([--enable-sanitizers], [build with ASan and UBSan (slow; for make check)])],
        [], [enable_sanitizers=no])
    AS_IF([test "$enable_sanitizers" = yes], [
        AC_SUBST([OMMA_SANITIZER_FLAGS], ["-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"])])
    AC_SUBST([SANITIZERS], [$enable_sanitizers])
])
