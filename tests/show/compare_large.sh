#!/bin/sh
# compare_large.sh: omma compare at real sizes: a random 1B, and one layer of each kind of a random 78B.
# Checkpoints and dumps are made on the spot by the reference's own scripts (python3 with torch and
# transformers, 16 GB of memory, minutes) and not kept.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} shared=${OMMA_TEST_SHARED:-../shared}
reference=$shared/reference
[ -f "$reference/checkpoint.py" ] || { echo "skip: needs reference/checkpoint.py of the reference data"; exit 77; }
python3 -c 'import torch, transformers, safetensors, PIL' 2> /dev/null ||
    { echo "skip: needs python3 with torch, transformers, safetensors and pillow"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tiers=$("$build/omma" --version | sed -n 's/[a-z0-9]* (not on this CPU)//g; s/^kernel tiers://p')
rough=
grep -q avx512f /proc/cpuinfo || rough=--no-bf16
failed=0

# show SIZE OPTION...: a checkpoint, a dump, every tier.
show() {
    size=$1
    shift
    echo "$size: making checkpoint and dump"
    python3 "$reference/checkpoint.py" "$size" "$tmp/$size" "$@" > "$tmp/log" 2>&1 &&
        python3 "$reference/dump.py" "$tmp/$size" "$tmp/$size.safetensors" --image "$shared/images/image3.jpg" \
            --max-tiles 1 --prompt "What is in the image?" --rows 32 $rough > "$tmp/log" 2>&1 ||
        { tail -n 20 "$tmp/log"; exit 1; }
    for isa in $tiers; do
        for precision in f32 bf16; do
            echo "$size, $isa, $precision"
            "$build/omma" compare -m "$tmp/$size" --reference "$tmp/$size.safetensors" --isa "$isa" \
                --image-dir "$shared/images" --precision $precision || failed=1
        done
    done
    rm -rf "${tmp:?}/$size" "$tmp/$size.safetensors"
}

show 1B --tokenizer "$shared/tokenizer"
show 78B --layers 1 --vit-layers 1 --vocabulary 634 --tokenizer "$shared/demo/model"
exit $failed
