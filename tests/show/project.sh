#!/bin/sh
# project.sh: whole models (1B, 2B) as measured, and as projected on this machine from two layers of each
# kind, with the error; exit 1 if one is off by more than 15 %.  The projection gets the bandwidth that the
# measurement had, which changes on a virtual machine.  For a quiet machine.
set -eu
build=${OMMA_TEST_BUILDDIR:-.}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# number FILE KEY: the last number of this name.
number() {
    sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" "$1" | tail -n 1
}

for size in ${SIZES:-1B 2B}; do
    "$build/omma" bench --shape "$size" -p 512 -n 64 --tiles 1 -r "${REPEAT:-5}" -o jsonl > "$tmp/whole"
    for test in pp512 tg64 vit1; do
        grep "\"test\": \"$test\"" "$tmp/whole" > "$tmp/$test"
    done
    awk -v read="$(number "$tmp/tg64" read_bytes_per_s)" -v work="$(number "$tmp/tg64" work)" \
        -v step="$(number "$tmp/tg64" median_s)" -v fraction="$(number "$tmp/tg64" fraction)" \
        -v threads="$(number "$tmp/tg64" n_threads)" -v clock="$(number "$tmp/tg64" clock_hz)" \
        -v line="$(cat "$tmp/tg64")" '
    # multiply-adds a cycle of one kind
    function per_cycle(kind) {
        sub(".*\"" kind "\": {\"per_s\": ", "", line)
        return (line + 0) / (threads * clock)
    }
    BEGIN {
        if (fraction + 0 > 0) {
            read = work / step / fraction
        }
        clock = clock + 0
        printf "{\"name\": \"this machine\", \"tier\": \"as here\", \"nodes\": 1, \"cores_per_node\": %d,\n", threads
        printf "\"clock_ghz\": %.6f, \"read_gb_per_s\": %.6f", clock * 1e-9, read * 1e-9
        n = split("f32 bf16 int8", kinds, " ")
        for (i = 1; i <= n; i++) {
            rate = per_cycle(kinds[i])
            if (rate >= 1) {
                printf ", \"%s_per_cycle\": %.6f", kinds[i], rate
            }
        }
        printf "}\n"
    }' > "$tmp/machine.json"
    "$build/omma" bench --shape "$size" --project "$tmp/machine.json" -r "${REPEAT:-5}" -o json > "$tmp/projected"
    awk -v size="$size" -v cpu="$(sed -n 's/.*"cpu": "\([^"]*\)".*/\1/p' "$tmp/tg64")" \
        -v isa="$(sed -n 's/.*"isa": "\([^"]*\)".*/\1/p' "$tmp/tg64")" \
        -v pp="$(number "$tmp/pp512" median_s)" -v tg="$(number "$tmp/tg64" median_s)" \
        -v vit="$(number "$tmp/vit1" median_s)" -v pp_projected="$(number "$tmp/projected" prefill_s)" \
        -v tg_projected="$(sed -n 's/.*"step_s": \([-0-9.e+]*\).*/\1/p' "$tmp/projected" | head -n 1)" \
        -v vit_projected="$(number "$tmp/projected" tile_s)" '
    function compare(name, measured, projected) {
        error = 100 * (projected / measured - 1)
        printf "%-4s %-6s measured %9.2f ms, projected %9.2f ms: %+.1f %%\n", size, name, 1e3 * measured,
            1e3 * projected, error
        low = low || error > 15 || error < -15
    }
    BEGIN {
        printf "%s, tier %s\n", cpu, isa
        compare("pp512", pp, pp_projected)
        compare("tg64", tg, tg_projected)
        compare("vit1", vit, vit_projected)
        exit low
    }' || failed=1
done
exit "${failed-0}"
