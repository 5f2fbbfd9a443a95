#!/bin/sh
# quantize.sh: omma quantize: what it writes and says, what it refuses, and killed at any time.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
target=$folder/int8

# same A B: the same files with the same bytes.
same() {
    diff -r "$1" "$2" >"$folder/diff" || complain "$1 and $2: $(cat "$folder/diff")"
}

run "$omma" quantize "$demo" "$target"
[ "$code" -eq 0 ] || complain "quantize: $code: $(cat "$folder/err")"
[ -s "$folder/err" ] && complain "on standard error: $(cat "$folder/err")"
[ "$(grep -c '^language [0-5] ' "$folder/out")" -eq 6 ] || complain "the table: $(cat "$folder/out")"
grep -q '^all 42 linears: 0\.[0-9]* %' "$folder/out" || complain "the last line: $(cat "$folder/out")"
[ "$(ls "$target" | tr '\n' ' ')" = "added_tokens.json config.json generation_config.json merges.txt \
model.safetensors preprocessor_config.json special_tokens_map.json tokenizer_config.json vocab.json " ] ||
    complain "the folder: $(ls "$target")"
grep -q '"format": "int-quantized"' "$target/config.json" || complain "no quantization_config"
cmp -s "$demo/vocab.json" "$target/vocab.json" || complain "vocab.json is another"

# by its name, the same again, and with other numbers of threads
run "$omma" quantize demo "$target"
[ "$code" -eq 0 ] && grep -q 'complete before, compared and equal$' "$folder/out" || complain "again: $(cat "$folder/err")"
for threads in 1 3; do
    run "$omma" quantize -t $threads "$demo" "$folder/threads"
    [ "$code" -eq 0 ] || complain "-t $threads: $(cat "$folder/err")"
    same "$target" "$folder/threads"
    rm -r "$folder/threads"
done

# JSON: every linear, and their sum
run "$omma" quantize --json --vision --group 64 "$demo" "$folder/json"
[ "$code" -eq 0 ] || complain "--json: $(cat "$folder/err")"
[ "$(grep -c '"name": ' "$folder/out")" -eq 66 ] && [ "$(grep -c '"relative_error": 0\.00' "$folder/out")" -eq 77 ] &&
    grep -q '"group_size": 64' "$folder/out" || complain "--json: $(cat "$folder/out")"
grep -q 'vLLM does not$' "$folder/err" || complain "--group says nothing of engines: $(cat "$folder/err")"
run "$omma" quantize --group 128 "$demo" "$folder/mixed"
grep -q '36 of 42 linears keep one scale a row' "$folder/err" || complain "--group 128: $(cat "$folder/err")"

# omma takes what it wrote: with a scale a row and with groups, where all linears have some and where not all have
for model in int8 json mixed; do
    run "$omma" run -m "$folder/$model" --image "$pictures/shapes.png" -p "How many shapes are there?"
    [ "$code" -eq 0 ] && [ "$(cat "$folder/out")" = "Two." ] || complain "run $model: $(cat "$folder/out" "$folder/err")"
done
run "$omma" info "$target"
grep -q 'int8: 42 of ' "$folder/out" || complain "info: $(cat "$folder/out")"

# what is refused, and keeps what it holds
fails 2 'expected SRC DST' "$omma" quantize "$demo"
fails 2 'unexpected argument' "$omma" quantize "$demo" a b
fails 2 '--group: expected 64|128' "$omma" quantize --group 32 "$demo" "$folder/none"
cp -r "$demo" "$folder/source"
fails 2 "found the model's own" "$omma" quantize "$folder/source/../source/." "$folder/source"
fails 3 'quantiz' "$omma" quantize "$target" "$folder/none"
fails 2 'only force replaces' "$omma" quantize --vision "$demo" "$target"
fails 3 "$folder/nowhere" "$omma" quantize "$folder/nowhere" "$folder/none"
fails 7 'cannot make the folder' "$omma" quantize "$demo" "$folder/no/where"
[ ! -e "$folder/none" ] || complain "a folder was made for nothing"
mkdir "$folder/mine"
echo mine >"$folder/mine/notes"
fails 2 'expected an empty folder' "$omma" quantize "$demo" "$folder/mine"
[ "$(ls "$folder/mine")" = notes ] || complain "refused, but: $(ls "$folder/mine")"
run "$omma" quantize --force "$demo" "$folder/mine"
[ "$code" -eq 0 ] && [ "$(cat "$folder/mine/notes")" = mine ] || complain "--force: $(cat "$folder/err")"
rm "$folder/mine/notes"
same "$target" "$folder/mine"

# killed at whatever point it has come to, then again: the same bytes
for delay in 0.02 0.05 0.1 0.2; do
    "$omma" quantize --shard-size 1 "$demo" "$folder/killed" >"$folder/out" 2>&1 &
    sleep $delay
    kill -9 $! 2>"$folder/err"
    wait $! 2>"$folder/err"
done
run "$omma" quantize --shard-size 1 "$demo" "$folder/killed"
[ "$code" -eq 0 ] || complain "after being killed: $(cat "$folder/err")"
run "$omma" quantize --shard-size 1 "$demo" "$folder/whole"
[ "$(ls "$folder/whole" | grep -c '^model-.*-of-00006.safetensors$')" -eq 6 ] || complain "shards: $(ls "$folder/whole")"
same "$folder/whole" "$folder/killed"

# a disk that is full, and has room again
(
    trap '' XFSZ
    ulimit -f 4000
    "$omma" quantize "$demo" "$folder/full" >"$folder/out" 2>"$folder/err"
    echo $? >"$folder/code"
)
[ "$(cat "$folder/code")" -eq 7 ] && grep -q 'model.safetensors.partial: cannot write: File too large' "$folder/err" ||
    complain "a full disk: $(cat "$folder/code" "$folder/err")"
[ ! -e "$folder/full/config.json" ] || complain "a full disk: config.json is there"
run "$omma" quantize "$demo" "$folder/full"
[ "$code" -eq 0 ] || complain "with room again: $(cat "$folder/err")"
same "$target" "$folder/full"
fails 7 'standard output' sh -c "\"$omma\" quantize \"$demo\" \"$folder/out-full\" >/dev/full"
finish
