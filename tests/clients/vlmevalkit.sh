#!/bin/sh
# vlmevalkit.sh: VLMEvalKit's own API class drives omma serve.  $VLMEVALKIT names a checkout, best at commit
# e8e78f05f3080fe28154f2130321f17951c3be94, which this was tried with.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/clients/lib.sh"
[ -d "${VLMEVALKIT:-}/vlmeval/api" ] || skip "VLMEVALKIT names no checkout of open-compass/VLMEvalKit"
need_packages pandas numpy pillow validators sty huggingface_hub filelock requests tqdm portalocker python-dotenv \
    openpyxl tabulate rich json_repair
start_server --media-dir "$folder"
"$venv/bin/python" "$source_dir/tests/clients/vlmevalkit.py" "$base" "$VLMEVALKIT" "$pictures" "$folder/demo.tsv" ||
    complain "vlmevalkit.py"
finish
