#!/bin/sh
# batch_runs.sh: omma batch with the demo model: lines in and out, what is refused, what a journal allows, and
# faults: killed at any time, interrupted, a disk that is full, fsync that fails.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
. "$source_dir/tests/tools/batch_lib.sh"

# what goes in, and what must come out
{
    asked shapes.png "How many shapes are there?"
    printf '\r\n\n'
    printf '{"custom_id":"second","method":"POST","url":"/v1/chat/completions","body":%s}\n' \
        "$(asked "data:image/png;base64,$(base64 -w 0 "$pictures/shapes.png")" "What color is the circle?")"
    printf 'no JSON\n'
    printf '{"custom_id":"gone","messages":%s}\n' '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"none.png"}}]}]'
    printf '{"custom_id":"out","messages":%s}\n' '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"../in/../../x.png"}}]}]'
    printf '{"custom_id":7,"messages":[]}\n'
    printf '{"custom_id":"url","url":"/v1/embeddings","body":%s}\n' "$(question a)"
    question "a" ',"logprobs":true'
    echo
    asked "file://$folder/in/shapes.png" "How many shapes are there?"
    echo
    question "Is there a picture?" ',"temperature":1'
} >in/all.jsonl
cat >expected <<'END'
{"id":1,"line":1,"text":"Two.","finish_reason":"stop","usage":{"prompt_tokens":284,"completion_tokens":3,"total_tokens":287,"image_tokens":256,"tiles":1}}
{"id":"second","line":3,"text":"Blue.","finish_reason":"stop","usage":{"prompt_tokens":284,"completion_tokens":3,"total_tokens":287,"image_tokens":256,"tiles":1}}
{"id":4,"line":4,"error":{"message":"body @2: '[' or '{' expected near 'no'","code":"invalid_json"}}
{"id":"gone","line":5,"error":{"message":"messages[0].content[0]: expected the path of a picture in the media folder: No such file or directory","code":"invalid_image_url","param":"messages[0].content[0]"}}
{"id":"out","line":6,"error":{"message":"messages[0].content[0]: expected the path of a picture in the media folder: Permission denied","code":"invalid_image_url","param":"messages[0].content[0]"}}
{"id":7,"line":7,"error":{"message":"custom_id: expected a string","code":"invalid_value","param":"custom_id"}}
{"id":"url","line":8,"error":{"message":"url: expected /v1/chat/completions","code":"invalid_value","param":"url"}}
{"id":9,"line":9,"error":{"message":"logprobs: not supported by omma batch","code":"unsupported_parameter","param":"logprobs"}}
{"id":10,"line":10,"text":"Two.","finish_reason":"stop","usage":{"prompt_tokens":284,"completion_tokens":3,"total_tokens":287,"image_tokens":256,"tiles":1}}
END
run "$omma" batch -o all.jsonl in/all.jsonl
[ "$code" -eq 1 ] || complain "all: exit code $code: $(cat "$folder/err")"
[ ! -s "$folder/out" ] && [ ! -s "$folder/err" ] || complain "all: it said: $(cat "$folder/out" "$folder/err")"
[ "$(grep -c '"timings":{"queue_s":' all.jsonl)" -eq 4 ] || complain "all: timings: $(cat all.jsonl)"
run "$omma" batch --export --no-timings -o all.jsonl
[ "$code" -eq 0 ] || complain "--export: exit code $code: $(cat "$folder/err")"
head -n 9 all.jsonl | diff expected - >diff || complain "all: $(cat diff)"
[ "$(wc -l <all.jsonl)" -eq 10 ] || complain "all: $(wc -l <all.jsonl) lines"

# the same bytes with other threads, another order, alone; drawn ones too
mv all.jsonl first.jsonl
for way in "-t 1 -j 1" "-t 2 -j 3 --vision-threads 0" "-j 256 --chunk 7"; do
    # shellcheck disable=SC2086  # a list of words
    run "$omma" batch --restart $way --no-timings -o all.jsonl in/all.jsonl
    cmp -s first.jsonl all.jsonl || complain "$way: $(diff first.jsonl all.jsonl)$(cat "$folder/err")"
done
run "$omma" batch --restart --no-timings --seed 12345 -o all.jsonl in/all.jsonl
tail -n 1 all.jsonl | cmp -s first.jsonl - && complain "--seed: the drawn answer is the same"

# shards: every other row
run "$omma" batch --no-timings --shard 1/2 -o one.jsonl in/all.jsonl
run "$omma" batch --no-timings --shard 2/2 -o two.jsonl in/all.jsonl
sort one.jsonl two.jsonl >sorted
sort first.jsonl | cmp -s - sorted || complain "shards: $(cat sorted)"
[ "$(wc -l <one.jsonl)" -eq 5 ] || complain "shard 1/2: $(cat one.jsonl)"

