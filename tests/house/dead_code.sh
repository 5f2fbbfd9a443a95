#!/bin/sh
# dead_code.sh: no `#if 0` and the like; git remembers.
set -eu
cd "${OMMA_TEST_SRCDIR:-.}"
if grep -rnE '^[[:space:]]*#[[:space:]]*if[[:space:]]+(0|false)\b' --include='*.[ch]' --include='*.def' \
    src simd tools bench tests; then
    echo "dead code: remove it"
    exit 1
fi
