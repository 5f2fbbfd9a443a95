#!/bin/sh
# manual_api.sh: omma(3) names every exported call with the arguments that omma.h gives it, and its
# example compiles.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"

# "omma_x: type name, type name" from the header without comments, and from the page
sed 's,/\*.*\*/,,; /\/\*/,/\*\//d' "$source_dir/src/api/omma.h" | tr '\n' ' ' | tr -s ' ' | tr ';' '\n' |
    sed -n 's/^.*[ *]\(omma_[a-z_0-9]*\)(\([^()]*\)) *$/\1: \2/p' | sort >"$folder/header"
sed -n 's/^\.Fn \(omma_[a-z_0-9]*\) "\(.*\)"$/\1: \2/p' "$source_dir/man/omma.3" | sed 's/" "/, /g' |
    sort >"$folder/page"
[ "$(wc -l <"$folder/header")" -ge 40 ] || complain "only $(wc -l <"$folder/header") calls found in omma.h"
diff "$folder/header" "$folder/page" || complain "omma.h (<) and omma(3) (>) differ"

if command -v cc >/dev/null; then
    {
        printf '#include <stdio.h>\n#include <string.h>\n#include "omma.h"\n'
        echo 'void example(const char *folder, const char *path, const char *text);'
        echo 'void example(const char *folder, const char *path, const char *text) {'
        sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$source_dir/man/omma.3" | sed '1,/^\.Bd/d; /^\.Ed/d'
        echo '}'
    } >"$folder/example.c"
    cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -I "$source_dir/src/api" "$folder/example.c" ||
        complain "the example of omma(3)"
fi
finish
