#!/bin/sh
# standard_output.sh: standard output that cannot be written (faults row G4), signals that are ignored (J15),
# closed descriptors, locales (G5).
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"

# A reader that goes away: more than a pipe holds, so that the writer sees it.
awk 'BEGIN { for (i = 0; i < 40000; i++) print "{\"width\": 640, \"height\": 480}" }' >"$folder/in"
{ "$omma" preprocess --jsonl <"$folder/in" 2>"$folder/err"; echo $? >"$folder/code"; } | head -n 1 >"$folder/out"
[ "$(cat "$folder/code")" -eq 7 ] || complain "EPIPE: exit code $(cat "$folder/code")"
[ "$(cat "$folder/err")" = "omma preprocess: error: standard output: Broken pipe" ] ||
    complain "EPIPE: $(cat "$folder/err")"

# The same in the middle of an answer, which goes on for thousands of tokens.
{
    "$omma" run -m "$demo" -p 'Please describe the image.' --repetition-penalty 0.01 -n 7900 2>"$folder/err"
    echo $? >"$folder/code"
} | head -c 1 >"$folder/out"
[ "$(cat "$folder/code")" -eq 7 ] && [ "$(cat "$folder/err")" = "omma run: error: standard output: Broken pipe" ] ||
    complain "EPIPE of an answer: $(cat "$folder/code" "$folder/err")"

# A full disk, found when stdio's buffer is written at the end.
if [ -w /dev/full ]; then
    "$omma" help >/dev/full 2>"$folder/err"
    [ $? -eq 7 ] && grep -q "standard output: No space left on device" "$folder/err" || complain "/dev/full"
    "$omma" run -m "$demo" -p 'How many shapes are there?' >/dev/full 2>"$folder/err"
    [ $? -eq 7 ] && grep -q "standard output: No space left on device" "$folder/err" ||
        complain "/dev/full: $(cat "$folder/err")"
fi

# Closed descriptors: nothing is written into a file that takes their number.
"$omma" preprocess -o "$folder/tiles" "$pictures/shapes.png" >&- 2>"$folder/err"
[ $? -eq 7 ] || complain "closed standard output"
"$omma" preprocess "$folder/tiles/shapes-00.png" >/dev/null || complain "the tile was damaged"
"$omma" preprocess -o "$folder/tiles" "$folder/none.png" 2>&- && complain "closed standard error"
"$omma" tokenize -m "$demo" <&- >"$folder/out" 2>"$folder/err" && complain "closed standard input"

# Numbers have a point in every locale that this machine knows.
for locale in $(locale -a 2>/dev/null | grep -E '^(de|fr|ru)_' | head -n 3) xx_XX; do
    LC_ALL=$locale fails 2 '--temperature: expected a number from 0 to 100, found "0,5"' \
        "$omma" run -m "$demo" -p x --temperature 0,5
    LC_ALL=$locale run "$omma" info --json "$demo"
    grep -q '"rope_theta": 1000000.0' "$folder/out" || complain "numbers of locale $locale"
done
finish
