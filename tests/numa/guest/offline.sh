# A CPU that is offline, and one that goes offline while omma runs.
. /lib.sh
echo 0 > /sys/devices/system/cpu/cpu1/online
tells '3 allowed, 3 usable'
tells 'CPUs 1 are offline'
answers
answers -t 4
local_on 2 --numa shard
tells 'error: cpus: ' --cpus 0-3

# All threads stay bound to what is left of their CPUs, and the run ends.
timeout 200 omma bench -m /demo -r 40 -n 16 > /tmp/bench 2>&1 &
bench=$!
for try in 1 2 3 4 5; do
    sleep 1
    echo 0 > /sys/devices/system/cpu/cpu3/online
    sleep 1
    echo 1 > /sys/devices/system/cpu/cpu3/online
done
wait $bench || {
    cat /tmp/bench
    die "omma bench, while a CPU went: status $?"
}
answers
