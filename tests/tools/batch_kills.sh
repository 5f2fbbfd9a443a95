#!/bin/sh
# batch_kills.sh [N [SEED]]: omma batch run N times (1000) and killed at random moments, resumed and in the
# end left alone, again and again: no acknowledged row is lost or computed twice, the output is that of
# a run that nobody disturbed.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
. "$source_dir/tests/tools/batch_lib.sh"
n_runs=${1-1000} n_rows=120
many_rows $n_rows >in/many.jsonl
run "$omma" batch --no-timings -o many.jsonl in/many.jsonl
[ "$code" -eq 0 ] || complain "undisturbed: $code: $(cat "$folder/err")"

# delays: N numbers from 0 to 0.5 s
awk -v n="$n_runs" -v seed="${2-1}" 'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.3f\n", rand() * 0.5 }' >delays
killed=0 whole=0 acknowledged=0
while read -r delay; do
    "$omma" batch -v -o killed.now in/many.jsonl >out 2>log &
    pid=$!
    sleep "$delay"
    kill -9 $pid 2>err
    ended=0
    wait $pid 2>err || ended=$?
    case $ended in
    137) killed=$((killed + 1)) ;;
    0) ;;
    *) complain "exit code $ended: $(cat log)" ;;
    esac
    acknowledged=$((acknowledged + $(grep -c ': line ' log)))
    [ ! -s killed.now.journal ] || ! grep -q ': line ' log || kept killed log
    # at the end: compare, and begin anew
    if [ "$ended" -eq 0 ] || [ "$(grep -c . killed.before 2>err)" = $n_rows ]; then
        run "$omma" batch --no-timings -o killed.now in/many.jsonl
        [ "$code" -eq 0 ] && cmp -s many.jsonl killed.now ||
            complain "resumed: $code: $(diff many.jsonl killed.now)$(cat "$folder/err")"
        whole=$((whole + 1))
        rm -f killed.*
    fi
done <delays
run "$omma" batch --no-timings -o killed.now in/many.jsonl
[ "$code" -eq 0 ] && cmp -s many.jsonl killed.now || complain "resumed: $code: $(cat "$folder/err")"
echo "killed $killed times in $n_runs runs, $acknowledged rows acknowledged in them; $((whole + 1)) outputs, each compared"
finish
