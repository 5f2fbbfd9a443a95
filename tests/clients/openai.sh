#!/bin/sh
# openai.sh: the official openai package drives omma serve.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/clients/lib.sh"
need_packages openai==1.109.1
start_server
"$venv/bin/python" "$source_dir/tests/clients/openai_client.py" "$base" "$pictures" || complain "openai_client.py"
kill "$server"
wait "$server" || complain "omma serve: exit code $?"
finish
