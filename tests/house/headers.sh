#!/bin/sh
# headers.sh: every header compiles alone, twice in a row (its guard), without a warning, with the
# compiler in use and with clang if it is installed.  Files of simd/tmpl are bodies, not headers.
set -eu
source=${OMMA_TEST_SRCDIR:-.} build=${OMMA_TEST_BUILDDIR:-.}
cd "$source"
flags="-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -Isrc -I. -Itests -I$build"
failed=0 count=0

# check COMPILER HEADER FLAGS
check() {
    compiler=$1 header=$2
    shift 2
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        $compiler $flags ${LIBRARY_CFLAGS-} "$@" -x c - || {
        echo "$header: does not compile alone with $compiler"
        failed=1
    }
    count=$((count + 1))
}

for compiler in "${CC:-cc}" "${CLANG-}"; do
    [ -n "$compiler" ] || { echo "clang is not installed: with ${CC:-cc} only"; continue; }
    for header in $(find src simd tools bench tests -name '*.h' ! -path 'simd/tmpl/*' ! -path '*/no_openmp/*' | sort); do
        case $header in
        simd/avx2/*) tier=${AVX2_CFLAGS-} ;;
        simd/avx512/*) tier=${AVX512_CFLAGS-} ;;
        *) tier= ;;
        esac
        case $header in
        simd/avx*/*) [ -n "$tier" ] || continue ;;
        tests/simd/*) [ "${HAVE_SIMDE-}" = yes ] || continue ;;
        esac
        check "$compiler" "$header" $tier
    done
done
[ $count -gt 0 ] || { echo "no headers found"; exit 1; }
echo "$count compilations"
exit $failed
