#!/bin/sh
# check.sh [MACHINE...]: boot Debian's kernel in qemu (software emulation) on machines that are not at hand, and
# run omma inside: two NUMA nodes, a node without memory, cpusets, a CPU that goes offline, a CPU without AVX2.
# What is done in each is in guest/MACHINE.sh; this script makes an initramfs of omma, its libraries, the demo
# model and busybox, boots it once a machine, and reads what it said on the serial line.
#
# Needs qemu-system-x86_64, cpio, a static busybox and a kernel image: /boot/vmlinuz-* or, where apt-get can fetch
# it, Debian's own unpacked beside (nothing is installed).
set -eu
source=${OMMA_TEST_SRCDIR:-.} build=${OMMA_TEST_BUILDDIR:-.}
here=$source/tests/numa
seconds=${OMMA_NUMA_SECONDS:-600} # for one machine
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

need() {
    echo "check-numa needs $1 (Debian: apt-get install $2)" >&2
    exit 1
}

command -v qemu-system-x86_64 > /dev/null || need qemu-system-x86_64 qemu-system-x86
command -v cpio > /dev/null || need cpio cpio
busybox=$(command -v busybox || :)
[ -n "$busybox" ] && ! ldd "$busybox" > /dev/null 2>&1 || need "a static busybox" busybox-static

# The newest kernel installed, or the one that linux-image-amd64 stands for, unpacked.
find_kernel() {
    kernel=$(ls -v /boot/vmlinuz-*-amd64 2> /dev/null | tail -n 1)
    [ -z "$kernel" ] || return 0
    package=$(apt-cache depends linux-image-amd64 2> /dev/null | sed -n 's/^ *Depends: //p' | head -n 1)
    [ -n "$package" ] && (cd "$work" && apt-get -q download "$package" > download.log 2>&1 &&
        dpkg-deb -x "$package"_*.deb kernel) || need "a kernel image" linux-image-amd64
    kernel=$(ls "$work"/kernel/boot/vmlinuz-*)
}

# copy_program FILE: the program into the guest's root, with the libraries that it is linked with.
copy_program() {
    cp "$1" "$root/bin/"
    ldd "$1" | grep -oE '/[^ ]+' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -Ln "$library" "$root$library"
    done
}

make_initramfs() {
    root=$work/root
    mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/demo"
    cp "$busybox" "$root/bin/busybox"
    # installed, as the program in the build folder is a script of libtool's
    make -s -C "$build" install-exec DESTDIR="$work/installed" > "$work/install.log" 2>&1 || {
        cat "$work/install.log" >&2
        exit 1
    }
    program=$(find "$work/installed" -path '*/bin/omma')
    LD_LIBRARY_PATH=$(dirname "$(find "$work/installed" -name libomma.so.0)")
    export LD_LIBRARY_PATH
    copy_program "$program"
    cp -L "$LD_LIBRARY_PATH/libomma.so.0" "$root/lib/"
    unset LD_LIBRARY_PATH
    cp -r "$source/share/omma/demo/." "$root/demo/"
    cp "$here"/guest/* "$root/"
    chmod +x "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$work/initramfs"
}

# boot MACHINE QEMU-OPTION...: run the guest's MACHINE.sh; what it printed stands in $work/MACHINE.log.
# no_timer_check: emulation on a busy host misses ticks, which the kernel would take for broken hardware.
boot() {
    machine=$1
    shift
    log=$work/$machine.log
    begin=$(date +%s)
    status=0
    timeout "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -display none -no-reboot -nodefaults -serial stdio \
        -kernel "$kernel" -initrd "$work/initramfs" \
        -append "console=ttyS0 quiet panic=-1 no_timer_check omma.machine=$machine" "$@" < /dev/null > "$log" 2>&1 || status=$?
    if [ $status = 0 ] && grep -q '^omma-guest: passed' "$log"; then
        echo "$machine: passed ($(($(date +%s) - begin)) s)"
        sed -n 's/^omma-guest: note: /    /p' "$log" | tr -d '\r'
        n_passed=$((n_passed + 1))
    else
        echo "$machine: FAILED (qemu's status $status; 124: no end within $seconds s)"
        tail -n 40 "$log" | tr -d '\r'
        failed="$failed $machine"
    fi
}

# memory ID SIZE: a piece of memory that a node can have.
memory() {
    printf -- '-object memory-backend-ram,id=%s,size=%s' "$1" "$2"
}

run_machine() {
    case $1 in
    two-nodes | cpuset | offline)
        boot "$1" -cpu max -smp 4,sockets=2,cores=2 -m 2G $(memory m0 1G) $(memory m1 1G) \
            -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1
        ;;
    memoryless) # CPUs without memory, and memory without CPUs
        boot "$1" -cpu max -smp 4,sockets=2,cores=2 -m 2G $(memory m0 1G) $(memory m1 1G) \
            -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3 -numa node,nodeid=2,memdev=m1
        ;;
    no-avx2)
        boot "$1" -cpu Nehalem -smp 2 -m 1G
        ;;
    *)
        echo "no machine $1; there are: $machines" >&2
        exit 2
        ;;
    esac
}

machines='two-nodes memoryless cpuset offline no-avx2'
failed= n_passed=0
find_kernel
make_initramfs
for machine in ${*:-$machines}; do
    run_machine "$machine"
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
echo "$n_passed machines passed"
