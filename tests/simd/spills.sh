#!/bin/sh
# spills.sh: no inner loop of multiply-adds of the x86 tiers keeps sums on the stack, as gcc does where it orders
# instructions without regard to the registers.  What spills.awk reads is what the compiler in use made; before that it
# must find a kernel of more sums than there are registers.
set -eu
source=${OMMA_TEST_SRCDIR:-.} build=${OMMA_TEST_BUILDDIR:-.}
objdump=${OBJDUMP:-objdump}
skip() { echo "skip: $*"; exit 77; }

command -v "$objdump" > /dev/null || skip "objdump is not installed (binutils)"
[ "${SANITIZERS-}" != yes ] || skip "sanitizers need registers of their own"
! ${CC:-cc} --version | grep -q clang || skip "clang 14 keeps sums of some GEMVs in memory: gcc makes the faster kernels"
level=$(printf '%s\n' ${KERNEL_CFLAGS-} | grep '^-O' | tail -n 1) || true
case $level in
-O2 | -O3 | -Ofast) ;;
*) skip "the kernels were not built with -O2 or more" ;;
esac
objects=$(find "$build"/simd/avx* -name '*.o' -path '*/.libs/*' 2> /dev/null | sort)
[ -n "$objects" ] || objects=$(find "$build"/simd/avx* -name '*.o' 2> /dev/null | sort)
[ -n "$objects" ] || skip "no tier of x86 is built"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat > "$tmp/gemm.c" << 'END'
#include <immintrin.h>
void spill(const float *a, const float *b, float *c, long k);
void spill(const float *a, const float *b, float *c, long k)
{
    __m256 sums[20];
    for (int i = 0; i < 20; i++) {
        sums[i] = _mm256_setzero_ps();
    }
    for (; k > 0; k--, a += 20, b += 8) {
        __m256 vb = _mm256_loadu_ps(b);
#pragma GCC unroll 20
        for (int i = 0; i < 20; i++) {
            sums[i] = _mm256_fmadd_ps(_mm256_set1_ps(a[i]), vb, sums[i]);
        }
    }
    for (int i = 0; i < 20; i++) {
        _mm256_storeu_ps(c + 8 * i, sums[i]);
    }
}
END
${CC:-cc} -O2 ${AVX2_CFLAGS-} -c -o "$tmp/gemm.o" "$tmp/gemm.c"
if "$objdump" -d --no-show-raw-insn "$tmp/gemm.o" | awk -f "$source/tests/simd/spills.awk" > "$tmp/found"; then
    cat "$tmp/found"
    echo "a kernel of 20 sums in 16 registers was not found to spill"
    exit 1
fi
grep -q 'sums go to the stack' "$tmp/found" || { cat "$tmp/found"; echo "not found for what it is"; exit 1; }

"$objdump" -d --no-show-raw-insn $objects | awk -f "$source/tests/simd/spills.awk"
