#!/bin/sh
# distribution.sh: every file that git tracks is in the release that `make dist` makes, so that a header or
# a test's data forgotten in a Makefile.inc is missed here and not by whoever builds the release.
set -eu
cd "${OMMA_TEST_SRCDIR:-.}"
if ! command -v git > /dev/null || [ ! -e .git ]; then
    echo "skip: not a clone"
    exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tr ' ' '\n' < "${OMMA_TEST_BUILDDIR:-.}/tests/house/distribution.txt" | sed "s,^$PWD/,,; s,^\./,," | sort -u > "$tmp/released"
git ls-files | sort > "$tmp/tracked"
[ -s "$tmp/tracked" ] || { echo "git knows no files"; exit 1; }
[ -s "$tmp/released" ] || { echo "the list of released files is empty"; exit 1; }

# An entry may be a folder: all of it is released.
missing=$(awk 'NR == FNR { released[$0]; next }
{
    path = $0
    while (!(path in released) && sub(/\/[^\/]*$/, "", path)) {
    }
    if (!(path in released)) {
        print
    }
}' "$tmp/released" "$tmp/tracked")
[ -z "$missing" ] || { echo "tracked, but in no EXTRA_DIST or SOURCES:"; echo "$missing"; exit 1; }
