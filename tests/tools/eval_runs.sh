#!/bin/sh
# eval_runs.sh: omma eval score, compare and merge: reports with nothing of a stranger's in them that a
# browser would run, a planted difference and none, shards put together, and what is refused.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
data=$source_dir/tests/data/eval

# rows WRONG SHIFT: 1,000 rows, of which so many are wrong, those from SHIFT on
rows() {
    awk -v wrong="$1" -v shift="$2" 'BEGIN {
        OFS = "\t"
        print "index", "question", "A", "B", "answer", "category", "prediction"
        for (i = 0; i < 1000; i++) {
            gold = i % 2 ? "A" : "B"
            print "q" i, "Which of them is " i "?", "this one", "that one", gold, "c" i % 3,
                (i + 1000 - shift) % 1000 < wrong ? (gold == "A" ? "B" : "A") : gold
        }
    }'
}
# manifest NUMBER OF [MODEL]
manifest() {
    printf '{"suite": "SEEDBench_IMG", "predictions": "x.tsv", "model": "%s", "rows": 1000' "${3:-m}"
    [ "$2" -eq 0 ] || printf ', "shard": {"number": %d, "of": %d}, "run": {"host": "h%d"}' "$1" "$2" "$1"
    printf '}\n'
}

# a planted difference of 5 points; the p-value is scipy's binomtest(10, 70)
rows 200 0 >"$folder/a.tsv"
rows 150 60 >"$folder/b.tsv"
run "$omma" eval compare "$folder/a.tsv" "$folder/b.tsv"
[ "$code" -eq 0 ] || complain "compare: $(cat "$folder/err")"
grep -q "^A   80.00 % (800 of 1000" "$folder/out" && grep -q "^B   85.00 % (850 of 1000" "$folder/out" ||
    complain "scores: $(head -n 2 "$folder/out")"
grep -q "^B - A  +5.00 points" "$folder/out" || complain "difference: $(cat "$folder/out")"
grep -q "right in A alone 10, in B alone 60; .* p = 8.005e-10$" "$folder/out" ||
    complain "p: $(grep alone "$folder/out")"
[ "$(grep -c "$(printf '^q[0-9]*\t')" "$folder/out")" -eq 70 ] || complain "rows that changed"
grep -q "$(printf '^q200\tA\tB\tA$')" "$folder/out" || complain "a row that got worse: $(tail -n 3 "$folder/out")"
run "$omma" eval compare --json "$folder/a.tsv" "$folder/a.tsv"
grep -q '"p": 1.0' "$folder/out" && grep -q '"difference": 0.0' "$folder/out" && grep -q '"changes": \[\]' "$folder/out" ||
    complain "equal runs: $(cat "$folder/out")"

# shards
for i in 1 2 3; do
    mkdir "$folder/s$i"
    manifest $i 3 >"$folder/s$i/manifest.json"
    awk -v i=$i 'NR == 1 || (NR - 2) % 3 == i - 1' "$folder/a.tsv" >"$folder/s$i/x.tsv"
done
run "$omma" eval merge -o "$folder/all" "$folder/s2" "$folder/s3" "$folder/s1"
[ "$code" -eq 0 ] || complain "merge: $(cat "$folder/err")"
cmp -s "$folder/all/x.tsv" "$folder/a.tsv" || complain "merged rows differ"
grep -q "h2" "$folder/all/manifest.json" && ! grep -q '"shard"' "$folder/all/manifest.json" || complain "merged manifest"
run "$omma" eval compare "$folder/all" "$folder/a.tsv"
grep -q "p = 1$" "$folder/out" || complain "the merged run differs: $(cat "$folder/out" "$folder/err")"
fails 2 "expected all of them, found 2" "$omma" eval merge -o "$folder/not" "$folder/s1" "$folder/s2"
fails 2 "both are shard 1 of 3" "$omma" eval merge -o "$folder/not" "$folder/s1" "$folder/s1" "$folder/s2"
manifest 2 3 other >"$folder/s2/manifest.json"
fails 2 'model: "m", "other"' "$omma" eval merge -o "$folder/not" "$folder/s1" "$folder/s2" "$folder/s3"
manifest 2 3 >"$folder/s2/manifest.json"
sed -i '$d' "$folder/s2/x.tsv"
fails 2 "shard 2 of 3: expected 333 of 1000 rows, found 332" "$omma" eval merge -o "$folder/not" "$folder/s1" "$folder/s2" "$folder/s3"
sed -n 2p "$folder/s1/x.tsv" >>"$folder/s2/x.tsv"
fails 2 "index q0 is there twice" "$omma" eval merge -o "$folder/not" "$folder/s1" "$folder/s2" "$folder/s3"
[ ! -e "$folder/not" ] || complain "something was written all the same"

