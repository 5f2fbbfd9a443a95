#!/bin/sh
# fractions.sh: decoding beside the read bandwidth, a prefill of 512 tokens and a tile beside the peak, of
# random models cut to what fits a small machine: 1B, 8B with 6 layers, 78B with 1; bf16 and int8.  Prints each
# fraction with its target; exit 1 if one is below.  Medians of nine pairs; for a quiet machine, minutes.
#
# SIZES ("1B 8B 78B"), WEIGHTS ("bf16 int8"), REPEAT (9), OPTIONS (of omma bench: -t 1, --isa avx2) choose less.
set -eu
build=${OMMA_TEST_BUILDDIR:-.}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# judge SIZE WEIGHTS: the lines of JSON on standard input.
judge() {
    awk -v size="$1" -v weights="$2" '
    function text(key) {
        return match($0, "\"" key "\": \"[^\"]*\"") ? substr($0, RSTART + length(key) + 5, RLENGTH - length(key) - 6) : ""
    }
    function number(key) {
        return match($0, "\"" key "\": [-0-9.e+]+") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) : ""
    }
    function show(what, found, target, unit) {
        low = low || found < target
        printf "%-4s %-5s %-22s %6.1f %s, target %s%s\n", size, weights, what, found, unit, target,
            found < target ? "  LOW" : ""
    }
    NR == 1 {
        printf "%s, tier %s, %s threads\n", text("cpu"), text("isa"), number("n_threads")
    }
    {
        test = text("test")
        step[test] = number("median_s")
        fraction = number("fraction")
        if (test == "tg64@b4") {
            next
        }
        if (test ~ /^pp/ && (size != "1B" && size != "8B")) {
            next
        }
        target = test ~ /^tg/ ? (size == "1B" ? 90 : 95) : test ~ /^pp/ ? (weights == "int8" ? 70 : 80) : 76
        if (fraction == "") {
            printf "%-4s %-5s %-22s no fraction: %s\n", size, weights, test, text("no_fraction")
            low = 1
        } else {
            show(test " of " text("limit"), 100 * fraction, target, "%")
        }
    }
    END {
        if (step["tg64@b4"] > 0) {
            show("batch 4 over batch 1", 4 * step["tg64"] / step["tg64@b4"], 3.5, "x")
        }
        exit low || NR == 0
    }'
}

for size in ${SIZES:-1B 8B 78B}; do
    case $size in
    1B) cut= tiles=1 ;;
    8B) cut="--layers 6 --vit-layers 1" tiles=none ;;
    *) cut="--layers 1 --vit-layers 2" tiles=1 ;;
    esac
    for weights in ${WEIGHTS:-bf16 int8}; do
        # shellcheck disable=SC2086
        "$build/omma" bench --shape "$size" $cut --weights "$weights" -p 512 -n 64 -b 1,4 --tiles $tiles \
            -r "${REPEAT:-9}" -o jsonl ${OPTIONS-} > "$tmp/lines"
        judge "$size" "$weights" < "$tmp/lines" || failed=1
        tiles=none # the same with int8
    done
done
exit $failed
