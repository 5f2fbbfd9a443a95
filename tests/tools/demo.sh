#!/bin/sh
# demo.sh: the demo model answers the shipped dialogues as the reference does, in f32 on every tier of
# kernels: as conversations, whose later questions build on the answers before.
set -eu
demo=${OMMA_TEST_SRCDIR:-.}/share/omma/demo
omma=${OMMA_TEST_BUILDDIR:-.}/omma
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0 count=0
# those that this CPU runs: --version marks the others "(not on this CPU)"
tiers=$("$omma" --version | sed -n 's/ *[^ ]* ([^)]*)//g; s/^kernel tiers: *//p')

# field NAME FILE: the strings of a field, one a line (the files have one turn a line, without escapes).
field() {
    sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$2"
}

for dialogue in "$demo"/pictures/*.json; do
    picture=$demo/pictures/$(field picture "$dialogue")
    field question "$dialogue" > "$tmp/questions"
    field answer "$dialogue" > "$tmp/expected"
    [ -s "$tmp/expected" ] || { echo "$dialogue: no answers found"; exit 1; }
    for tier in $tiers; do
        "$omma" run -m "$demo" --image "$picture" --precision f32 --isa "$tier" \
            < "$tmp/questions" > "$tmp/answers"
        if ! cmp -s "$tmp/expected" "$tmp/answers"; then
            echo "$dialogue on $tier: expected and found:"
            diff "$tmp/expected" "$tmp/answers" || true
            failed=1
        fi
        count=$((count + 1))
    done
done
[ $count -gt 0 ] || { echo "no dialogues found"; exit 1; }
exit $failed
