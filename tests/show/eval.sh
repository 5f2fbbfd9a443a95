#!/bin/sh
# eval.sh: a suite of drawn scenes, options and open questions, answered by omma eval and by PyTorch: every
# prediction and so every score must be the same.  EVAL_ROWS of them, 400 if it is not set; minutes.
# PYTHON: one that has torch, transformers, pillow, numpy and safetensors.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} source=${OMMA_TEST_SRCDIR:-.} python=${PYTHON:-python3} rows=${EVAL_ROWS:-400}
"$python" -c 'import torch, transformers, PIL, numpy, safetensors' 2> /dev/null ||
    { echo "skip: needs $python with torch, transformers, pillow, numpy and safetensors"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
demo=$source/share/omma/demo

"$python" "$source/contrib/eval/demo_suite.py" "$demo" "$tmp" --rows "$rows" --max-tokens 24 2> "$tmp/log" ||
    { tail -n 5 "$tmp/log"; exit 1; }
"$build/omma" eval -m "$demo" -o "$tmp/run" --precision f32 -n 24 "$tmp/MMMU_demo.tsv" > "$tmp/scores" 2> "$tmp/log" ||
    { tail -n 5 "$tmp/log"; exit 1; }
"$build/omma" eval score "$tmp/reference_MMMU_demo.tsv" > "$tmp/reference"
"$build/omma" eval compare "$tmp/run" "$tmp/reference_MMMU_demo.tsv" | tee "$tmp/compared"
cmp "$tmp/scores" "$tmp/reference" || { diff "$tmp/scores" "$tmp/reference"; exit 1; }
grep -q "of $rows;" "$tmp/compared" && grep -q "another answer, same verdict: 0" "$tmp/compared" &&
    grep -q "right in A alone 0, in B alone 0" "$tmp/compared" || { echo "the answers differ"; exit 1; }
echo "eval: $rows answers and all scores equal PyTorch's"
