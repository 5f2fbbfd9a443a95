#!/bin/sh
# compare_dumps.sh: omma compare on every dump of the reference data, in chunks of several sizes, in f32 and
# bf16, on every tier that this CPU has; and what it must refuse.
#
#   compare_dumps.sh [all]    all: every chunk on the scalar tier too, which takes minutes
#
# $PRECISIONS narrows f32 and bf16 down to one.
set -eu
build=${OMMA_TEST_BUILDDIR:-.} reference=${OMMA_TEST_SHARED:-../shared}/reference
omma=$build/omma
out=$(mktemp) folder=$(mktemp -d)
trap 'rm -rf "$out" "$folder"' EXIT
[ -d "$reference/dumps" ] || { echo "needs reference/dumps of the reference data"; exit 77; }

failed=0 n=0
compare() # the options of omma compare
{
    n=$((n + 1))
    if ! "$omma" compare --image-dir "$reference/../images" "$@" > "$out" 2>&1; then
        echo "omma compare $*"
        cat "$out"
        failed=1
    fi
}

tiers=$("$omma" --version | sed -n 's/[a-z0-9]* (not on this CPU)//g; s/^kernel tiers://p')
[ -n "$tiers" ] || { echo "omma --version names no tier"; exit 1; }
for dump in "$reference"/dumps/*.safetensors; do
    name=$(basename "$dump" .safetensors)
    case $name in
    *-int8) continue ;;
    esac
    for isa in $tiers; do
        chunks="64 256 512"
        [ "$isa" != scalar ] || [ "${1-}" = all ] || chunks=256
        [ "${SANITIZERS-}" != yes ] || chunks=64 # what is read and written is much the same in all
        for chunk in $chunks; do
            for precision in ${PRECISIONS:-f32 bf16}; do
                compare -m "$reference/${name%-*}" --reference "$dump" --isa "$isa" \
                    --chunk "$chunk" --precision "$precision"
            done
        done
    done
done
[ "$n" -gt 0 ] || { echo "no dump compared"; exit 1; }
echo "$n comparisons"

# A wrong model is not within: exit code 1.
code=0
"$omma" compare -m "$reference/tiny-6b" --reference "$reference/dumps/tiny-300m-text.safetensors" \
    > "$out" 2>&1 || code=$?
[ $code -eq 1 ] || { echo "another model's dump: exit code $code, expected 1"; cat "$out"; failed=1; }

# A tolerance that nothing can meet marks its stage.
code=0
"$omma" compare -m "$reference/tiny-300m" --tolerance language.layer.1=0 \
    --reference "$reference/dumps/tiny-300m-text.safetensors" > "$out" 2>&1 || code=$?
[ $code -eq 1 ] && grep -q 'language.layer.1 is the first stage beyond' "$out" ||
    { echo "no tolerance: exit code $code"; cat "$out"; failed=1; }

# A wrong epsilon shows, of either tower.
for wrong in 's/"rms_norm_eps": 1e-06/"rms_norm_eps": 1e-05/' \
    's/"layer_norm_eps": 1e-06/"layer_norm_eps": 1e-05/'; do
    rm -rf "$folder/model" && mkdir "$folder/model" && cp "$reference"/tiny-300m/* "$folder/model"
    chmod u+w "$folder/model/config.json"
    sed "$wrong" "$reference/tiny-300m/config.json" > "$folder/model/config.json"
    cmp -s "$reference/tiny-300m/config.json" "$folder/model/config.json" &&
        { echo "$wrong changes nothing"; failed=1; }
    code=0
    "$omma" compare -m "$folder/model" --image-dir "$reference/../images" \
        --reference "$reference/dumps/tiny-300m-tiles.safetensors" > "$out" 2>&1 || code=$?
    [ $code -eq 1 ] && grep -q '<-- the first' "$out" ||
        { echo "$wrong: exit code $code"; cat "$out"; failed=1; }
done

# Another picture of the same name: other tiles, another prompt, and nothing else is compared.
cp "$reference/../images/image1.jpg" "$folder/image4.jpg"
code=0
"$omma" compare -m "$reference/tiny-300m" --image-dir "$folder" \
    --reference "$reference/dumps/tiny-300m-tiles.safetensors" > "$out" 2>&1 || code=$?
[ $code -eq 1 ] && grep -q '^ids  *DIFFERENT' "$out" && ! grep -q '  within$' "$out" ||
    { echo "another picture: exit code $code"; cat "$out"; failed=1; }

# The dump of the quantized model: single operators, and distances to the unquantized model's stages.
compare_int8() # the model, its name in the reference, the dump, options
{
    quantized=$1 name=$2 dump=$3
    shift 3
    compare -m "$quantized" --unquantized "$reference/$name" --reference "$dump" "$@"
}
for isa in $tiers; do
    for precision in ${PRECISIONS:-f32 bf16}; do
        compare_int8 "$reference/tiny-300m-int8" tiny-300m "$reference/dumps/tiny-300m-int8.safetensors" \
            --isa "$isa" --precision "$precision" --chunk 128
        grep -c '^layers.*within$' "$out" | grep -qx 14 || { echo "$isa: not 14 operators"; failed=1; }
    done
done

# Weights alone in int8 are another distance away.
code=0
"$omma" compare -m "$reference/tiny-300m-int8" --unquantized "$reference/tiny-300m" \
    --image-dir "$reference/../images" --int8-activations off \
    --reference "$reference/dumps/tiny-300m-int8.safetensors" > "$out" 2>&1 || code=$?
[ $code -eq 1 ] && grep -q 'language.layer.0 is the first stage beyond' "$out" ||
    { echo "int8 weights alone: exit code $code"; cat "$out"; failed=1; }

# A model that is not quantized is not what the dump is of.
code=0
"$omma" compare -m "$reference/tiny-300m" --image-dir "$reference/../images" \
    --reference "$reference/dumps/tiny-300m-int8.safetensors" > "$out" 2>&1 || code=$?
[ $code -eq 2 ] && grep -q 'a dump of a quantized model' "$out" ||
    { echo "int8 dump, unquantized model: exit code $code"; cat "$out"; failed=1; }
exit $failed
