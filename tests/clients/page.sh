#!/bin/sh
# page.sh: the page of omma serve in headless Chromium; its screenshot is tests/clients/page.png in the build tree.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/clients/lib.sh"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "no chromium"
need_packages playwright
start_server
"$venv/bin/python" "$source_dir/tests/clients/page.py" "${base%/v1}" "$pictures/shapes.png" "$chromium" \
    "$build_dir/tests/clients/page.png" || complain "page.py"
finish
