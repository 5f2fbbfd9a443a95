#!/bin/sh
# run.sh: omma run on the demo model: its dialogues, JSON, conversations from a pipe, failures.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
question='How many shapes are there?'
picture=$pictures/shapes.png

# One question; "Two." is what the reference answers (pictures/shapes.json).
gives 'Two.' "$omma" run -m "$demo" -i "$picture" -p "$question"
[ -s "$folder/err" ] && complain "standard error is no terminal: $(cat "$folder/err")"
gives 'Two.' "$omma" run -m demo --image "$picture" --prompt "$question"
gives 'Two.' "$omma" run -m demo -i "$picture" -p "<image>
$question"
echo "$question" >"$folder/in"
run "$omma" run -m demo -i "$picture" -p - <"$folder/in"
[ "$code" -eq 0 ] && [ "$(cat "$folder/out")" = 'Two.' ] || complain "-p -: $(cat "$folder/out" "$folder/err")"
OMMA_MODEL=demo OMMA_THREADS=1 OMMA_ISA=scalar gives 'Two.' "$omma" run -i "$picture" -p "$question"
gives 'Two' "$omma" run -m demo -i "$picture" -p "$question" --stop x --stop .
gives 'Two' "$omma" run -m demo -i "$picture" -p "$question" -n 1
gives 'Two.' "$omma" run -m demo -i "$picture" -p "$question" --temperature 1 --top-k 1 --seed 7
run "$omma" run -m demo -i "$picture" -p "$question" -v
grep -q 'loaded in' "$folder/err" && grep -q '1 tile in' "$folder/err" || complain "-v: $(cat "$folder/err")"

# What it would take; the times are not judged.
run "$omma" run -m "$demo" -i "$picture" -p "$question" -n 20 -c 2000 --precision f32 --dry-run
[ "$code" -eq 0 ] || complain "--dry-run: $code, $(cat "$folder/err")"
for line in 'pictures   1 (1 tile, 256 tokens)' 'prompt     284 tokens, an answer of up to 20, a context of 2000' \
    'weights    7.5 MB in bf16 files' 'KV cache   0.9 MB, 6.1 MB for a whole context; all may take ' \
    'about      [0-9.]* s for the tiles, [0-9.]* s for the prompt, [0-9.]* ms for a token of the answer, '; do
    grep -q -- "^$line" "$folder/out" || complain "--dry-run lacks $line: $(cat "$folder/out")"
done
run "$omma" run -m "$demo" -i "$picture" -p "$question" --dry-run --json
grep -q '^{"pictures": 1, "tiles": 1, "image_tokens": 256, .*"fits": true, .*"estimated_s": {"tiles": ' "$folder/out" ||
    complain "--dry-run --json: $(cat "$folder/out")"
run "$omma" serve -m "$demo" --dry-run --parallel 3
grep -q '^KV cache .* MB for 3; all may take ' "$folder/out" || complain "serve --dry-run: $(cat "$folder/out")"
fails 5 'the prompt has 284 tokens (1 tiles of 256, and text), and the context 100' \
    "$omma" run -m "$demo" -i "$picture" -p "$question" -c 100 --dry-run
fails 2 '--dry-run needs --prompt' "$omma" run -m "$demo" --dry-run

# JSON: 587 13 611 are the reference's ids, 256 tokens a tile
run "$omma" run -m demo -i "$picture" -p "$question" --json
[ "$code" -eq 0 ] && [ "$(wc -l <"$folder/out")" -eq 1 ] || complain "--json: $code"
for part in '{"text": "Two.", "ids": [587, 13, 611], "finish_reason": "stop", "usage": {"prompt_tokens": ' \
    '"completion_tokens": 3, "image_tokens": 256, "tiles": 1, "cached_tiles": 0, "cached_tokens": 0}' '"timings": {"load_s": ' '"total_s": '; do
    grep -qF -- "$part" "$folder/out" || complain "--json lacks $part: $(cat "$folder/out")"
done
run "$omma" run -m demo -i "$picture" -p "$question" --json -n 1
grep -qF '"finish_reason": "length"' "$folder/out" || complain "length: $(cat "$folder/out")"
# tiles: 448 x 896 is two and a thumbnail; a bound for all pictures is shared out
run "$omma" run -m demo -i "$pictures/tall.png" -i "$pictures/tall.png" -p 'Count the shapes.' --json
grep -qF '"image_tokens": 1536' "$folder/out" || complain "two pictures: $(cat "$folder/out" "$folder/err")"
run "$omma" run -m demo -i "$pictures/tall.png" -i "$pictures/tall.png" -p 'Count the shapes.' --json --max-tiles-total 3
grep -qF '"image_tokens": 512' "$folder/out" || complain "--max-tiles-total: $(cat "$folder/out" "$folder/err")"
run "$omma" run -m demo -i "$pictures/tall.png" -p 'Count the shapes.' --json --max-tiles 1
grep -qF '"image_tokens": 256' "$folder/out" || complain "--max-tiles: $(cat "$folder/out" "$folder/err")"
# the image cache: once in memory, where a run has the picture twice, and again from files
for tiles in '"tiles": 3, "cached_tiles": 3' '"tiles": 0, "cached_tiles": 6'; do
    run "$omma" run -m demo -i "$pictures/tall.png" -i "$pictures/tall.png" -p 'Count the shapes.' --json \
        --image-cache 64M --image-cache-dir "$folder/tiles"
    grep -qF "$tiles" "$folder/out" || complain "--image-cache lacks $tiles: $(cat "$folder/out" "$folder/err")"
