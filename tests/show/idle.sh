#!/bin/sh
# idle.sh [SECONDS]: what an engine costs that has answered and waits for the next question: its processor time
# over some seconds (default 10), which must stay below 1 % of one processor's.
set -eu
. "$(dirname "$0")/../tools/lib.sh"

seconds=${1:-10}

# Processor time of the process so far, user and system, in clock ticks.
ticks() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$process/stat"
}

mkfifo "$folder/in"
"$omma" run -m demo <"$folder/in" >"$folder/out" 2>"$folder/err" &
process=$!
exec 3>"$folder/in"
printf '/image %s\nHow many shapes are there?\n' "$pictures/shapes.png" >&3
waited=0
until grep -q . "$folder/out"; do
    [ "$waited" -lt 60 ] || { echo "no answer within a minute: $(cat "$folder/err")"; exit 1; }
    waited=$((waited + 1))
    sleep 1
done
sleep 1 # OpenMP's threads spin for some milliseconds before they sleep
before=$(ticks)
sleep "$seconds"
after=$(ticks)
n_threads=$(find "/proc/$process/task" -mindepth 1 -maxdepth 1 | wc -l)
exec 3>&-
wait "$process" || complain "exit code $?"
echo "answer: $(cat "$folder/out"); idle for $seconds s with $n_threads threads:" \
    "$((after - before)) ticks of $((seconds * $(getconf CLK_TCK))) processor time"
[ $((100 * (after - before))) -lt $((seconds * $(getconf CLK_TCK))) ] || complain "an idle engine takes 1 % or more"
finish
