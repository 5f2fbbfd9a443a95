#!/bin/sh
# bench_runs.sh: omma bench on the demo model and on a generated one prints what it says; what it must
# refuse.  No figure is judged.
set -eu
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"

has() # a line of the last output matches
{
    grep -q -- "$1" "$folder/out" || complain "no line \"$1\" in: $(cat "$folder/out")"
}

run "$omma" bench -m "$demo" -r 1 --prompt-tokens 16 -n 2
[ "$code" -eq 0 ] || complain "exit code $code: $(cat "$folder/err")"
has '^start to first prefill step'
has '^prefill of 16 tokens .* % of peak$'
has '^decode at depth 16 to 18 .* % of read bandwidth$'
has '^one tile .* % of peak$'

# Generated: no start, for there is no file; a tile all the same.
run "$omma" bench --shape 1B --layers 1 --vit-layers 1 -r 2 --prompt-tokens 16 -n 2 --json
[ "$code" -eq 0 ] || complain "exit code $code: $(cat "$folder/err")"
has '"start": null'
has '"prefill": {'
has '"decode": {'
has '"tile": {'
[ "$(grep -c '"samples_s": \[' "$folder/out")" -eq 3 ] ||
    complain "expected 3 lists of samples in: $(cat "$folder/out")"

# Writing a folder is the library's (tests/model/generate.c); here, that it is asked.
fails 2 'expected an empty folder' "$omma" bench --shape 1B --layers 1 --write "$folder"

fails 2 'expected --model or --shape' "$omma" bench
fails 2 'exclude each other' "$omma" bench -m "$demo" --shape 1B
fails 2 '--layers needs --shape' "$omma" bench -m "$demo" --layers 2
fails 2 '--new-tokens' "$omma" bench -m "$demo" --new-tokens 1
fails 2 '3B' "$omma" bench --shape 3B
finish
