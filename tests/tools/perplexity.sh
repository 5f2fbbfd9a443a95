#!/bin/sh
# perplexity.sh: omma perplexity gives the negative log-likelihoods of PyTorch, window by window
# (tests/data/perplexity), and counts windows as it says.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
shared=${OMMA_TEST_SHARED:-$source_dir/../shared}
prose=$source_dir/tests/data/perplexity/text.txt
n_compared=0
ways="-t:2 --isa:scalar:--gemm:native -t:1:--chunk:100"
[ "${SANITIZERS-}" != yes ] || ways=-t:2 # what is read and written is much the same in all

# numbers LINE KEY: the number of a key in a line of expected.jsonl, or the list, one a line
numbers() {
    printf '%s\n' "$1" | sed -n "s/.*\"$2\": \(\[[^]]*\]\|[^],}]*\).*/\1/p" | tr -d '[] ' | tr ',' '\n'
}

# same WHAT LIMIT: the numbers of two files are equal to that part of them, and as many
same() {
    paste "$folder/theirs" "$folder/ours" | awk -v limit="$2" '
        NF != 2 || ($1 - $2) ^ 2 > (limit * $1) ^ 2 { print; bad = 1 }
        END { exit bad || NR == 0 }' >"$folder/diff" || complain "$1: $(cat "$folder/diff")"
}

while IFS= read -r line; do
    model=$(numbers "$line" model | tr -d '"')
    context=$(numbers "$line" context)
    stride=$(numbers "$line" stride)
    dir=$demo
    [ "$model" = demo ] || dir=$shared/reference/$model
    [ -d "$dir" ] || { echo "$dir is not there: left out"; continue; }
    [ "$stride" -eq 0 ] && stride= || stride="--stride $stride"
    for way in $ways; do
        more=$(echo "$way" | tr : ' ')
        # shellcheck disable=SC2086
        run "$omma" perplexity -m "$dir" --precision f32 -c "$context" $stride $more --json "$prose"
        [ "$code" -eq 0 ] || complain "$model $more: exit code $code: $(cat "$folder/err")"
        numbers "$line" chunks >"$folder/theirs"
        sed -n 's/^ *"nll": \([^,]*\),*$/\1/p' "$folder/out" | sed 1d >"$folder/ours"
        same "$model -c $context $stride $more: windows" 1e-5
        for key in n_tokens scored nll perplexity error; do
            numbers "$line" $key >"$folder/theirs"
            sed -n "s/^ *\"$key\": \([^,]*\),*\$/\1/p" "$folder/out" | head -n 1 >"$folder/ours"
            same "$model -c $context $stride $more: $key" 1e-4
        done
        n_compared=$((n_compared + 1))
    done
done <"$source_dir/tests/data/perplexity/expected.jsonl"
[ "$n_compared" -ge 2 ] || complain "only $n_compared runs compared"

# the table, standard input, some windows alone
run "$omma" perplexity -m "$demo" --precision f32 -c 128 --chunks 3 "$prose"
[ "$code" -eq 0 ] && [ "$(wc -l <"$folder/out")" -eq 5 ] || complain "the table: $(cat "$folder/out")"
cp "$folder/out" "$folder/table"
run "$omma" perplexity -m "$demo" --precision f32 -c 128 --chunks 3 - <"$prose"
cmp -s "$folder/out" "$folder/table" || complain "standard input: $(cat "$folder/out" "$folder/err")"
grep -q '^perplexity [0-9.]* +/- [0-9.]* (189 tokens scored in 3 windows of 128)$' "$folder/out" ||
    complain "the last line: $(tail -n 1 "$folder/out")"

fails 5 'the text has 1145 tokens: expected at least 1146, two windows' "$omma" perplexity -m "$demo" -c 573 "$prose"
fails 2 '--stride: expected less than the window of 48 tokens, found 64' \
    "$omma" perplexity -m "$demo" -c 16 --stride 64 "$prose"
fails 5 "$folder/none" "$omma" perplexity -m "$demo" "$folder/none"
fails 2 'expected TEXT' "$omma" perplexity -m "$demo"
fails 2 'expected' "$omma" perplexity -m "$demo" -c 3 "$prose"
printf 'a\377' >"$folder/bad"
fails 5 'UTF-8' "$omma" perplexity -m "$demo" "$folder/bad"
finish
