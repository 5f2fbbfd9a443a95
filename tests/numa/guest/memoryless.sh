# Node 0 has two cores and memory, node 1 two cores and no memory, node 2 memory and no cores.
. /lib.sh
note "memory: $(cat /sys/devices/system/node/has_memory), CPUs: $(cat /sys/devices/system/node/has_cpu)"
tells '4 allowed, 4 usable'
answers
answers --numa shard
answers --numa mirror
n_nodes=$(grep -c '^node ' /tmp/doctor)
local_on "$n_nodes" --numa shard
