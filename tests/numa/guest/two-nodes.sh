# Two nodes of two cores.
. /lib.sh
tells '4 allowed, 4 usable'
tells '^node 0  *2 cores'
tells '^node 1  *2 cores'
answers
local_on 2
local_on 2 --numa shard
answers --numa shard -t 3
local_on 2 --numa mirror
answers --numa mirror
answers --numa off
answers --numa shard --mmap
answers --cpus 2-3
local_on 1 --numa shard --cpus 2-3
