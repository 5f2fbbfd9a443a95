#!/bin/sh
# slurm.sh: contrib/slurm/omma-array under a Slurm of one node in a temporary folder: a batch and a suite in three
# shards each, put together, equal the runs in one piece.  Needs Debian's slurmctld, slurmd, slurm-client and munge,
# and root, as slurmd does.
set -u
. "${OMMA_TEST_SRCDIR:-.}/tests/tools/lib.sh"
PATH=$PATH:/usr/sbin
for program in slurmctld slurmd sbatch munged; do
    command -v $program >/dev/null || { echo "skip: needs $program (slurmctld, slurmd, slurm-client, munge)"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skip: slurmd needs root"; exit 77; }
started=
trap 'kill $started 2>/dev/null; wait; rm -rf "$folder"' EXIT

host=$(hostname -s)
mkdir -p "$folder/state" "$folder/spool" "$folder/munge"
chmod 755 "$folder"
chmod 711 "$folder/munge"
head -c 1024 /dev/urandom >"$folder/key"
chmod 400 "$folder/key"
munged --foreground --force --key-file="$folder/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
    --log-file="$folder/munge.log" --seed-file="$folder/seed" >"$folder/munge.err" 2>&1 &
started="$started $!"
cat >"$folder/slurm.conf" <<CONF
ClusterName=omma
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
SlurmUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldPort=26817
SlurmdPort=26818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
SLURM_CONF=$folder/slurm.conf
export SLURM_CONF
sleep 1
slurmctld -D -f "$SLURM_CONF" >"$folder/slurmctld.log" 2>&1 &
started="$started $!"
slurmd -D -N "$host" -f "$SLURM_CONF" >"$folder/slurmd.log" 2>&1 &
started="$started $!"
waited=0
until sinfo -h -o %t 2>/dev/null | grep -q idle || [ $waited -ge 30 ]; do
    sleep 1
    waited=$((waited + 1))
done
sinfo -h -o %t 2>/dev/null | grep -q idle || { echo "skip: no Slurm starts here: $(tail -n 2 "$folder/slurmctld.log" "$folder/slurmd.log")"; exit 77; }

# arrayed OUT: wait for its merge
arrayed() {
    waited=0
    while [ -n "$(squeue -h 2>/dev/null)" ] && [ $waited -lt 100 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    [ -e "$1" ] || complain "$1 did not come: $(tail -n 3 "$1".log-* 2>/dev/null; squeue)"
}

OMMA=$omma
export OMMA
i=0
while [ $i -lt 8 ]; do
    echo "{\"custom_id\": \"$i\", \"messages\": [{\"role\": \"user\", \"content\": \"How many shapes are there, it's $i?\"}], \"max_tokens\": 4}"
    i=$((i + 1))
done >"$folder/in.jsonl"
"$omma" batch -m "$demo" --no-timings -o "$folder/whole.jsonl" "$folder/in.jsonl" 2>"$folder/err" || complain "batch: $(cat "$folder/err")"
sh "$source_dir/contrib/slurm/omma-array" 3 "$folder/it's out.jsonl" batch -m "$demo" --no-timings "$folder/in.jsonl" ||
    complain "omma-array batch"
arrayed "$folder/it's out.jsonl"
cmp "$folder/whole.jsonl" "$folder/it's out.jsonl" || complain "the batch in shards differs"

suite=$source_dir/tests/data/eval/prompts/SEEDBench_IMG.tsv
"$omma" eval -m "$demo" --limit 8 -o "$folder/whole" "$suite" >/dev/null 2>"$folder/err" || complain "eval: $(cat "$folder/err")"
mkdir "$folder/local"
OMMA_LOCAL=$folder/local
export OMMA_LOCAL
sh "$source_dir/contrib/slurm/omma-array" 3 "$folder/merged" eval -m "$demo" --limit 8 "$suite" || complain "omma-array eval"
arrayed "$folder/merged"
cmp "$folder"/whole/*.tsv "$folder"/merged/*.tsv || complain "the suite in shards differs"
[ "$n_failed" -ne 0 ] || echo "batch and eval in three shards each equal the whole"
finish
