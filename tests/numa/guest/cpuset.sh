# Two nodes of which a cgroup leaves a part.
. /lib.sh

# inside NAME CPUS NODES COMMAND...: in a cgroup of its own.
inside() {
    group=/sys/fs/cgroup/$1
    mkdir "$group"
    echo "$2" > "$group/cpuset.cpus"
    echo "$3" > "$group/cpuset.mems"
    shift 3
    (
        echo 0 > "$group/cgroup.procs"
        "$@"
    ) || die "in $group: $*"
}

echo '+cpuset +cpu +memory' > /sys/fs/cgroup/cgroup.subtree_control
inside one 2-3 1 tells '2 allowed, 2 usable'
inside one-node 2-3 1 local_on 1 --numa shard
inside one-answers 2-3 1 answers
inside spread 0,2 0-1 local_on 2 --numa shard
# cores of both nodes, memory of one: all pages are where they may be
inside remote 1,3 0 answers --numa shard
inside refused 0-1 0-1 tells 'error: cpus: ' --cpus 2-3

group=/sys/fs/cgroup/quota
mkdir $group
echo '150000 100000' > $group/cpu.max
(
    echo 0 > $group/cgroup.procs
    tells '4 allowed, 1 usable'
    answers --numa shard
) || die "in $group"
