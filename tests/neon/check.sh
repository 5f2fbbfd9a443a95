#!/bin/sh
# check.sh: make check-neon.  Cross-builds the kernels and tests/simd for 64-bit Arm, in the folder neon, looks for sums
# that do not stay in registers, and runs the tests under qemu-user on CPUs that have all tiers, that lack bf16 and i8mm,
# and that lack the dot product.
set -eu
: "${SRCDIR:?}" "${SOURCES:?}"
CROSS=${CROSS:-aarch64-linux-gnu}
QEMU=${QEMU:-qemu-aarch64}
make=${MAKE:-make}

die() { echo "check-neon: $*" >&2; exit 1; }

for tool in "$CROSS-gcc" "$CROSS-objdump" "$QEMU"; do
    command -v "$tool" > /dev/null || die "$tool is not installed; on Debian:
    apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
done

mkdir -p neon
"$make" -C neon -f "$SRCDIR/tests/neon/cross.mk" SRCDIR="$SRCDIR" CROSS_CC="$CROSS-gcc" SOURCES="$SOURCES" \
    NEON_CFLAGS="${NEON_CFLAGS-}" NEONDOT_CFLAGS="${NEONDOT_CFLAGS-}" NEONBF16_CFLAGS="${NEONBF16_CFLAGS-}"
"$CROSS-objdump" -d --no-show-raw-insn neon/simd/neon*/*.o | awk -f "$SRCDIR/tests/simd/spills.awk"

# check_cpu CPU TIERS: the CPU must have these tiers, no more; then all tests on them.
check_cpu() {
    echo "== $1: $2"
    found=$("$QEMU" -cpu "$1" neon/tiers)
    [ "$found" = "$2" ] || die "$1: expected the tiers \"$2\", found \"$found\""
    "$QEMU" -cpu "$1" neon/kernels
}

check_cpu cortex-a72 "scalar neon"
check_cpu neoverse-n1 "scalar neon neondot"
check_cpu max "scalar neon neondot neonbf16"

echo "check-neon: passed"
