#!/bin/sh
# tokenize.sh: omma tokenize: a text, standard input, JSON, lines.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
shared=${OMMA_TEST_SHARED:-$source_dir/../shared}

gives '     560  How
     559   many
     452   shapes
      30  ?
4 tokens' "$omma" tokenize -m "$demo" 'How many shapes?'
gives '{"ids": [560, 559, 452, 30], "pieces": ["How", " many", " shapes", "?"], "count": 4}' \
    "$omma" tokenize -m "$demo" --json 'How many shapes?'
gives '0 tokens' "$omma" tokenize -m "$demo" ''
gives '     611  <|im_end|>  (added token)
1 tokens' "$omma" tokenize -m "$demo" --special reference '<|im_end|>'
run "$omma" tokenize -m "$demo" '<|im_end|>'
grep -q 611 "$folder/out" && complain "added tokens are no plain text by default"
fails 5 'text @1: ' "$omma" tokenize -m "$demo" --special reject 'a<|im_end|>'
fails 2 'unexpected argument "b"' "$omma" tokenize -m "$demo" a b

# standard input: all bytes count, a NUL and the last newline too
printf 'a\n' >"$folder/in"
run "$omma" tokenize -m "$demo" <"$folder/in"
grep -qF '\n' "$folder/out" || complain "the newline of standard input is lost: $(cat "$folder/out")"
printf 'a\000b' >"$folder/in"
run "$omma" tokenize -m "$demo" <"$folder/in"
grep -qF '\x00' "$folder/out" && grep -q ' b$' "$folder/out" || complain "a NUL ends the text: $(cat "$folder/out")"
printf 'ab\377' >"$folder/in"
run "$omma" tokenize -m "$demo" <"$folder/in"
[ "$code" -eq 5 ] && grep -q '@2: expected UTF-8' "$folder/err" || complain "bad UTF-8: $code"

# only the tokenizer's files are needed
mkdir "$folder/model"
cp "$demo/vocab.json" "$demo/merges.txt" "$demo/added_tokens.json" "$demo/tokenizer_config.json" "$folder/model"
gives '{"ids": [560], "pieces": ["How"], "count": 1}' "$omma" tokenize -m "$folder/model" --json How
OMMA_MODEL_PATH=$folder gives '{"ids": [560], "pieces": ["How"], "count": 1}' "$omma" tokenize -m model --json How
rm "$folder/model/vocab.json"
fails 3 "$folder/model" "$omma" tokenize -m "$folder/model" How

# lines; what fails is told in its place
cat >"$folder/in" <<'END'
{"text": "How"}
{"text": 1}
{"text": "a", "text": "b"}
nonsense

["How"]
{"other": "How"}
{"text": "\ud800"}
{"text": "", "more": [1, {"text": 2}]}
{"text": "How\u0000"}
END
printf '{"text": "How"}' >>"$folder/in" # no newline at the end
run "$omma" tokenize -m "$demo" --jsonl <"$folder/in"
[ "$code" -eq 1 ] || complain "--jsonl with bad lines: exit code $code"
sed 's/{"error": .*}/error/' "$folder/out" >"$folder/lines"
cat >"$folder/expected" <<'END'
{"ids": [560]}
error
error
error
error
error
error
error
{"ids": []}
{"ids": [560, 219]}
{"ids": [560]}
END
nul=$("$omma" tokenize -m "$demo" --jsonl <<'END' | sed 's/.*\[\(.*\)\].*/\1/'
{"text": "\u0000"}
END
)
sed "s/219/$nul/" "$folder/expected" | diff - "$folder/lines" >"$folder/diff" || complain "--jsonl: $(cat "$folder/diff")"
printf '{"text": "How"}\n' >"$folder/in"
run "$omma" tokenize -m "$demo" --jsonl <"$folder/in"
[ "$code" -eq 0 ] || complain "--jsonl with good lines: exit code $code"

# the reference's cases through the command
if [ -r "$shared/reference/tokenizer_cases.jsonl" ]; then
    cases=$shared/reference/tokenizer_cases.jsonl
    for mode in literal reference; do
        grep "\"$mode\": " "$cases" >"$folder/in"
        sed "s/.*\"$mode\": \(\[[^]]*\]\).*/{\"ids\": \1}/" "$folder/in" >"$folder/expected"
        run "$omma" tokenize -m "$shared/tokenizer" --special "$mode" --jsonl <"$folder/in"
        [ "$code" -eq 0 ] && [ -s "$folder/in" ] && cmp -s "$folder/out" "$folder/expected" ||
            complain "the reference's cases, $mode"
    done
else
    echo "not tested without $shared: the reference's cases"
fi
finish
