#!/bin/sh
# batch_mpi.sh: omma batch and omma eval in two processes under mpirun: the output of one, rows from both; a process
# that is killed, and the same command once more; what goes wrong in one of them.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
mpi=$build_dir/tests/tools/.libs/omma_mpi
[ -x "$mpi" ] || mpi=$build_dir/tests/tools/omma_mpi
[ -x "$mpi" ] || { echo "needs Open MPI to be built with (libopenmpi-dev)"; exit 77; }
command -v mpirun >/dev/null || { echo "needs mpirun (openmpi-bin)"; exit 77; }
case $mpi in /*) ;; *) mpi=$PWD/$mpi ;; esac
. "$source_dir/tests/tools/batch_lib.sh"
# one machine, perhaps as root; what is left of a job is killed at once
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl=self,vader OMPI_MCA_odls_base_sigkill_timeout=0
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_btl OMPI_MCA_odls_base_sigkill_timeout
# Open MPI leaves memory behind
[ "${SANITIZERS-}" != yes ] || { ASAN_OPTIONS=detect_leaks=0; export ASAN_OPTIONS; }
both() { run mpirun -n 2 --oversubscribe --bind-to none "$mpi" batch "$@"; }
run mpirun -n 1 true
[ "$code" -eq 0 ] || { echo "mpirun does not work here: $(cat "$folder/err")"; exit 77; }

# the output of one process
for i in 1 2 3 4 5 6 7 8; do
    asked shapes.png "Is there a shape number $i?"
    echo
    question "What color is shape $i?" ',"max_tokens":40,"ignore_eos":true'
    echo
done >in/rows.jsonl
printf 'no JSON\n' >>in/rows.jsonl
run "$omma" batch -t 1 --no-timings -o one.jsonl in/rows.jsonl
[ "$code" -eq 1 ] || complain "alone: exit code $code: $(cat "$folder/err")"
both -t 1 -j 2 -v --no-timings -o two.jsonl in/rows.jsonl
[ "$code" -eq 1 ] || complain "two processes: exit code $code: $(cat "$folder/err")"
cmp -s one.jsonl two.jsonl || complain "two processes: $(diff one.jsonl two.jsonl)"
# both computed: what came from the other one is told as what came from here
[ "$(grep -c '^omma batch: line ' "$folder/err")" -eq 17 ] || complain "-v: $(cat "$folder/err")"
n_hand=$(sed -n 's/.*process 1 on .*: \([0-9]*\) rows$/\1/p' "$folder/err")
[ "${n_hand:-0}" -ge 1 ] && [ "$n_hand" -le 16 ] || complain "rows of the other process: $n_hand of 17: $(cat "$folder/err")"

# a suite, by the same runner
{
    printf 'index\tquestion\tA\tB\tanswer\tcategory\timage\n'
    printf '0\tHow many shapes are there?\tTwo\tThree\tA\tcount\t%s\n' "$(base64 -w 0 "$pictures/shapes.png")"
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        printf '%d\tWhat color is the circle?\tRed\tBlue\tB\tcolor\t0\n' $i
    done
} >Shapes_MCQ.tsv
run "$omma" eval -t 1 -n 8 -o one Shapes_MCQ.tsv
run mpirun -n 2 --oversubscribe --bind-to none "$mpi" eval -t 1 -n 8 -j 1 -o two Shapes_MCQ.tsv
[ "$code" -eq 0 ] || complain "a suite: exit code $code: $(cat "$folder/err")"
cmp -s one/demo_Shapes_MCQ.tsv two/demo_Shapes_MCQ.tsv || complain "a suite: $(diff one/*.tsv two/*.tsv)"
grep -q '"processes": 2' two/manifest.json || complain "a suite: $(cat two/manifest.json)"

# each of them dies in turn, then the same command: what was acknowledged is there, and not computed again
many_rows 60 >in/many.jsonl
run "$omma" batch -t 1 --no-timings -o many.jsonl in/many.jsonl
for victim in 1 0; do
    rm -f killed.*
    OMMA_TEST_DIES="$victim 12" both -v -t 1 -j 1 -o killed.now in/many.jsonl
    cp "$folder/err" log
    grep -q "rank $victim .*signal 9 (Killed)" log || complain "process $victim was not killed: $(cat log)"
    [ "$code" -ne 0 ] && [ ! -e killed.now ] || complain "process $victim killed: exit code $code: $(cat log)"
    kept killed log
    n_there=$(wc -l <there)
    [ "$n_there" -ge 1 ] && [ "$n_there" -lt 60 ] || complain "process $victim killed: $n_there rows"
    both -v -t 1 -j 2 -o killed.now in/many.jsonl
    [ "$code" -eq 0 ] || complain "after process $victim was killed: exit code $code: $(cat "$folder/err")"
    cp "$folder/err" log
    kept killed log
    run "$omma" batch --export --no-timings -o killed.now
    cmp -s many.jsonl killed.now || complain "after process $victim was killed: $(diff many.jsonl killed.now)"
done

# a process that cannot compute as the others do, or not at all, is named
cp -r "$demo" model
cat >each <<'END'
#!/bin/sh
# each OMMA MODEL...: a model for each process
omma=$1
shift "$((OMPI_COMM_WORLD_RANK + 1))"
exec "$omma" batch -t 1 -m "$1" -o each.jsonl in/rows.jsonl
END
chmod +x each model
chmod u+w model/config.json
sed 's/{/{ /' "$demo/config.json" >model/config.json
run mpirun -n 2 --oversubscribe --bind-to none ./each "$mpi" "$demo" model
[ "$code" -eq 2 ] && grep -q 'error: process 1 on .*: all processes must compute alike: expected "model: ' "$folder/err" ||
    complain "another model: $code: $(cat "$folder/err")"
run mpirun -n 2 --oversubscribe --bind-to none ./each "$mpi" "$demo" none
[ "$code" -eq 3 ] && grep -q 'error: process 1 on .*: none' "$folder/err" || complain "no model: $code: $(cat "$folder/err")"
run mpirun -n 2 --oversubscribe --bind-to none ./each "$mpi" none "$demo"
[ "$code" -eq 3 ] && [ "$(grep -c 'error: none' "$folder/err")" -eq 1 ] || complain "no model at 0: $code: $(cat "$folder/err")"
OMPI_COMM_WORLD_SIZE=2 fails 2 'started as one of 2 processes, and this omma was built without MPI' \
    "$omma" batch -o each.jsonl in/rows.jsonl
finish
