#!/bin/sh
# speed.sh: a random 1B beside the limits measured in the same run: decode at 70 % of the read bandwidth,
# prefill of 512 tokens and one tile at 60 % of the peak of multiply-adds, 0.3 s from opening to the first
# prefill step.  For a quiet machine; exit 1 below these.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} tokenizer=${OMMA_TEST_SHARED:-../shared}/tokenizer
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$build/omma" bench --shape 1B --write "$tmp/1B"
if [ -d "$tokenizer" ]; then
    cp "$tokenizer"/* "$tmp/1B/"
    "$build/omma" bench -m "$tmp/1B" > "$tmp/figures"
else
    "$build/omma" bench --shape 1B > "$tmp/figures"
    echo "the start was not measured: needs tokenizer of the reference data"
fi
cat "$tmp/figures"
awk '
# | name | ms | deviation | rate | share % of limit |
/ % of / {
    share = $0
    sub(/ % of .*/, "", share)
    sub(/.* /, "", share)
    need = /^\| tg/ ? 70 : 60
    n++
    if (share < need) {
        printf "below the target of %d %%: %s\n", need, $0
        low = 1
    }
}
/^\| load/ {
    if ($4 / 1000 > 0.3) {
        printf "above the target of 0.3 s: %s\n", $0
        low = 1
    }
}
END {
    exit low || n < 2
}' "$tmp/figures"
