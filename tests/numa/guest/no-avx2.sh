# A CPU of 2008: SSE4.2, no AVX.  The scalar kernels, no SIGILL.
. /lib.sh
omma --version | grep 'kernel tiers' | grep -q 'avx2 (not on this CPU)' || die "avx2 is taken for usable"
answers
answers -t 2 --gemm native
note "$(omma --version | grep 'kernel tiers')"
