#!/usr/bin/env bash
# configs/pretrain.sbatch under a real Slurm, with two tasks on this machine:
#
#     tests/cluster/slurm.sh tests/cluster/slurm_pretrain.sh
#
# Compares the losses with those of one process; then signals a running job as Slurm does before its
# time is over, and fails where it does not save, is not put back in the queue or does not go on. Not a
# part of `make test`.
set -euo pipefail

cd "$(dirname "$0")/../.."
export PATH=$PWD/.venv/bin:$PATH OMP_NUM_THREADS=1 DS_ACCELERATOR=cpu
folder=$(mktemp -d /tmp/bbert-job.XXXXXX)
trap 'rm -rf "$folder"' EXIT
work=$folder/work
python -c '
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from tiny_corpus import build_tiny_corpus
build_tiny_corpus(Path(sys.argv[1]), documents=30)
' "$work"
options=(--work "$work" --depth 2 --heads 2 --hidden 16 --seq-len 24 --batch-size 6 --dropout 0.1
    --steps 40 --log-every 5 --eval-every 20 --learning-rate 0.001 --device cpu)
job=(--nodes 1 --ntasks-per-node 2 --gpus-per-node 0 --cpus-per-task 1 --time 10
    --output "$folder/job.log" configs/pretrain.sbatch)

bbert pretrain "${options[@]}" --name alone >"$folder/alone.log" 2>&1
state() { squeue --noheader --format %T --job "$1" 2>/dev/null || true; }
number=$(sbatch --parsable "${job[@]}" "${options[@]}" --name slurm --zero-stage 1)
for _ in $(seq 600); do # sbatch --wait looks twice a minute at most
    if [ -z "$(state "$number")" ]; then break; fi
    sleep 0.1
done
if [ ! -d "$work/models/slurm" ]; then
    tail -n 20 "$folder/job.log" >&2
    exit 1
fi
python tests/cluster/compare_losses.py "$work/models" slurm

number=$(sbatch --parsable "${job[@]}" "${options[@]}" --name signal --steps 1000000 --save-every 20)
checkpoints=$work/models/signal.partial/checkpoints
fail() {
    echo "signal: $1; the job is now '$(state "$number")'" >&2
    tail -n 20 "$folder/job.log" >&2
    scancel "$number"
    exit 1
}
for _ in $(seq 600); do
    if [ -e "$checkpoints/latest" ]; then break; fi
    sleep 0.1
done
if [ ! -e "$checkpoints/latest" ]; then fail "no checkpoint to go on from"; fi
began=$SECONDS
scancel --signal=TERM "$number"
for _ in $(seq 600); do
    if [ "$(state "$number")" = PENDING ]; then break; fi
    sleep 0.1
done
stopped=$(grep -m 1 'stopped by' "$folder/job.log") || fail "the job does not say that it was stopped"
echo "signal: after $((SECONDS - began)) s: $stopped"
if [[ $stopped != *"goes on from there"* ]]; then fail "the last step was not saved"; fi
if [ "$(state "$number")" != PENDING ]; then fail "not put back in the queue"; fi
saved=$(cat "$checkpoints/latest")
echo "signal: the job waits in the queue again, checkpoint $saved"
scontrol update JobId="$number" StartTime=now # else it waits two minutes, as every job put back does
for _ in $(seq 1800); do
    if grep -q 'going on from step' "$folder/job.log"; then break; fi
    sleep 0.1
done
if ! grep 'going on from step' "$folder/job.log" | grep -qF "/$saved)"; then
    fail "it does not go on from $saved"
fi
echo "signal: the job goes on from $saved"
scancel "$number"
for _ in $(seq 600); do
    if [ -z "$(state "$number")" ]; then break; fi
    sleep 0.1
done