done
fails 7 "$folder/none/tiles" "$omma" run -m demo -p x --image-cache-dir "$folder/none/tiles"
# the system message
printf 'You see\n' >"$folder/system"
for system in 'You see' "@$folder/system"; do
    "$omma" run -m demo -p "$question" --json -n 1 --system "$system" | sed 's/.*"prompt_tokens": \([0-9]*\).*/\1/'
done >"$folder/counts"
[ "$(uniq "$folder/counts" | wc -l)" -eq 1 ] || complain "--system @FILE: $(cat "$folder/counts")"
"$omma" run -m demo -p "$question" --json -n 1 --system '' | grep -qF "\"prompt_tokens\": $(head -n 1 "$folder/counts")," &&
    complain "--system '' is no other prompt"

# failures
fails 4 "$folder/none.png" "$omma" run -m demo -i "$folder/none.png" -p x
fails 5 '' "$omma" run -m demo -p '<image> and <image>' -i "$picture"
fails 5 '' "$omma" run -m demo -p 'a<|im_end|>' --special reject
fails 5 '' "$omma" run -m demo -p "$(printf 'a\377')"
fails 5 '' "$omma" run -m demo -i "$picture" -p "$question" -c 100
fails 5 "$folder/none: No such file" "$omma" run -m demo -p x --system "@$folder/none"
fails 3 '' "$omma" run -m "$pictures" -p x

# Answers that fit a schema
echo '{"type": "object", "properties": {"n": {"enum": [1, 2]}, "s": {"type": "string", "maxLength": 3}}, "required": ["n", "s"]}' >"$folder/schema"
run "$omma" run -m demo -i "$picture" -p "$question" --json-schema "$folder/schema" --temperature 2 --seed 3
tr -d ' \n' <"$folder/out" | grep -q '^{"n":[12],"s":".*"}$' || complain "--json-schema: $(cat "$folder/out" "$folder/err")"
echo '{"const": "No."}' >"$folder/schema"
gives '"No."' "$omma" run -m demo -i "$picture" -p "$question" --json-schema "$folder/schema"
echo '{"items": {"pattern": "a"}}' >"$folder/schema"
fails 2 "$folder/schema: schema: #/items/pattern: not supported" "$omma" run -m demo -p x --json-schema "$folder/schema"
fails 5 "$folder/none: No such file" "$omma" run -m demo -p x --json-schema "$folder/none"

# Conversations: the dialogues that come with the pictures.  The answers of omma are the reference's.
for name in number shapes tall; do
    {
        echo "/image $pictures/$name.png"
        sed -n 's/.*"question": "\([^"]*\)".*/\1/p' "$pictures/$name.json"
    } >"$folder/in"
    sed -n 's/.*"answer": "\([^"]*\)".*/\1/p' "$pictures/$name.json" >"$folder/expected"
    run "$omma" run -m demo <"$folder/in"
    [ "$code" -eq 0 ] && [ -s "$folder/expected" ] && cmp -s "$folder/out" "$folder/expected" ||
        complain "dialogue $name: $code, $(cat "$folder/out" "$folder/err")"
done