# a journal goes on: nothing is computed twice, so the times stay
run "$omma" batch -o two.jsonl --shard 2/2 in/all.jsonl
cp two.jsonl before
run "$omma" batch -v --resume -o two.jsonl --shard 2/2 in/all.jsonl
cmp -s before two.jsonl || complain "--resume computed again: $(diff before two.jsonl)"
grep -q 'two.jsonl.journal: 5 of 5 rows are there' "$folder/err" || complain "--resume: $(cat "$folder/err")"
run "$omma" batch -v --retry-errors -o two.jsonl --shard 2/2 in/all.jsonl
[ "$(grep -c 'omma batch: line ' "$folder/err")" -eq 3 ] || complain "--retry-errors: $(cat "$folder/err")"
cmp -s before two.jsonl || complain "--retry-errors: $(diff before two.jsonl)"

# what is refused
fails 2 'shard: 2/2, now 1/1' "$omma" batch -o two.jsonl in/all.jsonl
fails 2 'mode: deterministic, now fast' "$omma" batch --fast --shard 2/2 -o two.jsonl in/all.jsonl
fails 2 'tier: ' "$omma" batch --isa scalar --shard 2/2 -o two.jsonl in/all.jsonl
fails 2 'precision: ' "$omma" batch --precision f32 --isa scalar --shard 2/2 -o two.jsonl in/all.jsonl
cp in/all.jsonl in/other.jsonl
question "One more" >>in/other.jsonl
fails 2 'input: ' "$omma" batch --shard 2/2 -o two.jsonl in/other.jsonl
cmp -s before two.jsonl || complain "refused, and changed all the same"
fails 2 'there is no journal to go on with' "$omma" batch --resume -o none.jsonl in/all.jsonl
[ ! -e none.jsonl.journal ] || complain "--resume made a journal"
echo mine >mine.jsonl
fails 2 'mine.jsonl: is there, without a journal; --restart replaces it' "$omma" batch -o mine.jsonl in/all.jsonl
[ "$(cat mine.jsonl)" = mine ] || complain "mine.jsonl was replaced"
fails 2 'in/other.jsonl: is the input' "$omma" batch --restart -o in/other.jsonl in/other.jsonl
{ question a; echo; printf '{"custom_id":"x","messages":[]}\n{"custom_id":"x","messages":[]}\n'; } >in/twice.jsonl
fails 2 'in/twice.jsonl:3: custom_id "x": line 2 has the same' "$omma" batch -o none.jsonl in/twice.jsonl
fails 2 'in/none.jsonl: No such file' "$omma" batch -o none.jsonl in/none.jsonl
fails 2 '/dev/null: expected a regular file' "$omma" batch -o none.jsonl /dev/null
fails 2 'expected -o OUT' "$omma" batch in/all.jsonl
fails 2 'expected IN' "$omma" batch -o none.jsonl
fails 2 '--shard: expected I/N' "$omma" batch --shard 3/2 -o none.jsonl in/all.jsonl
fails 2 'No such file' "$omma" batch --export -o none.jsonl
fails 7 'no/where.jsonl.journal' "$omma" batch -o no/where.jsonl in/all.jsonl
: >in/empty.jsonl
run "$omma" batch -o empty.jsonl in/empty.jsonl
[ "$code" -eq 0 ] && [ -e empty.jsonl ] && [ ! -s empty.jsonl ] || complain "empty: $code: $(cat "$folder/err")"

# rows for the faults
many_rows 60 >in/many.jsonl
run "$omma" batch --no-timings -o many.jsonl in/many.jsonl
[ "$code" -eq 0 ] && [ "$(wc -l <many.jsonl)" -eq 60 ] || complain "many: $code: $(cat "$folder/err")"

# killed at any time, then again
for delay in 0.05 0.1 0.15 0.2 0.25 0.3 0.35; do
    "$omma" batch -v -o killed.now in/many.jsonl >out 2>log &
    pid=$!
    sleep $delay
    kill -9 $pid 2>err
    wait $pid 2>err
    [ ! -e killed.now.journal ] || [ ! -s killed.now.journal ] || ! grep -q ' line ' log || kept killed log
done
rm -f killed.before
run "$omma" batch --no-timings -o killed.now in/many.jsonl
[ "$code" -eq 0 ] && cmp -s many.jsonl killed.now || complain "killed: $code: $(diff many.jsonl killed.now)$(cat "$folder/err")"

# SIGINT ends the rows in flight, says so, and goes on
rm -f log
"$omma" batch -v -j 2 -o interrupted.now in/many.jsonl >out 2>log &
pid=$!
i=0
while [ $i -lt 200 ] && ! grep -qs " line " log; do
    sleep 0.02
    i=$((i + 1))
