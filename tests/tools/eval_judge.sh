#!/bin/sh
# eval_judge.sh: omma eval score --judge, with omma serve and the demo model for a judge: what no rule decides
# is asked once, kept, and scored again without the server; what the judge cannot be asked stays undecided.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
[ -x "$build_dir/omma-judge" ] || { echo "needs omma-judge to be built (libcurl4-openssl-dev)"; exit 77; }

"$omma" serve -m "$demo" --port 0 >"$folder/said" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$folder"' EXIT
waited=0
until grep -q "listening on" "$folder/said" || [ $waited -ge 300 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
url=$(sed -n 's/.*listening on \(http[^ ]*\).*/\1/p' "$folder/said")/v1

printf 'index\tquestion\tA\tB\tanswer\tprediction\n1\tWhich?\tcat\tdog\tA\tA\n2\tWhich?\tcat\tdog\tB\tperhaps\n3\t哪个？\t猫\t狗\tA\tno idea\n' \
    >"$folder/m_SEEDBench_IMG.tsv"
run "$omma" eval score "$folder/m_SEEDBench_IMG.tsv"
grep -q "2 of them undecided; rule-based (VLMEvalKit e8e78f0), no judge;" "$folder/out" || complain "without a judge: $(cat "$folder/out" "$folder/err")"

run "$omma" eval score -o "$folder/r" --judge "$url" --judge-model demo "$folder/m_SEEDBench_IMG.tsv"
[ "$code" -eq 0 ] || complain "with a judge: $(cat "$folder/err")"
grep -q "rule-based (VLMEvalKit e8e78f0), then the judge demo;" "$folder/out" || complain "label: $(cat "$folder/out")"
for file in report.json report.md report.html; do
    grep -q "the judge demo" "$folder/r/$file" || complain "$file does not name the judge"
done
cp "$folder/out" "$folder/first"
[ -s "$folder/m_SEEDBench_IMG.tsv.judge" ] || complain "no answers were kept"
kill $server
wait $server 2>/dev/null

# nothing is asked again: there is nobody any more
run "$omma" eval score --judge "$url" --judge-model demo "$folder/m_SEEDBench_IMG.tsv"
[ "$code" -eq 0 ] && [ ! -s "$folder/err" ] && cmp -s "$folder/out" "$folder/first" ||
    complain "scored again: $(cat "$folder/out" "$folder/err")"

# another judge cannot be asked
run "$omma" eval score --judge http://127.0.0.1:9/v1 --judge-tries 1 --judge-model other "$folder/m_SEEDBench_IMG.tsv"
[ "$code" -eq 0 ] && grep -q "warning: the judge did not answer 2 questions" "$folder/err" ||
    complain "a judge that is not there: $(cat "$folder/err")"
grep -q "^2 of them undecided" "$folder/out" || complain "nobody asked: $(cat "$folder/out")"
fails 2 "no effect on compare" "$omma" eval compare --judge "$url" "$folder/r" "$folder/r"
finish
