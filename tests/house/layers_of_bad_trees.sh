#!/bin/sh
# layers.sh itself: it must accept a good tree and refuse every tree with one wrong arrow.
set -eu
checker=${OMMA_TEST_SRCDIR:-.}/tests/house/layers.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

# plant FILE INCLUDE: make a file with one include.
plant() {
    mkdir -p "$tree/$(dirname "$1")"
    printf '#include %s\n' "$2" > "$tree/$1"
}

good_tree() {
    rm -rf "${tree:?}"/*
    plant src/api/omma.h '<stddef.h>'
    plant src/base/status.h '"api/omma.h"'
    plant src/platform/team.h '"base/status.h"'
    plant src/format/json.c '<jansson.h>'
    plant src/format/image.h '"platform/team.h"'
    plant src/tensor/matmul.c '"simd/kernels.h"'
    plant src/tensor/matmul.h '"platform/team.h"'
    plant src/model/config.h '"format/image.h"'
    plant src/model/vision/encoder.c '"model/config.h"'
    plant src/engine/session.c '"base/status.h"'
    plant src/engine/session.h '"model/config.h"'
    plant src/api/omma.c '"engine/session.h"'
    plant simd/kernels.h '"base/status.h"'
    plant simd/avx2/vec.h '<immintrin.h>'
    plant simd/avx2/gemm.c '"simd/avx2/vec.h"'
    plant tools/args.h '<stdbool.h>'
    plant tools/main.c '"args.h"'
    plant tools/cmd_run.c '"api/omma.h"'
}

# refuse FILE INCLUDE WHY: the good tree with this file added must be refused, naming the file.
refuse() {
    good_tree
    plant "$1" "$2"
    if said=$(sh "$checker" "$tree" 2>&1); then
        echo "accepted: $1 includes $2 ($3)"
        failed=1
    elif ! echo "$said" | grep -q "^$1:1: "; then
        echo "refused, but not for $1: $said"
        failed=1
    fi
}

good_tree
sh "$checker" "$tree" || { echo "refused a good tree"; failed=1; }
refuse src/base/arena.c '"platform/team.h"' "up"
refuse src/tensor/norm.c '"model/config.h"' "up"
refuse src/model/model.c '"engine/session.h"' "up"
refuse src/tensor/rope.c '"format/image.h"' "sideways"
refuse src/format/image.c '"tensor/matmul.h"' "sideways"
refuse src/format/image.c '"simd/kernels.h"' "format takes no kernels"
refuse src/platform/team.c '"simd/kernels.h"' "sideways"
refuse simd/kernels.c '"platform/team.h"' "sideways"
refuse simd/kernels.c '"api/omma.h"' "simd takes simd and base only"
refuse simd/avx2/gemv.c '"tensor/matmul.h"' "up out of a tier"
refuse simd/avx512bf16/gemm.c '"simd/avx2/vec.h"' "one tier into another"
refuse simd/avx512bf16/gemm.c '"../avx2/vec.h"' "one tier into another, by a relative path"
refuse simd/kernels.c '"simd/avx2/vec.h"' "the baseline into a tier"
refuse tools/cmd_info.c '"model/config.h"' "tools take omma.h only"
refuse tools/cmd_info.c '"base/status.h"' "tools take omma.h only"
refuse src/engine/plan.c '"main.c"' "no such file"
refuse src/engine/plan.c '"tests/support.h"' "no such file"
refuse src/base/checked.h '"config.h"' "config.h in a header"
refuse src/model/weights.c '<immintrin.h>' "intrinsics outside simd"
refuse src/engine/plan.c '<hwloc.h>' "hwloc outside platform"
rm -rf "${tree:?}"/*
if sh "$checker" "$tree" > /dev/null 2>&1; then
    echo "accepted an empty tree"
    failed=1
fi
exit $failed
