#!/bin/sh
# preprocess.sh: omma preprocess: grids, tiles as files, existing files (faults row G3).
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
shared=${OMMA_TEST_SHARED:-$source_dir/../shared}

gives 'grid 4 x 3, 13 tiles' "$omma" preprocess --size 640x480
gives 'grid 4 x 3, 12 tiles' "$omma" preprocess --size 640x480 --no-thumbnail
gives 'grid 2 x 2, 5 tiles' "$omma" preprocess --size 800x800 --max-tiles 4
gives '{"grid": [1, 1], "tiles": 1}' "$omma" preprocess --size 448x448 --json
for size in 0x1 1x 1 x1 axb 1x1x1 -1x1 99999999999999999999x1 '1 x1' 1x1.5; do
    fails 2 '' "$omma" preprocess --size "$size"
done
fails 2 'expected [IMAGE...]' "$omma" preprocess
gives "$pictures/tall.png: 448 x 896 pixels, grid 1 x 2, 3 tiles, 768 tokens" "$omma" preprocess "$pictures/tall.png"

# tiles: two of the picture and its thumbnail, which PNG's reader takes as they were cut
tiles=$folder/tiles
gives "{\"path\": \"$pictures/tall.png\", \"width\": 448, \"height\": 896, \"grid\": [1, 2], \"tiles\": 3, \
\"tokens\": 768, \"files\": [\"$tiles/tall-00.png\", \"$tiles/tall-01.png\", \"$tiles/tall-02.png\"]}" \
    "$omma" preprocess -o "$tiles" --json "$pictures/tall.png"
[ "$(ls "$tiles" | tr '\n' ' ')" = "tall-00.png tall-01.png tall-02.png " ] || complain "tiles: $(ls "$tiles")"
gives "$tiles/tall-00.png: 448 x 448 pixels, grid 1 x 1, 1 tiles, 256 tokens" "$omma" preprocess "$tiles/tall-00.png"
gives "$tiles/tall-00.png: 448 x 448 pixels, grid 1 x 1, 1 tiles, 256 tokens" \
    "$omma" preprocess -o "$folder/again" "$tiles/tall-00.png"
cmp -s "$tiles/tall-00.png" "$folder/again/tall-00-00.png" || complain "a tile's tile differs from it"

# G3: what exists is kept
cp "$tiles/tall-01.png" "$folder/kept"
rm "$tiles/tall-00.png"
echo mine >"$tiles/tall-01.png"
fails 2 "$tiles/tall-01.png exists; --force overwrites it" "$omma" preprocess -o "$tiles" "$pictures/tall.png"
[ "$(cat "$tiles/tall-01.png")" = mine ] && [ ! -e "$tiles/tall-00.png" ] || complain "files were touched"
run "$omma" preprocess -o "$tiles" --force "$pictures/tall.png"
[ "$code" -eq 0 ] && cmp -s "$tiles/tall-01.png" "$folder/kept" || complain "--force"
mkdir "$folder/other"
cp "$pictures/tall.png" "$folder/other/tall.jpg"
fails 2 "would write the same files" "$omma" preprocess -o "$tiles" "$pictures/tall.png" "$folder/other/tall.jpg"
fails 7 "/dev/null/x: Not a directory" "$omma" preprocess -o /dev/null/x "$pictures/tall.png"

# pictures that cannot be read: one alone fails the command, one of several does not stop it
echo text >"$folder/text.png"
fails 4 "$folder/text.png" "$omma" preprocess "$folder/text.png"
fails 4 "$folder/none.png" "$omma" preprocess "$folder/none.png"
run "$omma" preprocess "$folder/text.png" "$pictures/tall.png" "$folder/none.png" "$pictures/shapes.png"
[ "$code" -eq 1 ] && [ "$(wc -l <"$folder/out")" -eq 2 ] && [ "$(wc -l <"$folder/err")" -eq 2 ] ||
    complain "some pictures: $code, $(cat "$folder/out" "$folder/err")"

# lines
cat >"$folder/in" <<'END'
{"width": 640, "height": 480, "min": 1, "max": 12}
{"width": 640, "height": 480}
{"width": 640}
{"width": 640, "height": 0}
{"width": 640, "height": "480"}
{"width": 640, "height": 480.0}
{"width": 640, "height": 480, "min": 5, "max": 4}
{"width": 640, "height": 480, "min": 1, "max": 257}
{"width": 640, "height": 99999999999999999999}
[640, 480]
END
run "$omma" preprocess --jsonl <"$folder/in"
[ "$code" -eq 1 ] && [ "$(grep -c '^{"error": ".*"}$' "$folder/out")" -eq 8 ] &&
    [ "$(grep -cx '{"grid": \[4, 3\], "tiles": 13}' "$folder/out")" -eq 2 ] || complain "--jsonl: $(cat "$folder/out")"
if [ -r "$shared/reference/tiles.jsonl" ]; then
    grep '^{"width"' "$shared/reference/tiles.jsonl" >"$folder/in"
    sed 's/.*\("grid": .*}\)/{\1/' "$folder/in" >"$folder/expected"
    run "$omma" preprocess --jsonl <"$folder/in"
    [ "$code" -eq 0 ] && [ "$(wc -l <"$folder/in")" -ge 4000 ] && cmp -s "$folder/out" "$folder/expected" ||
        complain "the reference's grids"
else
    echo "not tested without $shared: the reference's grids"
fi
finish
