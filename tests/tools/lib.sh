# lib.sh - what the tests of the program share; read with `.`.
#
# Every check that fails is reported; finish tells at the end whether one did.

build_dir=${OMMA_TEST_BUILDDIR:-.}
omma=$build_dir/omma
if [ -x "$build_dir/.libs/omma" ]; then # libtool's wrapper takes ten times as long to start
    omma=$build_dir/.libs/omma
    LD_LIBRARY_PATH=$build_dir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
fi
source_dir=${OMMA_TEST_SRCDIR:-.}
demo=$source_dir/share/omma/demo
pictures=$demo/pictures
folder=$(mktemp -d "${TMPDIR:-/tmp}/omma-test-XXXXXX")
trap 'rm -rf "$folder"' EXIT
n_failed=0
unset OMMA_MODEL OMMA_MODEL_PATH OMMA_THREADS OMMA_CPUS OMMA_NUMA OMMA_ISA OMMA_PRECISION OMMA_GEMM OMMA_CHUNK OMMA_VISION_THREADS OMMA_CONTEXT

complain() {
    printf 'FAIL: %s\n' "$*"
    n_failed=$((n_failed + 1))
}

# run COMMAND...: its exit code, standard output and standard error in $code, $folder/out, $folder/err.
run() {
    code=0
    "$@" >"$folder/out" 2>"$folder/err" || code=$?
}

# fails CODE TEXT COMMAND...: it must exit with the code and say the text, a fixed string, on standard
# error, in a first line that names the program.
fails() {
    expected=$1 text=$2
    shift 2
    run "$@"
    [ "$code" -eq "$expected" ] || complain "$*: exit code $code, expected $expected"
    grep -qF -- "$text" "$folder/err" || complain "$*: no \"$text\" in: $(cat "$folder/err")"
    case $(head -n 1 "$folder/err") in
    omma*": error: "*) ;;
    *) complain "$*: the first line is no error: $(head -n 1 "$folder/err")" ;;
    esac
}

# gives TEXT COMMAND...: it must succeed and print just this.
gives() {
    expected=$1
    shift
    run "$@"
    [ "$code" -eq 0 ] || complain "$*: exit code $code: $(cat "$folder/err")"
    [ "$(cat "$folder/out")" = "$expected" ] ||
        complain "$*: printed \"$(cat "$folder/out")\", expected \"$expected\""
}

finish() {
    [ "$n_failed" -eq 0 ] || { echo "$n_failed checks failed"; exit 1; }
    exit 0
}
