#!/bin/sh
# bench_runs.sh: omma bench on the demo model and on a generated one prints what it says; what it must
# refuse.  No figure is judged.
set -eu
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"

has() # a line of the last output matches
{
    grep -q -- "$1" "$folder/out" || complain "no line \"$1\" in: $(cat "$folder/out")"
}

run "$omma" bench -m "$demo" -r 1 -p 16,8 -n 2 -d 0,40 -b 1,2 --tiles 1,2 --ttft 1 --image "$pictures/tall.png"
[ "$code" -eq 0 ] || complain "exit code $code: $(cat "$folder/err")"
for name in load preprocess pp16 pp8 tg2 tg2@b2 tg2@d40 tg2@d40@b2 vit1 vit2 ttft1; do
    has "^| $name  *|  *[0-9.]* |"
done
has '^CPU: .*, [0-9]* threads; tier '
has '^limits: read [0-9.]* GB/s'
has '^memory: at most [1-9]'

# No fraction of a bandwidth without a row in the documentation, where no machine has 33 threads.
run "$omma" bench -m "$demo" -r 1 -p none -n 2 --tiles none -t 33
[ "$code" -eq 0 ] || complain "exit code $code: $(cat "$folder/err")"
has '^| tg2 .* no row in doc/performance.md |$'

# Generated: no start, for there is no file; a tile all the same.
run "$omma" bench --shape 1B --layers 1 --vit-layers 1 -r 2 -p 16 -n 2 -o json
[ "$code" -eq 0 ] || complain "exit code $code: $(cat "$folder/err")"
has '"test": "pp16"'
has '"test": "tg2"'
has '"test": "vit1"'
has '"cpu": "'
[ "$(grep -c '"samples_s": \[' "$folder/out")" -eq 3 ] ||
    complain "expected 3 lists of samples in: $(cat "$folder/out")"

run "$omma" bench -m "$demo" -r 1 -p 16 -n 2 --tiles none -o jsonl
[ "$(grep -c '^{"cpu": ".*", "isa": ".*}$' "$folder/out")" -eq 3 ] ||
    complain "expected 3 lines of JSON in: $(cat "$folder/out")"
run "$omma" bench -m "$demo" -r 1 -p 16 -n 2 --tiles none -o csv
[ "$(awk -F, '{ print NF }' "$folder/out" | sort -u)" = 17 ] ||
    complain "expected 17 columns in: $(cat "$folder/out")"

# A projection from two layers, on a machine described and here.
printf '{"name": "two sockets", "tier": "avx512bf16", "nodes": 2, "cores_per_node": 96, "clock_ghz": 3,
    "f32_per_cycle": 16, "bf16_per_cycle": 32, "int8_per_cycle": 64, "read_gb_per_s": 400, "between_gb_per_s": 150}' \
    > "$folder/machine.json"
if [ "${SANITIZERS-}" != yes ]; then # half a minute there, for a page of arithmetic
    run "$omma" bench --shape 1B --project "$folder/machine.json" -r 1
    [ "$code" -eq 0 ] || complain "exit code $code: $(cat "$folder/err")"
    has '^Projected, not measured: 1B, bf16, on two sockets (tier avx512bf16)$'
    has '^| tg@d4096  *|  *[0-9.]* |  *[0-9.]* t/s |$'
    has '^- Each node reads its own rows'
fi
fails 2 'expected a JSON object' "$omma" bench --shape 1B --project /dev/null
fails 2 '--project: expected --output md or json' "$omma" bench --shape 1B --project here -o csv
fails 2 'needs 2 layers of each kind' "$omma" bench --shape 1B --layers 1 --project here
fails 2 '--project needs --shape' "$omma" bench -m "$demo" --project here

# int8 in a shape is divided by the peak of int8, where the tier has one.
run "$omma" bench --shape 1B --layers 1 --vit-layers 1 --weights int8 -r 1 -p 16 -n 2 --tiles none -o json
[ "$code" -eq 0 ] || complain "exit code $code: $(cat "$folder/err")"
has '"limit": "int8 dot product"'
has '"weight_dtype": "mixed"'
fails 2 '--weights needs --shape' "$omma" bench -m "$demo" --weights int8

# Writing a folder is the library's (tests/model/generate.c); here, that it is asked.
fails 2 'expected an empty folder' "$omma" bench --shape 1B --layers 1 --write "$folder"

fails 2 'expected --model or --shape' "$omma" bench
fails 2 'exclude each other' "$omma" bench -m "$demo" --shape 1B
fails 2 '--layers needs --shape' "$omma" bench -m "$demo" --layers 2
fails 2 '--new-tokens: expected at most 16 numbers' "$omma" bench -m "$demo" --new-tokens 0
fails 2 '--depth: expected' "$omma" bench -m "$demo" -d 1,x
fails 2 '--ttft needs --image' "$omma" bench -m "$demo" --ttft 1
fails 4 'nothing.png' "$omma" bench -m "$demo" -p none -n none --tiles none --image nothing.png
fails 2 '3B' "$omma" bench --shape 3B
finish
