#!/bin/sh
# compare_int8.sh: omma compare on dumps of quantized models, on every tier: the reference's, and one of the tiny
# 6B that the reference's own script makes on the spot (python3 with torch, transformers and compressed-tensors; $PYTHON
# names another one).
set -eu
build=${OMMA_TEST_BUILDDIR:-.} shared=${OMMA_TEST_SHARED:-../shared} python=${PYTHON:-python3}
reference=$shared/reference
[ -d "$reference/tiny-300m-int8" ] || { echo "skip: needs reference/tiny-300m-int8 of the reference data"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tiers=$("$build/omma" --version | sed -n 's/[a-z0-9]* (not on this CPU)//g; s/^kernel tiers://p')
failed=0

# show FOLDER UNQUANTIZED DUMP: every tier and precision within, weights alone outside of the band.
show() {
    for isa in $tiers; do
        for precision in f32 bf16; do
            echo "$1, $isa, $precision"
            "$build/omma" compare -m "$1" --unquantized "$2" --reference "$3" --image-dir "$shared/images" \
                --isa "$isa" --precision $precision || failed=1
        done
    done
    echo "$1, int8 weights alone, which must not be within"
    ! "$build/omma" compare -m "$1" --unquantized "$2" --reference "$3" --image-dir "$shared/images" \
        --int8-activations off || failed=1
}

show "$reference/tiny-300m-int8" "$reference/tiny-300m" "$reference/dumps/tiny-300m-int8.safetensors"
if "$python" -c 'import torch, transformers, compressed_tensors, safetensors, PIL' 2> /dev/null; then
    "$python" "$reference/quantize.py" "$reference/tiny-6b" "$tmp/tiny-6b-int8" "$tmp/dump.safetensors" \
        --image "$shared/images/image3.jpg" --prompt "What is in the image?" > "$tmp/log" 2>&1 ||
        { tail -n 20 "$tmp/log"; exit 1; }
    show "$tmp/tiny-6b-int8" "$reference/tiny-6b" "$tmp/dump.safetensors"
else
    echo "skip: the tiny 6B needs $python with torch, transformers, compressed_tensors, safetensors and pillow"
fi
exit $failed
