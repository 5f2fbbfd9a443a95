#!/bin/sh
# run.sh SOURCE BUILD TARGET...: build the fuzz targets with clang's libFuzzer, ASan and UBSan in the
# folder BUILD, and run each for $FUZZ_SECONDS.  A finding is kept in BUILD and ends the run with 1.
#
# The compiler is clang whatever omma itself is built with, and OpenMP is left out (no_openmp/omp.h says
# why).
set -eu
source=$1 build=$2
shift 2
seconds=${FUZZ_SECONDS:-60}
make=${MAKE:-make}

[ -n "${CLANG-}" ] || { echo "fuzz: skipped, clang is not installed (apt-get install clang)"; exit 77; }
[ $# -gt 0 ] || { echo "fuzz: no targets"; exit 1; }

mkdir -p "$build"
cd "$build"
if [ ! -f Makefile ]; then
    "$source/configure" -q --enable-sanitizers --disable-shared CC="$CLANG" CFLAGS="-O1 -g" \
        ac_cv_prog_c_openmp="-Wno-unknown-pragmas -I$source/tests/fuzz/no_openmp"
fi
programs=
for target; do
    programs="$programs tests/fuzz/$target"
done
# The kernels of the tiers read no stranger's bytes, and instrumenting their intrinsics takes clang minutes a file.
$make -j"$(nproc)" $programs \
    libsimd_avx2_la_CFLAGS='-std=gnu11 $(AVX2_CFLAGS)' \
    libsimd_avxvnni_la_CFLAGS='-std=gnu11 $(AVXVNNI_CFLAGS)' \
    libsimd_avx512_la_CFLAGS='-std=gnu11 $(AVX512_CFLAGS)' \
    libsimd_avx512vnni_la_CFLAGS='-std=gnu11 $(AVX512VNNI_CFLAGS)' \
    libsimd_avx512bf16_la_CFLAGS='-std=gnu11 $(AVX512BF16_CFLAGS)' \
    libsimd_amx_la_CFLAGS='-std=gnu11 $(AMX_CFLAGS)' \
    OMMA_SANITIZER_FLAGS="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"

failed=0
for target; do
    seeds= more=
    mkdir -p "corpus/$target"
    case $target in
    image_*) own=$source/tests/data/images ;;
    *) own= ;;
    esac
    for folder in "$source/tests/fuzz/seeds/$target" "$own"; do
        [ ! -d "$folder" ] || seeds="$seeds $folder"
    done
    [ ! -f "$source/tests/fuzz/$target.dict" ] || more="-dict=$source/tests/fuzz/$target.dict"
    printf 'fuzz: %s for %s s ... ' "$target" "$seconds"
    if "tests/fuzz/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3072 -print_final_stats=1 \
        -artifact_prefix="$build/$target-" $more "corpus/$target" $seeds > "$target.log" 2>&1; then
        sed -n 's/^stat::number_of_executed_units: */runs without a finding: /p' "$target.log"
    else
        failed=1
        echo "FINDING (the input lies in $build, named $target-*)"
        tail -n 40 "$target.log"
    fi
done
exit $failed
