#!/bin/sh
# layers.sh [ROOT]: read every #include of tools/, src/ and simd/ under ROOT (default: the source tree)
# and fail on an arrow up or sideways.  doc/architecture.md has the picture:
#
#     tools -> api/omma.h | api -> engine -> model -> tensor, format -> simd, platform -> base
#
# Siblings never include each other; format takes nothing of simd; a file of simd/ takes simd/ and base/
# only, and a file of a tier nothing of another tier.  api/omma.h, as the vocabulary of public types, may be
# included from all of src/.  config.h is free to all .c files.  The libraries below have their places too.
set -eu
root=${1-${OMMA_TEST_SRCDIR:-.}}
cd "$root"

find tools src simd \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.inc' \) ! -name Makefile.inc \
    2> /dev/null | sort > "${TMPDIR:-/tmp}/omma-layers.$$"
trap 'rm -f "${TMPDIR:-/tmp}/omma-layers.$$"' EXIT
[ -s "${TMPDIR:-/tmp}/omma-layers.$$" ] || { echo "no sources under $root"; exit 1; }

xargs awk '
BEGIN {
    n_layers = split("base simd platform format tensor model engine api tools", names)
    split("0 1 1 2 2 3 4 5 6", heights)
    for (i = 1; i <= n_layers; i++) {
        height[names[i]] = heights[i]
    }
    # Foreign headers that only these layers may see.
    place["hwloc.h"] = "platform"
    place["omp.h"] = "platform"
    place["cblas.h"] = "tensor"
    place["immintrin.h"] = place["x86intrin.h"] = place["arm_neon.h"] = place["cpuid.h"] = "simd"
    place["jpeglib.h"] = "format"
    place["png.h"] = "format tools"
    place["zlib.h"] = "format"
    place["jansson.h"] = "format model tools"
    place["pcre2.h"] = "model"
    place["utf8proc.h"] = "model tools"
    place["histedit.h"] = place["editline/readline.h"] = "tools"
    n_bad = 0
}

# "src/model/vision/x.c" -> "model"; "simd/avx2/x.c" -> "simd"; "tools/x.c" -> "tools"
function layer_of(path, part) {
    split(path, part, "/")
    return part[1] == "src" ? part[2] : part[1]
}

# "simd/avx2/x.c" -> "avx2"; "simd/x.c" and everything else -> ""
function tier_of(path, part) {
    return split(path, part, "/") == 3 && part[1] == "simd" && part[2] != "tmpl" ? part[2] : ""
}

function exists(path, line) {
    if (!(path in known)) {
        known[path] = (getline line < path) >= 0
        close(path)
    }
    return known[path]
}

function bad(why) {
    printf "%s:%d: #include \"%s\": %s\n", FILENAME, FNR, target, why
    n_bad++
}

# The path from the root that the include means, or "".
function resolve(name, folder, path) {
    folder = FILENAME
    sub("/[^/]*$", "", folder)
    if (exists(folder "/" name)) {
        path = folder "/" name
        while (sub(/[^\/]+\/\.\.\//, "", path)) {
        }
        return path
    }
    if (exists("src/" name)) {
        return "src/" name
    }
    # What SIMDe lacks: a header of the tests, for the kernels that they build in software.
    if ((FILENAME == "simd/x86.h" && name == "simd/simde_more.h") ||
        (FILENAME == "simd/arm.h" && name == "simd/simde_more_neon.h")) {
        return FILENAME
    }
    return exists(name) ? name : ""
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    target = $0
    sub(/^[^<]*</, "", target)
    sub(/>.*$/, "", target)
    from = layer_of(FILENAME)
    if (target in place && index(" " place[target] " ", " " from " ") == 0) {
        bad("belongs to " place[target])
    }
    next
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    target = $0
    sub(/^[^"]*"/, "", target)
    sub(/".*$/, "", target)
    if (target == "config.h") {
        if (FILENAME !~ /\.c$/) {
            bad("for .c files only")
        }
        next
    }
    path = resolve(target)
    if (path == "") {
        bad("no such file under src/ or the root")
        next
    }
    from = layer_of(FILENAME)
    to = layer_of(path)
    if (!(to in height)) {
        bad("not a layer")
    } else if (from == to) {
        if (from == "simd" && tier_of(path) != "" && tier_of(path) != tier_of(FILENAME)) {
            bad("sideways, into another tier")
        }
    } else if (path == "src/api/omma.h") {
        if (from == "simd") {
            bad("simd takes simd/ and base/ only")
        }
    } else if (from == "tools") {
        bad("tools take api/omma.h only")
    } else if (height[to] > height[from]) {
        bad("up, from " from " to " to)
    } else if (height[to] == height[from]) {
        bad("sideways, from " from " to " to)
    } else if (from == "format" && to == "simd") {
        bad("format takes platform and base only")
    }
    next
}

END {
    exit n_bad > 0
}' < "${TMPDIR:-/tmp}/omma-layers.$$"
