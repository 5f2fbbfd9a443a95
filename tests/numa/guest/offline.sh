# A CPU that is offline, and one that goes offline while omma runs.
. /lib.sh
echo 0 > /sys/devices/system/cpu/cpu1/online
tells '3 allowed, 3 usable'
tells 'CPUs 1 are offline'
answers
answers -t 4
local_on 2 --numa shard
tells 'error: cpus: ' --cpus 0-3

# All threads stay bound to what is left of their CPUs, and a conversation goes on to its end.
n_questions=20
yes "$question" | head -n $n_questions |
    timeout 300 omma run -m /demo --image $picture > /tmp/conversation 2> /tmp/said &
conversation=$!
n_gone=0 # how often it ran while the CPU went
for try in 1 2 3 4 5; do
    sleep 1
    echo 0 > /sys/devices/system/cpu/cpu3/online
    ! kill -0 $conversation 2> /dev/null || n_gone=$((n_gone + 1))
    sleep 1
    echo 1 > /sys/devices/system/cpu/cpu3/online
done
status=0
wait $conversation || status=$?
n_answers=$(wc -l < /tmp/conversation)
[ "$status" = 0 ] && [ "$n_answers" = $n_questions ] || {
    cat /tmp/said
    die "omma run, while a CPU went: status $status, $n_answers answers of $n_questions"
}
[ $n_gone -gt 0 ] || die "the conversation ended before the CPU went"
note "a CPU went $n_gone times during a conversation"
answers
