# batch_lib.sh - for the tests of omma batch, after lib.sh: a folder to work in, rows, and what must be kept of them.

cd "$folder" || exit 1
# shellcheck disable=SC2034  # used by those who read this
case $omma in /*) ;; *) omma=$OLDPWD/$omma ;; esac
case ${LD_LIBRARY_PATH-} in /* | '') ;; *) LD_LIBRARY_PATH=$OLDPWD/$LD_LIBRARY_PATH ;; esac
case $demo in /*) ;; *) demo=$OLDPWD/$demo pictures=$OLDPWD/$pictures source_dir=$OLDPWD/$source_dir ;; esac
mkdir in
cp "$pictures/shapes.png" in/
OMMA_MODEL=$demo
export OMMA_MODEL

# question TEXT [MORE]: a body without a picture.
question() { printf '{"messages":[{"role":"user","content":"%s"}],"max_tokens":8%s}' "$1" "${2-}"; }
# asked PICTURE TEXT: a body with one.
asked() {
    printf '{"max_tokens":8,"messages":[{"role":"user","content":[{"type":"text","text":"%s"},{"type":"image_url","image_url":{"url":"%s"}}]}]}' "$2" "$1"
}

# many_rows N: rows that take milliseconds, every 20th with a picture.
many_rows() {
    i=0
    while [ $i -lt "$1" ]; do
        case $i in
        *[02468]7) asked shapes.png "Tell me more, $i" ;;
        *) question "Tell me more, $i" ',"ignore_eos":true' ;;
        esac | sed 's/"max_tokens":8/"max_tokens":40/'
        echo
        i=$((i + 1))
    done
}

# kept NAME LOG: what LOG calls kept is in the journal of NAME.now, and all that was there before is there unchanged,
# with the times that it took.
kept() {
    run "$omma" batch --export -o "$1.now"
    [ "$code" -eq 0 ] || complain "--export: $code: $(cat "$folder/err")"
    sed -n 's/^omma batch: line \([0-9]*\): .*/\1/p' "$2" >acknowledged
    sed -n 's/^{"id":[^,]*,"line":\([0-9]*\),.*/\1/p' "$1.now" >there
    lost=$(grep -vxFf there acknowledged)
    [ -z "$lost" ] || complain "acknowledged and lost: rows $lost"
    [ ! -e "$1.before" ] || [ -z "$(grep -vxFf "$1.now" "$1.before")" ] || complain "rows were computed twice"
    mv "$1.now" "$1.before"
}
