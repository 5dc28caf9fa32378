#!/usr/bin/env bash
# configs/pretrain.sbatch under a real Slurm, with two tasks on this machine:
#
#     tests/cluster/slurm.sh tests/cluster/slurm_pretrain.sh
#
# Compares the losses with those of one process; then signals a running job as Slurm does before its
# time is over, and sees that it saves, is put back in the queue and can go on. Not a part of
# `make test`.
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
for _ in $(seq 600); do
    if [ -e "$checkpoints/latest" ]; then break; fi
    sleep 0.1
done
began=$SECONDS
scancel --signal=TERM "$number"
for _ in $(seq 300); do
    if [ "$(state "$number")" != RUNNING ]; then break; fi
    sleep 0.1
done
echo "signal: after $((SECONDS - began)) s: $(grep 'stopped by' "$folder/job.log")"
echo "signal: the job is now $(state "$number"), checkpoint $(cat "$checkpoints/latest")"
scancel "$number"
