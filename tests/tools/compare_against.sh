#!/bin/sh
# compare_against.sh: omma compare --against: the divergences that PyTorch finds between the demo model and its
# int8 form (tests/data/perplexity), none of a model from itself, pictures, and what is refused.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
data=$source_dir/tests/data/perplexity
int8=$folder/int8

"$omma" quantize "$demo" "$int8" >/dev/null 2>&1 || complain "omma quantize"

# ours KEY; theirs KEY: a number, or a list, one a line
ours() { sed -n "s/^ *\"$1\": \([^,]*\),*\$/\1/p" "$folder/out" >"$folder/ours"; }
theirs() {
    sed -n "s/.*\"$1\": \(\[[^]]*\]\|[^],}]*\).*/\1/p" "$data/divergence.jsonl" | tr -d '[] ' | tr ',' '\n' \
        >"$folder/theirs"
}
# same WHAT: the numbers are equal to a thousandth, and as many
same() {
    paste "$folder/theirs" "$folder/ours" | awk '
        NF != 2 || ($1 - $2) ^ 2 > (1e-3 * $1) ^ 2 { print; bad = 1 }
        END { exit bad || NR == 0 }' >"$folder/diff" || complain "$1: $(cat "$folder/diff")"
}
for more in '' '--isa scalar --gemm native' '-t 1 --chunk 50'; do
    # shellcheck disable=SC2086
    run "$omma" compare -m "$demo" --against "$int8" --precision f32 --int8-activations off $more --json \
        "$data/answers.jsonl"
    [ "$code" -eq 0 ] || complain "$more: exit code $code: $(cat "$folder/err")"
    theirs means && ours mean_kl && same "$more: means of rows"
    theirs maxima && ours max_kl && same "$more: maxima of rows"
    for key in mean median percentile_99 max share; do
        theirs $key && ours $key && same "$more: $key"
    done
    theirs standard_error && ours standard_error && sed -i 1q "$folder/ours" && same "$more: error"
    theirs tokens && ours tokens && sed -i 1q "$folder/ours" && same "$more: tokens"
done

# pictures, an answer of the first model's own, rows that cannot be compared
cp "$pictures/shapes.png" "$folder"
picture='{"type":"image_url","image_url":{"url":"shapes.png"}}'
cat >"$folder/in.jsonl" <<END
{"messages":[{"role":"user","content":[$picture,{"type":"text","text":"How many shapes are there?"}]}]}
{"custom_id":"b","body":{"messages":[{"role":"user","content":"Is there a red square?"}]}}
{"answer":"Blue.","messages":[{"role":"user","content":[$picture,{"type":"text","text":"What color is the circle?"}]}]}
no JSON
{"answer":3,"messages":[{"role":"user","content":"Is there a red square?"}]}
{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"none.png"}}]}]}
END
run "$omma" compare -m "$demo" --against "$demo" "$folder/in.jsonl"
[ "$code" -eq 1 ] || complain "rows that fail: exit code $code"
[ ! -s "$folder/err" ] || complain "rows that fail: $(cat "$folder/err")"
grep -q '^ *1 *284 *3 *0 *0 *3$' "$folder/out" || complain "a model and itself: $(cat "$folder/out")"
grep -q '^ *4  body @' "$folder/out" && grep -q '^ *5  answer: expected a string$' "$folder/out" &&
    grep -q '^ *6  messages\[0\].content\[0\]: expected the path' "$folder/out" ||
    complain "rows that fail: $(cat "$folder/out")"
grep -q '^KL divergence: mean 0 +/- 0, median 0, 99 % 0, maximum 0 ' "$folder/out" &&
    grep -q '^same top token: 100.00 +/- 0.00 %$' "$folder/out" || complain "a model and itself: $(cat "$folder/out")"
run "$omma" compare -m "$demo" --against "$int8" "$folder/in.jsonl"
cp "$folder/out" "$folder/eight"
run "$omma" compare -m "$demo" --against "$int8" -j 1 "$folder/in.jsonl"
cmp -s "$folder/eight" "$folder/out" || complain "-j 1: $(diff "$folder/eight" "$folder/out")"
run "$omma" compare -m "$demo" --against "$int8" -j 2 --media-dir "$folder" --json "$folder/in.jsonl"
[ "$(grep -c '"answer": "greedy"' "$folder/out")" -eq 2 ] && [ "$(grep -c '"answer": "given"' "$folder/out")" -eq 1 ] ||
    complain "answers: $(cat "$folder/out")"
ours mean
awk '$1 > 1e-7 && $1 < 1e-2 { ok = 1 } END { exit !ok }' "$folder/ours" || complain "int8: mean $(cat "$folder/ours")"
run "$omma" compare -m "$demo" --against "$demo" -n 2 "$data/answers.jsonl"
grep -q '^7 tokens of 4 rows compared, 0 rows failed$' "$folder/out" || complain "-n 2: $(cat "$folder/out")"
run "$omma" compare -m "$demo" --against "$demo" -c 40 "$data/answers.jsonl"
[ "$code" -eq 1 ] && grep -q '^ *3  the prompt has' "$folder/out" || complain "-c 40: $code $(cat "$folder/out")"

fails 2 '--against and --reference exclude each other' \
    "$omma" compare -m "$demo" --against "$demo" --reference x "$folder/in.jsonl"
fails 2 '--max-tokens needs --against' "$omma" compare -m "$demo" -n 4
fails 2 'expected IN, a file with prompts' "$omma" compare -m "$demo" --against "$demo"
fails 2 'unexpected argument' "$omma" compare -m "$demo" --reference x "$folder/in.jsonl"
fails 2 "$folder/none" "$omma" compare -m "$demo" --against "$demo" "$folder/none"
fails 3 "$folder" "$omma" compare -m "$demo" --against "$folder" "$folder/in.jsonl"
finish
