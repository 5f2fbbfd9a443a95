#!/bin/sh
# manual.sh: mandoc finds nothing to complain about in the manual pages.
set -eu
[ -n "${MANDOC-}" ] || { echo "skip: mandoc is not installed"; exit 77; }
cd "${OMMA_TEST_SRCDIR:-.}/man"
pages=$(ls | grep '\.[1-9]$' || true)
[ -n "$pages" ] || { echo "no manual pages"; exit 1; }
$MANDOC -T lint -W warning $pages
