# lib.sh - what the tests with other people's clients share; read with `.`.
#
# PACKAGES are installed by pip into a folder of the build tree (CLIENTS_VENV names another one).  Exit code 77 with
# a reason where that cannot be done.

. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
venv=${CLIENTS_VENV:-$build_dir/tests/clients/venv}

skip() {
    echo "skipped: $*"
    exit 77
}

# need_packages PACKAGE...
need_packages() {
    command -v python3 >/dev/null || skip "no python3"
    mkdir -p "$(dirname "$venv")"
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" >"$folder/venv" 2>&1 ||
        skip "python3 -m venv: $(tail -n 1 "$folder/venv")"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@" >"$folder/pip" 2>&1 ||
        skip "pip install $*: $(tail -n 1 "$folder/pip")"
}

# start_server ARGUMENT...: omma serve on a free port; its address in $base.
start_server() {
    "$omma" serve -m "$demo" --port 0 "$@" >"$folder/server" 2>"$folder/server_err" &
    server=$!
    trap 'kill $server 2>/dev/null; rm -rf "$folder"' EXIT
    while ! grep -q '^listening on ' "$folder/server" 2>/dev/null; do
        kill -0 $server 2>/dev/null || { cat "$folder/server_err"; exit 1; }
        sleep 0.1
    done
    base=$(sed -n 's/^listening on //p' "$folder/server")/v1
}
