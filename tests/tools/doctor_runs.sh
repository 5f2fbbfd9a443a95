#!/bin/sh
# doctor_runs.sh: omma doctor on this machine: nothing here depends on how fast it is.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"

run "$omma" doctor --quick
[ "$code" -eq 0 ] || complain "doctor --quick: exit code $code: $(cat "$folder/err")"
for word in cpu cores caches memory node system tier advice; do
    grep -q "^$word " "$folder/out" || complain "doctor --quick lacks $word: $(cat "$folder/out")"
done
grep -q "^read " "$folder/out" && complain "doctor --quick measures"

# a tier below the best is told, and what to do about it
run "$omma" doctor --quick --isa scalar
grep -q "^tier  *scalar$" "$folder/out" || complain "--isa scalar is not the tier"
if "$omma" --version | grep '^kernel tiers' | grep -qE ' (avx2|neon)( [^(]|$)'; then
    grep -q "leave out --isa" "$folder/out" || complain "no advice about --isa scalar"
fi

# a model: where its weights lie, on one node all of them at home
run "$omma" doctor --quick -m "$demo"
[ "$code" -eq 0 ] || complain "doctor -m: exit code $code: $(cat "$folder/err")"
grep -q "^model  *$demo: numa " "$folder/out" || complain "doctor -m tells nothing of the model"
grep -q "^  node .* threads read .* local" "$folder/out" || complain "doctor -m tells no placement"

run "$omma" doctor --json
[ "$code" -eq 0 ] || complain "doctor --json: exit code $code: $(cat "$folder/err")"
for member in machine isa kernels limits node_limits model advice read_bytes_per_s gemm_bf16; do
    grep -q "\"$member\": " "$folder/out" || complain "doctor --json lacks $member"
done

fails 2 "cpus: expected" "$omma" doctor --quick --cpus 99999
fails 2 "unexpected argument" "$omma" doctor elephant
fails 3 "./nowhere: No such file or directory" "$omma" doctor -m ./nowhere
finish
