#!/bin/sh
# batch_kills.sh [N]: omma batch killed N times (1000) at random moments and resumed to the end each time it comes so
# far: no acknowledged row is lost or computed twice, the output is that of a run that nobody disturbed.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
. "$source_dir/tests/tools/batch_lib.sh"
n_kills=${1-1000}
many_rows 60 >in/many.jsonl
run "$omma" batch --no-timings -o many.jsonl in/many.jsonl
[ "$code" -eq 0 ] || complain "undisturbed: $code: $(cat "$folder/err")"

# delays: N numbers from 0 to 0.5 s, the same ones every time
awk -v n="$n_kills" 'BEGIN { srand(1); for (i = 0; i < n; i++) printf "%.3f\n", rand() * 0.5 }' >delays
killed=0 whole=0 acknowledged=0
while read -r delay; do
    "$omma" batch -v -o killed.now in/many.jsonl >out 2>log &
    pid=$!
    sleep "$delay"
    kill -9 $pid 2>err
    code=0
    wait $pid 2>err || code=$?
    case $code in
    137) killed=$((killed + 1)) ;;
    0) ;;
    *) complain "exit code $code: $(cat log)" ;;
    esac
    acknowledged=$((acknowledged + $(grep -c ': line ' log)))
    [ ! -s killed.now.journal ] || ! grep -q ': line ' log || kept killed log
    # at the end: compare, and begin anew
    if [ "$code" -eq 0 ] || [ "$(grep -c . killed.before 2>err)" = 60 ]; then
        run "$omma" batch --no-timings -o killed.now in/many.jsonl
        [ "$code" -eq 0 ] && cmp -s many.jsonl killed.now ||
            complain "resumed: $code: $(diff many.jsonl killed.now)$(cat "$folder/err")"
        whole=$((whole + 1))
        rm -f killed.*
    fi
done <delays
run "$omma" batch --no-timings -o killed.now in/many.jsonl
[ "$code" -eq 0 ] && cmp -s many.jsonl killed.now || complain "resumed: $code: $(cat "$folder/err")"
echo "killed $killed times in $n_kills runs, $acknowledged rows acknowledged in them; $((whole + 1)) outputs, each compared"
finish
