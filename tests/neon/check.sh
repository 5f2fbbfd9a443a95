#!/bin/sh
# check.sh: make check-neon.  Cross-builds the kernels and tests/simd for 64-bit Arm, in the folder neon, and runs
# them under qemu-user on CPUs that have all tiers, that lack bf16 and i8mm, and that lack the dot product.
set -eu
: "${SRCDIR:?}" "${SOURCES:?}"
CROSS_CC=${CROSS_CC:-aarch64-linux-gnu-gcc}
QEMU=${QEMU:-qemu-aarch64}

for tool in "$CROSS_CC" "$QEMU"; do
    command -v "$tool" > /dev/null || {
        echo "check-neon: $tool is not installed" >&2
        echo "On Debian:  apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" >&2
        exit 1
    }
done

mkdir -p neon
"${MAKE:-make}" -C neon -f "$SRCDIR/tests/neon/cross.mk" SRCDIR="$SRCDIR" CROSS_CC="$CROSS_CC" SOURCES="$SOURCES" \
    NEON_CFLAGS="${NEON_CFLAGS-}" NEONDOT_CFLAGS="${NEONDOT_CFLAGS-}" NEONBF16_CFLAGS="${NEONBF16_CFLAGS-}"

# check_cpu CPU TIERS: the CPU must have these tiers, no more; then all tests on them.
check_cpu() {
    echo "== $1: $2"
    found=$("$QEMU" -cpu "$1" neon/tiers)
    [ "$found" = "$2" ] || {
        echo "check-neon: $1: expected the tiers \"$2\", found \"$found\"" >&2
        exit 1
    }
    "$QEMU" -cpu "$1" neon/kernels
}

check_cpu cortex-a72 "scalar neon"
check_cpu neoverse-n1 "scalar neon neondot"
check_cpu max "scalar neon neondot neonbf16"
echo "check-neon: passed"