done
kill -TERM $pid 2>err
code=0
wait $pid || code=$?
if [ "$code" -eq 143 ]; then
    grep -q 'rows are kept; the same command goes on' log || complain "SIGTERM: $(cat log)"
    [ ! -e interrupted.now ] || complain "SIGTERM: there is an output"
    kept interrupted log
elif [ "$code" -ne 0 ]; then
    complain "SIGTERM: exit code $code: $(cat log)"
fi
run "$omma" batch --no-timings -o interrupted.now in/many.jsonl
[ "$code" -eq 0 ] && cmp -s many.jsonl interrupted.now || complain "SIGTERM: $code: $(cat "$folder/err")"

# a second signal does not wait for them
question "Tell me more" ',"ignore_eos":true' | sed 's/"max_tokens":8/"max_tokens":8000/' >in/long.jsonl
rm -f log
"$omma" batch -v --fast -o long.jsonl in/long.jsonl >out 2>log &
pid=$!
i=0
while [ $i -lt 500 ] && ! grep -qs ' 0 of 1 rows' log; do
    sleep 0.02
    i=$((i + 1))
done
kill -TERM $pid 2>err
sleep 0.7
kill -TERM $pid 2>err || complain "a first SIGTERM did not wait for the row: $(cat log)"
code=0
wait $pid || code=$?
[ "$code" -eq 143 ] && grep -q 'interrupted: 0 of 1 rows are kept' log || complain "a second SIGTERM: $code: $(cat log)"
[ ! -e long.jsonl ] || complain "a second SIGTERM: there is an output"

# a file that may not grow, as on a full disk; then one that may
(
    trap '' XFSZ
    ulimit -f 96 # blocks of 512 bytes
    exec "$omma" batch -v -o full.now in/many.jsonl >out 2>log
)
code=$?
[ "$code" -eq 7 ] && grep -q 'rows committed before are kept' log || complain "full: $code: $(cat log)"
kept full log
run "$omma" batch --no-timings -o full.now in/many.jsonl
[ "$code" -eq 0 ] && cmp -s many.jsonl full.now || complain "full: $code: $(cat "$folder/err")"

# a file system that is full, in a place of its own; then with room
if [ "$(id -u)" -eq 0 ] && mkdir small && unshare -m mount -t tmpfs -o size=64k none small 2>err; then
    # shellcheck disable=SC2016  # for that shell
    unshare -m sh -c 'mount -t tmpfs -o size=96k none small || exit
        "$0" batch -v -o small/full.now in/many.jsonl >out 2>log
        echo $? >code
        cp small/full.now.journal* .
        mount -o remount,size=16m small || exit
        "$0" batch --no-timings -o small/full.now in/many.jsonl 2>err
        cp small/full.now small.jsonl' "$omma"
    [ "$(cat code)" -eq 7 ] && grep -q 'rows committed before are kept' log || complain "tmpfs: $(cat code log)"
    rm -f full.before
    kept full log
    cmp -s many.jsonl small.jsonl || complain "tmpfs: $(cat err)"
else
    echo "a full file system: skipped, as nobody but root may mount one"
fi

# fsync that fails, sooner or later; NFS
faults=$build_dir/tests/tools/.libs/batch_faults.so
case $faults in /*) ;; *) faults=$OLDPWD/$faults ;; esac
# preloaded COMMAND...: with the faults, which the sanitizers' libraries do not bear.
preloaded() { env LD_PRELOAD="$faults" "$@"; }
if [ -r "$faults" ] && preloaded "$omma" --version >out 2>err; then
    for n in 0 1 2 3 5 8 13; do
        rm -f synchronized.*
        code=0
        OMMA_TEST_FSYNC_FAILS=$n preloaded "$omma" batch -v -o synchronized.now in/many.jsonl >out 2>log || code=$?
        [ "$code" -eq 7 ] && grep -q 'omma batch: error: synchronized.now.journal: .*\(fsync failed\|Input/output error\)' log ||
            complain "fsync fails after $n: $code: $(cat log)"
        [ ! -e synchronized.now ] || complain "fsync fails after $n: there is an output"
        ! grep -q ' line ' log || kept synchronized log
        run "$omma" batch --no-timings -o synchronized.now in/many.jsonl
        [ "$code" -eq 0 ] && cmp -s many.jsonl synchronized.now || complain "fsync failed after $n: $(cat "$folder/err")"
    done
    export OMMA_TEST_FILE_SYSTEM=26985
    fails 2 'network file system (NFS)' preloaded "$omma" batch -o nfs.jsonl in/many.jsonl
else
    echo "fsync that fails, NFS: skipped, nothing can be preloaded: $(cat err)"
fi

finish
