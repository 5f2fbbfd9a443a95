#!/bin/sh
# symbols.sh: what omma.h declares, what libomma.map names and what libomma.so exports are one list.
set -eu
source=${OMMA_TEST_SRCDIR:-.} build=${OMMA_TEST_BUILDDIR:-.}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# compare A B NAME-A NAME-B: two sorted lists must be equal.
compare() {
    only=$(comm -23 "$tmp/$1" "$tmp/$2")
    [ -z "$only" ] || { echo "in $3, not in $4:" $only; failed=1; }
    only=$(comm -13 "$tmp/$1" "$tmp/$2")
    [ -z "$only" ] || { echo "in $4, not in $3:" $only; failed=1; }
}

# -fpreprocessed strips the comments and expands nothing.
${CC:-cc} -fpreprocessed -dD -E -P "$source/src/api/omma.h" |
    grep -oE '\bomma_[a-z0-9_]+\(' | tr -d '(' | sort -u > "$tmp/declared"
sed -n '/global:/,/local:/s/^[[:space:]]*\(omma_[a-z0-9_]*\);.*/\1/p' "$source/src/api/libomma.map" |
    sort > "$tmp/mapped"
[ -s "$tmp/declared" ] || { echo "no declarations found in omma.h"; exit 1; }
sort -u "$tmp/mapped" | cmp -s - "$tmp/mapped" || { echo "libomma.map names something twice"; failed=1; }
compare declared mapped omma.h libomma.map

library=$build/.libs/libomma.so
if [ ! -f "$library" ]; then
    echo "skip: the shared library was not compared, as it was not built"
    [ $failed = 0 ] && exit 77
    exit 1
fi
${NM:-nm} -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort > "$tmp/exported"
compare mapped exported libomma.map libomma.so
exit $failed
