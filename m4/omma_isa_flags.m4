# OMMA_ISA_FLAGS
# Each tier of kernels is a convenience library with flags of its own; the rest of omma is built for the
# baseline of the architecture.  A tier that the compiler cannot build is left out and named in the summary.
# Loops of avx2 begin at lines: where one of the int8 products straddles them, it is 3 % slower on Zen 4.
m4_define([omma_avx2_flags], [-mavx2 -mfma -mf16c -mbmi2 -falign-loops=64])
m4_define([omma_avx512_flags],
    [-mavx2 -mfma -mf16c -mbmi2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512])

AC_DEFUN([OMMA_ISA_FLAGS], [
    OMMA_ISA_TIER([AVX2], [m4_normalize(omma_avx2_flags)],
        [[#include <immintrin.h>]], [[return _mm256_movemask_ps(_mm256_setzero_ps());]])
    OMMA_ISA_TIER([AVXVNNI], [m4_normalize(omma_avx2_flags -mavxvnni)],
        [[#include <immintrin.h>]],
        [[__m256i a = _mm256_setzero_si256();
          __asm__("%{vex%} vpdpbusd %1, %1, %0" : "+x"(a) : "x"(a));
          return _mm256_movemask_epi8(_mm256_dpbusd_avx_epi32(a, a, a));]])
    OMMA_ISA_TIER([AVX512], [m4_normalize(omma_avx512_flags)],
        [[#include <immintrin.h>]],
        [[return (int)_mm512_reduce_add_ps(_mm512_cvtepi32_ps(_mm512_maskz_abs_epi8(1, _mm512_setzero_si512())));]])
    OMMA_ISA_TIER([AVX512VNNI], [m4_normalize(omma_avx512_flags -mavx512vnni)],
        [[#include <immintrin.h>]],
        [[__m512i a = _mm512_setzero_si512();
          return _mm512_reduce_add_epi32(_mm512_dpbusd_epi32(a, a, a));]])
    OMMA_ISA_TIER([AVX512BF16], [m4_normalize(omma_avx512_flags -mavx512vnni -mavx512bf16)],
        [[#include <immintrin.h>]],
        [[__m512bh a = _mm512_cvtne2ps_pbh(_mm512_setzero_ps(), _mm512_setzero_ps());
          return (int)_mm512_reduce_add_ps(_mm512_dpbf16_ps(_mm512_setzero_ps(), a, a));]])
    OMMA_ISA_TIER([AMX], [m4_normalize(omma_avx512_flags -mavx512vnni -mavx512bf16 -mamx-tile -mamx-bf16 -mamx-int8)],
        [[#include <immintrin.h>]],
        [[_tile_zero(0); _tile_dpbf16ps(0, 1, 2); _tile_dpbssd(0, 1, 2); _tile_release(); return 0;]])
    OMMA_NEON_SCHEDULING
    OMMA_ISA_TIER([NEON], [$omma_neon_scheduling], [[#include <arm_neon.h>]],
        [[float32x4_t a = vdupq_n_f32(0);
          return (int)vaddvq_f32(vfmaq_laneq_f32(a, a, a, 3));]])
    OMMA_ISA_TIER([NEONDOT], [$omma_neon_scheduling -march=armv8.2-a+dotprod], [[#include <arm_neon.h>]],
        [[return vaddvq_s32(vdotq_s32(vdupq_n_s32(0), vdupq_n_s8(1), vdupq_n_s8(1)));]])
    OMMA_ISA_TIER([NEONBF16], [$omma_neon_scheduling -march=armv8.2-a+dotprod+bf16+i8mm], [[#include <arm_neon.h>]],
        [[bfloat16x8_t a = vreinterpretq_bf16_u16(vdupq_n_u16(0));
          int32x4_t b = vmmlaq_s32(vdupq_n_s32(0), vdupq_n_s8(1), vdupq_n_s8(1));
          return (int)vaddvq_f32(vbfmmlaq_f32(vcvtq_f32_s32(b), a, a));]])
])

# OMMA_NEON_SCHEDULING
# gcc 12 orders the loads of a loop before it gives out registers, and then has too few for the sums.
AC_DEFUN([OMMA_NEON_SCHEDULING], [
    omma_neon_scheduling=-fno-schedule-insns
    omma_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $omma_neon_scheduling"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [], [omma_neon_scheduling=])
    CFLAGS=$omma_saved_CFLAGS
])

# OMMA_ISA_TIER(NAME, FLAGS, PROLOGUE, BODY)
AC_DEFUN([OMMA_ISA_TIER], [
    AC_MSG_CHECKING([whether $CC builds the tier m4_translit([$1], [A-Z], [a-z])])
    omma_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([$3], [$4])], [
        omma_tier_$1=yes
        omma_tiers="$omma_tiers m4_translit([$1], [A-Z], [a-z])"
        AC_DEFINE([OMMA_TIER_$1], [1], [Define to 1 if the tier of kernels is built.])
    ], [omma_tier_$1=no])
    CFLAGS=$omma_saved_CFLAGS
    AC_SUBST([$1_CFLAGS], ["$2"])
    AC_MSG_RESULT([$omma_tier_$1])
    AM_CONDITIONAL([TIER_$1], [test "$omma_tier_$1" = yes])
])
