#!/bin/sh
# tiles.sh: every grid of the reference's cases through `omma preprocess --jsonl`.  The pixels of the same
# file are compared by unit tests, which `make show-tiles` runs too.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} cases=${OMMA_TEST_SHARED:-../shared}/reference/tiles.jsonl
[ -f "$cases" ] || { echo "skip: needs reference/tiles.jsonl of the reference data"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

grep '^{"width"' "$cases" > "$tmp/cases"
sed 's/.*\("grid".*\)}/\1/' "$tmp/cases" | tr -d ' ' > "$tmp/expected"
sed 's/, "grid".*/}/' "$tmp/cases" | "$build/omma" preprocess --jsonl |
    sed 's/.*\("grid".*\)}/\1/' | tr -d ' ' > "$tmp/found"
n=$(wc -l < "$tmp/expected")
[ "$n" -gt 1000 ] && cmp "$tmp/expected" "$tmp/found"
echo "all $n grids equal"
