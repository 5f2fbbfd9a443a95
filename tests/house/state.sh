#!/bin/sh
# state.sh: no mutable variable of static storage in src/ and simd/: all state hangs on an engine, a
# session, a model.  The one exception is the lock around an OpenBLAS that has such state itself and no
# lock for it (src/tensor/matmul_blas.c).  Constants with addresses in them lie in .data.rel.ro, which is read-only once loaded.
set -eu
cd "${OMMA_TEST_BUILDDIR:-.}"
[ "${SANITIZERS-}" != yes ] || { echo "skip: sanitizers add variables of their own"; exit 77; }
objects=$(find src simd -name '*.o' | sort)
[ -n "$objects" ] || { echo "no objects under src/ and simd/"; exit 1; }

found=$(for object in $objects; do
    ${OBJDUMP:-objdump} -t "$object" | awk -v object="$object" '
        # "0000000000000000 l     O .bss   0000000000000008 counter"
        $NF == ".gomp_critical_user_omma_matmul_blas" { next }
        $0 ~ / O (\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && $0 !~ / O \.data\.rel\.ro/ {
            print object ": " $NF " in " $(NF - 2)
        }'
done)
[ -z "$found" ] || { echo "$found"; echo "mutable state in the library"; exit 1; }
