#!/bin/sh
# summary.sh BUILD: what `make check` in the folder BUILD came to: programs that failed with the end of
# their logs, what was skipped and why, and one line with the sums.  A program of cmocka counts with its
# tests, any other as one.
set -eu
cd "$1"
passed=0 failed=0 skipped=0

# sum WORD LOG: cmocka closes each group with "[  PASSED  ] 5 test(s)."
sum() {
    sed -n "s/^\[ *$1 *\] \([0-9]*\) test(s).*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

for trs in $(find tests -name '*.trs' | sort); do
    log=${trs%.trs}.log
    result=$(sed -n 's/^:global-test-result: *\([A-Z]*\).*/\1/p' "$trs")
    p=$(sum PASSED "$log") f=$(sum FAILED "$log") s=$(sum SKIPPED "$log")
    case $result in
    PASS | XFAIL) [ $((p + f + s)) -gt 0 ] || p=1 ;;
    SKIP) s=1 ;;
    *)
        [ "$f" -gt 0 ] || f=1
        printf '\n%s: %s, the end of %s:\n' "${trs%.trs}" "$result" "$PWD/$log"
        tail -n 40 "$log"
        ;;
    esac
    if [ "$s" -gt 0 ]; then
        printf '%s: %s skipped\n' "${trs%.trs}" "$s"
        grep -hE '^needs |^skip' "$log" | sort -u | sed 's/^/    /' || true
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "omma: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
