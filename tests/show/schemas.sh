#!/bin/sh
# schemas.sh: 200 random schemas at temperature 2 on the demo model, every finished answer validated by
# Python's jsonschema.  PYTHON: one that has it; otherwise pip brings it into a folder of its own.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} source=${OMMA_TEST_SRCDIR:-.} python=${PYTHON:-python3}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! "$python" -c 'import jsonschema' 2>/dev/null; then
    { "$python" -m venv "$tmp/venv" && "$tmp/venv/bin/pip" install -q 'jsonschema==4.25.1'; } >"$tmp/log" 2>&1 ||
        { echo "skip: needs Python's jsonschema, and pip does not bring it: $(tail -n 1 "$tmp/log")"; exit 77; }
    python=$tmp/venv/bin/python
fi
"$python" "$source/contrib/schema/check.py" "$build/omma" --model "$source/share/omma/demo"
