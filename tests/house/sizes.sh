#!/bin/sh
# sizes.sh: a report, no check: files and functions beyond the lengths of doc/style.md (files 600 lines,
# functions 60, outside simd/ none over 100).  Functions are found by their layout: the brace that
# opens and the one that closes stand alone in the first column.
set -eu
cd "${OMMA_TEST_SRCDIR:-.}"
find src simd tools bench -name '*.[ch]' | sort | xargs awk '
FNR == 1 {
    if (file != "") {
        files[file] = last
    }
    file = FILENAME
    name = ""
}
{ last = FNR }
/^[A-Za-z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^{/ { begin = FNR }
/^}/ && begin && name != "" {
    n = FNR - begin + 1
    n_functions++
    total += n
    if (n > 60) {
        long++
        printf "function %4d lines  %s:%d %s\n", n, FILENAME, begin, name
    }
    begin = 0
    name = ""
}
END {
    files[file] = last
    for (f in files) {
        n_files++
        lines += files[f]
        if (f ~ /\.c$/ && files[f] > 600) {
            printf "file     %4d lines  %s\n", files[f], f
        }
    }
    if (n_functions == 0) {
        print "no functions found"
        exit 1
    }
    printf "%d lines in %d files; %d functions of %.0f lines on average, %d over 60\n", lines, n_files, n_functions, total / n_functions, long
}'
