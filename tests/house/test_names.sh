#!/bin/sh
# test_names.sh: no script has the name of a program beside it: automake gives both tests one log, and
# runs one of them only.
set -eu
cd "${OMMA_TEST_SRCDIR:-.}"
for script in $(find tests -name '*.sh'); do
    if [ -e "${script%.sh}.c" ]; then
        echo "$script and ${script%.sh}.c would share a log"
        exit 1
    fi
done