# reports of what would be markup
mkdir "$folder/run"
manifest 1 0 '</p><script>alert(1)</script>' >"$folder/run/manifest.json"
{
    printf 'index\tquestion\tA\tB\tanswer\tcategory\tprediction\n'
    printf '1\t<img src=x onerror=alert(1)>\t&"\t\047\tA\t<b>\t</dd><script>alert(2)</script> \342\200\256\001|`x`\n'
    printf '2\tWhich?\tx\ty\tA\t<b>\tA\n'
} >"$folder/run/x.tsv"
gives " 50.00 %  (  9.45 to  90.55)      1 of     2  overall: Overall
 50.00 %  (  9.45 to  90.55)      1 of     2  category: <b>
1 of them undecided; rule-based (VLMEvalKit e8e78f0), no judge; 95 % by Wilson" "$omma" eval score "$folder/run"
page=$folder/run/report.html
! grep -qiE "<script|<img|<b>|onerror=alert\(1\)>" "$page" || complain "markup in the page: $(grep -iE '<script|<img|<b>' "$page")"
grep -q "&lt;script&gt;alert(2)&lt;/script&gt;" "$page" || complain "the page lacks the prediction"
grep -q "default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]*='; img-src data:" "$page" || complain "the page's policy"
grep -q '^| 1 | A | \\- | none | &lt;/dd&gt;&lt;script&gt;' "$folder/run/report.md" || complain "report.md: $(cat "$folder/run/report.md")"
! grep -q '<script' "$folder/run/report.md" || complain "markup in report.md"
grep -q '"label": "rule-based, no judge"' "$folder/run/report.json" || complain "report.json lacks its label"

# a row without an answer is told as such
printf 'index\tquestion\tA\tB\tanswer\tprediction\n1\t?\tx\ty\tA\tFailed to obtain answer via API.\n' >"$folder/failed.tsv"
run "$omma" eval score --suite X "$folder/failed.tsv"
grep -q "^1 rows have no answer" "$folder/out" || complain "a row without an answer: $(cat "$folder/out")"

# pictures: its own, another row's, a list of two, none that a page can show
base64=$(base64 "$pictures/tall.png" | tr -d '\n')
{
    printf 'index\timage\n1\t%s\n2\t1\n3\t"[\047%s\047, \047%s\047]"\n' "$base64" "$base64" "$base64"
    printf '4\t%s\n' "$(printf '%070d' 0)\"><script>"
} >"$folder/suite.tsv"
{
    printf 'index\tquestion\tA\tB\tanswer\tprediction\n'
    printf '%d\t?\tx\ty\tA\tB\n' 1 2 3 4
} >"$folder/run/x.tsv"
run "$omma" eval score --pictures "$folder/suite.tsv" "$folder/run"
[ "$code" -eq 0 ] || complain "pictures: $(cat "$folder/err")"
[ "$(grep -cF "src=\"data:image/png;base64,$base64\"" "$page")" -eq 4 ] || complain "pictures of the page: $(grep -c '<img' "$page")"
grep -q "picture 1: not one that a page can show" "$page" || complain "a cell that is no picture"
! grep -q '<script' "$page" || complain "markup of a cell that is no picture"
printf 'index\timage\n1\t2\n2\t1\n' >"$folder/circle.tsv"
fails 2 'index 1: image: expected a picture, or the index of a row with one, found "2"' \
    "$omma" eval score --pictures "$folder/circle.tsv" "$folder/run"
printf 'index\timage\n1\t[%070d, x]\n' 1 >"$folder/list.tsv"
fails 2 "index 1: image: expected a list" "$omma" eval score --pictures "$folder/list.tsv" "$folder/run"

# refused
fails 2 "no column \"index\"" "$omma" eval score --suite MMMU_DEV_VAL "$data/scores.jsonl"
fails 2 "POPE" "$omma" eval score --suite POPE "$folder/a.tsv"
fails 2 "$folder/none: No such file" "$omma" eval score "$folder/none"
fails 2 "manifest.json" "$omma" eval score "$folder"
fails 2 "expected score RUN" "$omma" eval score
fails 2 "expected compare RUN RUN" "$omma" eval compare "$folder/a.tsv"
fails 2 "expected -o DIR" "$omma" eval merge "$folder/s1"
fails 2 "index 1: another answer" "$omma" eval compare --suite X "$data/SEEDBench_IMG.tsv" "$data/MMMU_DEV_VAL.tsv"

finish
