#!/bin/sh
# side_by_side.sh: what sessions have of each other (sessions.c), on a random 1B with the real vocabulary, whose
# folder of 1.9 GB goes afterwards.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} tokenizer=${OMMA_TEST_SHARED:-../shared}/tokenizer
picture=${OMMA_TEST_SRCDIR:-.}/share/omma/demo/pictures/tall.png
[ -d "$tokenizer" ] || { echo "needs tokenizer/ of the reference data"; exit 77; }
model=$(mktemp -d "${TMPDIR:-/tmp}/omma-sessions.XXXXXX")
trap 'rm -rf "$model"' EXIT
"$build/omma" bench --shape 1B --write "$model"
cp "$tokenizer"/* "$model"
code=0
"$build/tests/show/sessions" "$model" "$picture" reuse || code=1
"$build/tests/show/sessions" "$model" "$picture" throughput || code=1
exit $code
