#!/bin/sh
# eval_suite.sh: omma eval asks a suite: predictions, manifest and scores; what is chosen; shards merged; a run that
# goes on, and what it refuses.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
cd "$folder" || exit 1
case $omma in /*) ;; *) omma=$OLDPWD/$omma ;; esac
case ${LD_LIBRARY_PATH-} in /* | '') ;; *) LD_LIBRARY_PATH=$OLDPWD/$LD_LIBRARY_PATH ;; esac
case $demo in /*) ;; *) demo=$OLDPWD/$demo pictures=$OLDPWD/$pictures ;; esac
OMMA_MODEL=$demo
export OMMA_MODEL

# rows I QUESTION A B ANSWER CATEGORY; the picture stands in row 0, others refer to it; one has none, one no picture's bytes
suite() {
    t=$(printf '\t')
    printf 'index\timage\tquestion\tA\tB\tanswer\tcategory\n'
    printf '0\t%s\t"How many shapes are there?\n(count ""all"")"\tTwo\tThree\tA\tcount\n' "$(base64 -w 0 "$pictures/shapes.png")"
    i=1
    while [ $i -le 9 ]; do
        printf '%d\t0\tWhat color is the circle?\tRed\tBlue\tB\tcolor\n' $i
        i=$((i + 1))
    done
    printf '10\t\tIs there a picture?\tYes\tNo\tB\tcount\n'
    printf '11\t%s\tIs there a picture?\tYes\tNo\tB\tcount\n' "$(printf 'no picture, %060d' 0 | base64 -w 0)"
}
suite >Shapes_MCQ.tsv
run "$omma" eval -o whole -n 8 -v Shapes_MCQ.tsv
[ "$code" -eq 1 ] || complain "the run: exit code $code: $(cat "$folder/err")"
grep -q 'Shapes_MCQ: 11 of 12 rows, 1 without a picture left out' "$folder/err" || complain "rows: $(cat "$folder/err")"
grep -q 'of  *11  overall: Overall$' "$folder/out" || complain "scores: $(cat "$folder/out")"
[ -s whole/report.json ] && [ -s whole/report.html ] || complain "reports: $(ls whole)"
tsv=whole/demo_Shapes_MCQ.tsv
[ "$(head -n 1 $tsv)" = "index${t}question${t}A${t}B${t}answer${t}category${t}prediction" ] || complain "columns: $(head -n 1 $tsv)"
[ "$(sed -n 2,3p $tsv | head -c 30)" = "0${t}\"How many shapes are there?" ] && grep -q '^(count ""all"")"' $tsv ||
    complain "a quoted cell: $(sed -n 2,3p $tsv)"
[ "$(grep -c . $tsv)" -eq 13 ] && ! grep -q "^10$t" $tsv || complain "rows of predictions: $(cat $tsv)"
grep -q "^11$t.*${t}Failed to obtain answer via API\.\$" $tsv || complain "a row that failed: $(tail -n 1 $tsv)"
grep -q "\"md5\": \"$(md5sum <Shapes_MCQ.tsv | cut -d' ' -f1)\"" whole/manifest.json &&
    grep -q '"rows": 11,' whole/manifest.json && grep -q '"rows_without_picture": 1,' whole/manifest.json ||
    complain "manifest: $(cat whole/manifest.json)"

# the same command computes nothing; other settings are refused; another order gives the same answers
cp $tsv before
run "$omma" eval -o whole -n 8 -v Shapes_MCQ.tsv
grep -q '11 of 11 rows are there' "$folder/err" && cmp -s before $tsv || complain "again: $(cat "$folder/err")"
fails 2 'chain of thought: no, now yes' "$omma" eval -o whole -n 8 --cot Shapes_MCQ.tsv
fails 2 'limit: 0, now 3' "$omma" eval -o whole -n 8 --limit 3 Shapes_MCQ.tsv
sed 's/circle/square/' Shapes_MCQ.tsv >other.tsv
fails 2 'input: ' "$omma" eval -o whole -n 8 --suite Shapes_MCQ other.tsv
run "$omma" eval -o drawn -n 8 --shuffle 7 -t 1 -j 3 Shapes_MCQ.tsv
sort drawn/demo_Shapes_MCQ.tsv >drawn.sorted
sort $tsv | cmp -s - drawn.sorted || complain "--shuffle: $(cat drawn/demo_Shapes_MCQ.tsv)"
cmp -s $tsv drawn/demo_Shapes_MCQ.tsv && complain "--shuffle: the order is the same"
run "$omma" eval -o few -n 8 --category color --category none --limit 3 --suite shapes_mcq --data "$folder"
[ "$code" -eq 0 ] && [ "$(cut -f 1 few/demo_Shapes_MCQ.tsv | tr '\n' ' ')" = "index 1 2 3 " ] ||
    complain "--category, --limit: $code: $(cat few/*.tsv "$folder/err")"

# shards, merged, are the whole
for i in 1 2; do
    run "$omma" eval -o shard$i -n 8 --shard $i/2 Shapes_MCQ.tsv
    [ ! -e shard$i/report.json ] || complain "shard $i is scored"
done
run "$omma" eval merge -o merged shard1 shard2
[ "$code" -eq 0 ] || complain "merge: $code: $(cat "$folder/err")"
cmp -s merged/demo_Shapes_MCQ.tsv $tsv || complain "merged: $(diff merged/demo_Shapes_MCQ.tsv $tsv)"

# a known name with another file is told
cp Shapes_MCQ.tsv SEEDBench_IMG.tsv
run "$omma" eval -o known -n 1 --limit 1 SEEDBench_IMG.tsv
grep -q 'warning: SEEDBench_IMG.tsv: MD5 .*; the published file has 68017231464752261a2526d6ca3a10c0' "$folder/err" ||
    complain "a known name: $(cat "$folder/err")"

fails 2 'expected -o DIR' "$omma" eval Shapes_MCQ.tsv
fails 2 'expected SUITE.tsv, or --suite NAME with --data DIR' "$omma" eval -o none
fails 2 'expected none.tsv in it' "$omma" eval -o none --suite none --data .
fails 2 'no row is left to ask' "$omma" eval -o none --category none Shapes_MCQ.tsv
fails 2 '--jobs has no effect on score' "$omma" eval score -j 2 whole
finish
