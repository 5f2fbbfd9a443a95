#!/bin/sh
# quantize.sh: what `omma quantize` writes, loaded by transformers with compressed-tensors and held against
# that library's arithmetic; then divergence and answers of the demo model and of a random 1B with int8
# weights beside that arithmetic's, and the memory that converting the 1B takes.  Minutes, 12 GB of memory.
# PYTHON: one that has torch, transformers, compressed-tensors, safetensors, pillow and numpy.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} shared=${OMMA_TEST_SHARED:-../shared} python=${PYTHON:-python3}
contrib=${OMMA_TEST_SRCDIR:-.}/contrib/quantize reference=$shared/reference
[ -f "$reference/dump.py" ] || { echo "skip: needs reference/ of the reference data"; exit 77; }
"$python" -c 'import torch, transformers, compressed_tensors, safetensors, PIL, numpy' 2> /dev/null ||
    { echo "skip: needs $python with torch, transformers, compressed-tensors, safetensors and pillow"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# check MODEL OPTION...: quantize and look at the folder from outside.
check() {
    model=$1
    shift
    echo "$model $*"
    rm -rf "$tmp/int8"
    "$build/omma" quantize "$@" "$reference/$model" "$tmp/int8" > "$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
    "$python" "$contrib/check.py" "$reference" "$reference/$model" "$tmp/int8" --image "$shared/images/image3.jpg" \
        --prompt "What is in the image?" 2> "$tmp/log" || { tail -n 5 "$tmp/log"; failed=1; }
}

for model in tiny-300m tiny-6b; do
    check $model
    check $model --vision --group 64
    check $model --group 128
done

"$python" "$contrib/evaluate.py" "$reference" "$shared/demo/model" --held-out "$shared/demo/held_out" \
    --omma "$build" 2> "$tmp/log" || { tail -n 5 "$tmp/log"; failed=1; }

"$python" "$reference/checkpoint.py" 1B "$tmp/1B" --tokenizer "$shared/tokenizer" > "$tmp/log" 2>&1 ||
    { cat "$tmp/log"; exit 1; }
"$python" - "$build/omma" "$tmp/1B" "$tmp/1B-int8" << 'END' || failed=1
import os, resource, subprocess, sys
subprocess.run([sys.argv[1], "quantize", *sys.argv[2:]], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
size = sum(os.path.getsize(os.path.join(sys.argv[2], f)) for f in os.listdir(sys.argv[2])) / 1e6
print(f"{'ok  ' if peak < 300 else 'FAIL'} omma quantize of {size:.0f} MB: {peak:.0f} MB of memory at most, mapped pages included")
sys.exit(peak >= 300)
END
"$python" "$contrib/evaluate.py" "$reference" "$tmp/1B" --omma "$build" 2> "$tmp/log" ||
    { tail -n 5 "$tmp/log"; failed=1; }
exit $failed
