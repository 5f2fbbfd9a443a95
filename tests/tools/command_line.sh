#!/bin/sh
# command_line.sh: bad command lines (faults rows G1 and G2), help, names of models, exit codes.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"

# G1: what is no number, or out of its range
for option in --threads --chunk --max-tiles --min-tiles --max-tiles-total --max-tokens --context --top-k; do
    for value in 0 -1 1e9 abc 99999999999999999999 '' ' 1' 1.5; do
        fails 2 "$option: expected a whole number from 1 to" "$omma" run -m "$demo" -p x $option "$value"
        fails 2 "found \"$value\"" "$omma" run -m "$demo" -p x $option "$value"
    done
done
for option in --temperature --top-p --min-p --repetition-penalty --frequency-penalty --presence-penalty; do
    for value in nan -2.5 1e308 inf x '' 0,5; do
        fails 2 "$option: expected a number from" "$omma" run -m "$demo" -p x $option "$value"
    done
done
fails 2 "--top-p: expected a number from 1e-06 to 1, found \"0\"" "$omma" run -m "$demo" -p x --top-p 0
fails 2 "--special: expected literal|reference|reject" "$omma" run -m "$demo" -p x --special maybe
fails 2 "--precision: expected auto|bf16|f32" "$omma" run -m "$demo" -p x --precision f16
fails 2 "--isa: expected " "$omma" run -m "$demo" -p x --isa sse9
fails 2 "unknown or ambiguous option --bogus" "$omma" run --bogus
fails 2 "unknown option -z" "$omma" run -z
fails 2 "--prompt: its argument TEXT is missing" "$omma" run -p
fails 2 "--json takes no argument" "$omma" run --json=yes
fails 2 "--image: expected FILE, found nothing" "$omma" run --image ''
fails 2 "unknown command \"bogus\"" "$omma" bogus
fails 2 "expected a command" "$omma"
fails 2 "unexpected argument \"picture.png\"" "$omma" run -m "$demo" -p x picture.png
fails 2 "expected a model: -m MODEL" "$omma" run -p x
fails 2 "expected a model: -m MODEL" "$omma" info

# G2: what contradicts
fails 2 "--prompt is given twice" "$omma" run -m "$demo" -p x -p y
fails 2 "--json needs --prompt" "$omma" run -m "$demo" --json
fails 2 "--min-tiles 5 is more than --max-tiles 3" "$omma" run -m "$demo" -p x --min-tiles 5 --max-tiles 3
fails 2 "--min-tiles 5 is more than --max-tiles-total 3" \
    "$omma" run -m "$demo" -p x --min-tiles 5 --max-tiles-total 3
for option in --top-k --seed; do
    fails 2 "$option needs --temperature above 0" "$omma" run -m "$demo" -p x $option 5
done
fails 2 "--json and --jsonl exclude each other" "$omma" tokenize -m "$demo" --json --jsonl
fails 2 "unexpected argument" "$omma" tokenize -m "$demo" --jsonl text
fails 2 "--size and --jsonl exclude each other" "$omma" preprocess --size 1x1 --jsonl
fails 2 "--size and --output exclude each other" "$omma" preprocess --size 1x1 -o "$folder/x"
fails 2 "unexpected argument" "$omma" preprocess --size 1x1 picture.png
fails 2 "--force needs --output" "$omma" preprocess --force picture.png
fails 2 "--model and MODEL exclude each other" "$omma" info -m "$demo" "$demo"

# mirrors in the environment
OMMA_THREADS=many fails 2 "OMMA_THREADS: expected a whole number from 1 to 4096" "$omma" run -m "$demo" -p x
OMMA_PRECISION=f16 fails 2 "OMMA_PRECISION: expected auto|bf16|f32" "$omma" run -m "$demo" -p x
OMMA_ISA=sse9 fails 2 "--isa: expected " "$omma" run -m "$demo" -p x

# names of models
fails 3 "./nowhere: No such file or directory" "$omma" info ./nowhere
OMMA_MODEL_PATH=$folder/a:$folder/b fails 3 "found neither here nor in $folder/a, $folder/b, " "$omma" info nowhere
mkdir -p "$folder/a/demo" "$folder/b" "$folder/here/demo"
ln -s "$demo" "$folder/b/other"
OMMA_MODEL_PATH=$folder/a:$folder/b run "$omma" info other
grep -q "^model  *$folder/b/other$" "$folder/out" || complain "the second folder of OMMA_MODEL_PATH"
OMMA_MODEL_PATH=$folder/a fails 3 "$folder/a/demo" "$omma" info demo # before the one that is built in
run "$omma" info demo
[ "$code" -eq 0 ] || complain "the demo model is not found from the build tree: $(cat "$folder/err")"
cd "$folder/here" || exit 1
fails 3 "error: demo: expected model.safetensors" "$omma" info demo # an existing path wins
grep -q "$folder/a" "$folder/err" && complain "an existing path does not win"
cd / || exit 1

# help
for command in run info tokenize preprocess compare perplexity eval bench doctor help; do
    run "$omma" "$command" --help
    [ "$code" -eq 0 ] && grep -q "^usage: omma $command" "$folder/out" || complain "$command --help"
    cp "$folder/out" "$folder/help"
    run "$omma" help "$command"
    cmp -s "$folder/out" "$folder/help" || complain "help $command differs from $command --help"
    run "$omma" help
    grep -q "^  $command " "$folder/out" || complain "help lacks $command"
    [ "$(awk 'length > 100' "$folder/help")" = "" ] || complain "$command --help has long lines"
done
fails 2 "unknown command \"bogus\"" "$omma" help bogus
run "$omma" --version
[ "$code" -eq 0 ] && grep -q "^kernel tiers:.* scalar" "$folder/out" || complain "--version"
for library in hwloc jansson libcrypto libedit libjpeg libmicrohttpd libpng openblas pcre2 sqlite utf8proc; do
    grep -q "$library [0-9]" "$folder/out" || complain "--version lacks $library"
done

finish
