#!/bin/sh
# headers.sh: every header compiles alone, twice in a row (its guard), without a warning, with the
# compiler in use and with clang if it is installed.  Files of simd/tmpl are bodies, not headers; those of a
# tier that is not built are compiled for SIMDe.
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
        tier= tier_flags=
        case $header in
        simd/x86.h) tier=AVX2 ;;
        simd/arm.h) tier=NEON ;;
        simd/*/*) tier=$(echo "$header" | cut -d/ -f2 | tr a-z A-Z) ;;
        esac
        [ "$tier" != SCALAR ] || tier=
        [ -z "$tier" ] || eval "tier_flags=\${${tier}_CFLAGS-}"
        if [ -n "$tier" ] && ! grep -q "define OMMA_TIER_$tier 1" "$build/config.h"; then
            tier_flags="-DOMMA_SIMDE -Wno-psabi"
        fi
        case $header:$tier_flags in
        tests/simd/* | *:-DOMMA_SIMDE*) [ "${HAVE_SIMDE-}" = yes ] || continue ;;
        esac
        check "$compiler" "$header" $tier_flags
    done
done
[ $count -gt 0 ] || { echo "no headers found"; exit 1; }
echo "$count compilations"
exit $failed
