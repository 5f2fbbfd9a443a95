#!/bin/sh
# manual_options.sh: the tables of options and the manual pages name the same options, letters and
# variables; bash takes the completion that is made from the tables.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"

"$omma" help --options >"$folder/options" || complain "help --options"
for command in $(cut -d' ' -f1 "$folder/options" | sort -u); do
    page=$source_dir/man/omma-$command.1
    [ -r "$page" ] || { complain "$command has no manual page"; continue; }
    # "--image -i" or "--json -", from the table and from lines ".It Fl i , Fl -image Ar FILE"
    { awk -v c="$command" '$1 == c { print $2, $3 }' "$folder/options"; echo "--help -h"; } |
        sort >"$folder/table"
    sed -n 's/^\.It Fl \([a-zA-Z]\) , Fl -\([a-z0-9-]*\).*/--\2 -\1/p; s/^\.It Fl -\([a-z0-9-]*\).*/--\1 -/p' "$page" |
        sort >"$folder/page"
    diff "$folder/table" "$folder/page" >"$folder/diff" ||
        complain "omma-$command.1 (>) and the table of options (<) differ: $(cat "$folder/diff")"
    # variables
    awk -v c="$command" '$1 == c && $4 != "-" { print $4 }' "$folder/options" | sort >"$folder/table"
    sed -n 's/^\.It Ev \(OMMA_[A-Z_]*\).*/\1/p' "$page" | sort >"$folder/page"
    diff "$folder/table" "$folder/page" >"$folder/diff" ||
        complain "omma-$command.1 (>) and the table of variables (<) differ: $(cat "$folder/diff")"
done
[ "$(wc -l <"$folder/options")" -gt 30 ] || complain "only $(wc -l <"$folder/options") options"

if command -v bash >/dev/null; then
    "$omma" help --completion >"$folder/completion" || complain "help --completion"
    # complete WORD...: what bash offers for the last word
    complete() {
        bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _omma; echo "${COMPREPLY[*]}"' \
            "$folder/completion" "$@"
    }
    [ "$(complete omma tok)" = "tokenize" ] || complain "completion of a command: $(complete omma tok)"
    [ "$(complete omma run --rep)" = "--repetition-penalty" ] || complain "completion of an option"
    [ "$(complete omma run --precision b)" = "bf16" ] || complain "completion of a choice"
    [ "$(complete omma run -t '')" = "" ] || complain "completion of a number"
    touch "$folder/picture.png"
    [ "$(complete omma run -i "$folder/pict")" = "$folder/picture.png" ] || complain "completion of a file"
    [ "$(complete omma preprocess "$folder/pict")" = "$folder/picture.png" ] || complain "completion of an operand"
fi
finish
