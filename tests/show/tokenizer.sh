#!/bin/sh
# tokenizer.sh: every case of the reference's tokenizer through `omma tokenize --jsonl`, added tokens as
# plain text and recognised.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} shared=${OMMA_TEST_SHARED:-../shared}
cases=$shared/reference/tokenizer_cases.jsonl
[ -f "$cases" ] || { echo "skip: needs reference/tokenizer_cases.jsonl of the reference data"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# ids MODE: of each case.  "reference" is left out where it is the same as "literal".
ids() {
    awk -v mode="$1" '{
        line = $0
        if (mode == "reference" && line ~ /\], "reference": \[[0-9, ]*\]}$/) {
            sub(/.*\], "reference": /, "", line)
        } else {
            sub(/.*", "literal": /, "", line)
        }
        sub(/\].*/, "]", line)
        print line
    }' "$cases" | tr -d ' '
}

for mode in literal reference; do
    ids $mode > "$tmp/expected"
    "$build/omma" tokenize -m "$shared/tokenizer" --special $mode --jsonl < "$cases" |
        sed 's/.*"ids": *//; s/}$//' | tr -d ' ' > "$tmp/found"
    n=$(wc -l < "$tmp/expected")
    equal=$(paste -d '\t' "$tmp/expected" "$tmp/found" | awk -F '\t' '$1 == $2 { n++ } END { print n + 0 }')
    echo "$mode: $equal of $n cases equal"
    [ "$equal" = "$n" ] && [ "$n" -gt 1000 ] || failed=1
done
exit $failed