# A conversation kept in a file: every call goes on with it; as if it were one.
{
    echo "/image $picture"
    echo "$question"
    echo 'Count the shapes.'
} >"$folder/in"
"$omma" run -m demo <"$folder/in" >"$folder/expected" 2>"$folder/err"
saved=$folder/saved
gives "$(head -n 1 "$folder/expected")" "$omma" run -m demo -i "$picture" -p "$question" --session "$saved"
[ -s "$saved" ] && [ ! -e "$saved.partial" ] || complain "--session keeps nothing"
cp "$saved" "$folder/first"
gives "$(tail -n +2 "$folder/expected")" "$omma" run -m demo -p 'Count the shapes.' --session "$saved" -v
grep -q ' tiles* in ' "$folder/err" && complain "--session: a picture was encoded again: $(cat "$folder/err")"
grep -q 'prompt of [0-9]* tokens (2[0-9][0-9] cached)' "$folder/err" || complain "--session: $(cat "$folder/err")"
cp "$folder/first" "$saved"
sed -n 3p "$folder/in" >"$folder/line"
run "$omma" run -m demo --session "$saved" <"$folder/line"
[ "$code" -eq 0 ] && [ "$(cat "$folder/out")" = "$(tail -n +2 "$folder/expected")" ] || complain "--session, a line: $code, $(cat "$folder/out" "$folder/err")"
run "$omma" run -m demo -p 'Count the shapes.' --session "$saved" --json
grep -q '"tiles": 0, .*"cached_tokens": 3[0-9][0-9]}' "$folder/out" || complain "--session --json: $(cat "$folder/out" "$folder/err")"
fails 2 "$saved has another system message" "$omma" run -m demo -p x --session "$saved" --system y
fails 5 "$saved: made by another model or with other options" "$omma" run -m demo -p x --session "$saved" --precision f32
fails 5 'the picture changed, or --max-tiles' "$omma" run -m demo -p x --session "$saved" --min-tiles 2
printf x >>"$saved"
fails 5 "$saved: damaged" "$omma" run -m demo -p x --session "$saved"
fails 2 '--dry-run does not go with --session' "$omma" run -m demo -p x --session "$saved" --dry-run
fails 7 "$folder/none/x.partial" "$omma" run -m demo -p x -n 1 --session "$folder/none/x"

# Commands; what fails is told and the conversation goes on
cat >"$folder/in" <<END
/image $folder/none.png
/image
/bogus
$question

/image $picture
$question
What do you see in <image>?
/save $folder/one.json
/save $folder/one.json
/reset
/image $pictures/number.png
/image $pictures/tall.png
Count the shapes.
/save $folder/two.json
/quit
$question
END
run "$omma" run -m demo <"$folder/in"
[ "$code" -eq 1 ] && [ "$(wc -l <"$folder/err")" -eq 5 ] && [ "$(wc -l <"$folder/out")" -eq 3 ] ||
    complain "commands: $code, $(cat "$folder/out" "$folder/err")"
grep -qF "$folder/one.json: File exists" "$folder/err" || complain "/save overwrites"
grep -qF '"text": "<image>\nHow many shapes are there?"' "$folder/one.json" || complain "placed later: $(cat "$folder/one.json")"
grep -qF '"text": "How many shapes are there?"' "$folder/one.json" || complain "first question: $(cat "$folder/one.json")"
grep -qF 'What do you see' "$folder/one.json" && complain "a failed question was kept"
grep -qF '"text": "Image-1: <image>\nImage-2: <image>\nCount the shapes."' "$folder/two.json" ||
    complain "two pictures: $(cat "$folder/two.json")"
[ "$(grep -c '"role"' "$folder/two.json")" -eq 2 ] || complain "/reset keeps turns: $(cat "$folder/two.json")"
# A bound for all pictures holds as more come: the first is cut anew.
cat >"$folder/in" <<END
/image $pictures/tall.png
Count the shapes.
/image $pictures/tall.png
Count the shapes.
END
run "$omma" run -m demo -v --max-tiles-total 3 <"$folder/in"
[ "$code" -eq 0 ] && [ "$(sed -n 's/.*pixels, \([0-9]*\) tiles.*/\1/p' "$folder/err" | tr '\n' ' ')" = '3 1 ' ] &&
    [ "$(sed -n 's/^omma run: \([0-9]*\) tiles* in .*/\1/p' "$folder/err" | tr '\n' ' ')" = '3 2 ' ] ||
    complain "--max-tiles-total in a conversation: $(cat "$folder/err")"
printf '%s' "$question" >"$folder/in" # no newline at the end
run "$omma" run -m demo -i "$picture" <"$folder/in"
[ "$code" -eq 0 ] && [ "$(cat "$folder/out")" = 'Two.' ] || complain "a last line without newline"

# CPUs and memory nodes
for numa in off shard mirror 'shard --mmap' 'shard --drop-cache'; do
    # shellcheck disable=SC2086 # words are meant
    run "$omma" run -m demo -v --numa $numa -t 2 -i "$picture" -p "$question"
    [ "$code" -eq 0 ] && [ "$(cat "$folder/out")" = 'Two.' ] || complain "--numa $numa: $(cat "$folder/err")"
    grep -qE "weights: numa ${numa%% *}, [0-9]+ memory node" "$folder/err" || complain "-v of --numa $numa: $(cat "$folder/err")"
done
cpu=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
run "$omma" run -m demo -v --cpus "$cpu" -i "$picture" -p "$question"
[ "$code" -eq 0 ] && grep -q '1 threads' "$folder/err" || complain "--cpus $cpu: $(cat "$folder/err")"
fails 2 'cpus: expected numbers of CPUs, such as 0-3,8, found "x"' "$omma" run -m demo --cpus x -p hi
fails 2 'this machine has no such CPU' "$omma" run -m demo --cpus 65000 -p hi
fails 2 '--mmap: a mirror is made of copies' "$omma" run -m demo --numa mirror --mmap -p hi
finish
